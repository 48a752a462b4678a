// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * After a kill -9 of make: kbuild believes an object that is newer than its source, be it half.
 * Those that were being written at the time are among the files that changed last.
 */
#include "kernel/build.h"

#include <errno.h>
#include <fts.h>
#include <sys/stat.h>

struct walk {
	time_t newest, limit;
	bool remove;
};

/* Our own marks stay. */
static bool is_object(const FTSENT *e)
{
	return e->fts_info == FTS_F && e->fts_level > 0 &&
	       !(e->fts_level == 1 && g_str_has_prefix(e->fts_name, "klab-"));
}

static bool visit(const FTSENT *e, struct walk *walk, GError **error)
{
	if (!is_object(e))
		return true;
	walk->newest = MAX(walk->newest, e->fts_statp->st_mtime);
	if (!walk->remove || e->fts_statp->st_mtime < walk->limit || !unlink(e->fts_accpath))
		return true;
	return lab_fail_errno(error, "cannot remove '%s'", e->fts_path);
}

static bool each_file(const char *dir, struct walk *walk, GError **error)
{
	char *const paths[] = { (char *)dir, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	bool ok = true;
	FTSENT *e;

	if (!fts)
		return lab_fail_errno(error, "cannot read '%s'", dir);
	while (ok && (e = fts_read(fts)))
		ok = visit(e, walk, error);
	fts_close(fts);
	return ok;
}

bool build_forget_recent(const char *dir, unsigned within_s, GError **error)
{
	struct walk walk = { 0 };

	if (!each_file(dir, &walk, error))
		return false;
	walk.limit = walk.newest - (time_t)within_s;
	walk.remove = true;
	return each_file(dir, &walk, error);
}
