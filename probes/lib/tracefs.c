// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernel probes through tracefs: see tracefs.h. */
#include "probes/lib/tracefs.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 256
#define OFFSET_FIRST 5 /* an ftrace call takes 5 bytes */
#define OFFSET_LAST 96

const char *tracefs_root(void)
{
	static const char *const roots[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	char path[PATH_SIZE];

	for (unsigned i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		text_format(path, sizeof(path), "%s/events", roots[i]);
		if (access(path, F_OK) == 0)
			return roots[i];
	}
	return NULL;
}

static int root_path(char *path, const char *file)
{
	const char *root = tracefs_root();

	if (!root)
		return -ENOENT;
	text_format(path, PATH_SIZE, "%s/%s", root, file);
	return 0;
}

int tracefs_write(const char *file, const char *text)
{
	char path[PATH_SIZE];
	int err = root_path(path, file);

	/* Append: kprobe_events forgets all events when it is truncated. */
	return err ? err : file_append(path, text);
}

int tracefs_open(const char *file)
{
	char path[PATH_SIZE];
	int fd, err = root_path(path, file);

	if (err)
		return err;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int site_define(const struct kprobe_site *site)
{
	char line[PATH_SIZE];

	text_format(line, sizeof(line), "p:klab/%s %s+%u\n", site->name, site->symbol,
		    site->offset);
	return tracefs_write("kprobe_events", line);
}

int kprobe_site_enable(const struct kprobe_site *site, bool on)
{
	char file[PATH_SIZE];

	text_format(file, sizeof(file), "events/klab/%s/enable", site->name);
	return tracefs_write(file, on ? "1\n" : "0\n");
}

void kprobe_site_remove(struct kprobe_site *site)
{
	char line[PATH_SIZE];

	if (!site->symbol)
		return;
	kprobe_site_enable(site, false);
	text_format(line, sizeof(line), "-:klab/%s\n", site->name);
	tracefs_write("kprobe_events", line);
	site->symbol = NULL;
}

int kprobe_site_find(struct kprobe_site *site, const char *const *symbols,
		     bool (*accepts)(const struct kprobe_site *site))
{
	for (; *symbols; symbols++) {
		site->symbol = *symbols;
		for (site->offset = OFFSET_FIRST; site->offset <= OFFSET_LAST; site->offset++) {
			if (site_define(site))
				continue;
			if (!kprobe_site_enable(site, true) && (!accepts || accepts(site)))
				return 0;
			kprobe_site_remove(site);
			site->symbol = *symbols;
		}
	}
	site->symbol = NULL;
	return -ENOENT;
}

int kprobe_site_counts(const struct kprobe_site *site, struct kprobe_counts *ret)
{
	static char buf[65536]; /* a line a kprobe */
	char path[PATH_SIZE], name[64], *save, *line;
	unsigned long long hits, missed;
	int err = root_path(path, "kprobe_profile");

	if (!err)
		err = file_read(path, buf, sizeof(buf));
	if (err < 0)
		return err;
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, " %63s %llu %llu", name, &hits, &missed) != 3 ||
		    strcmp(name, site->name))
			continue;
		*ret = (struct kprobe_counts){ .hits = hits, .missed = missed };
		return 0;
	}
	return -ENOENT;
}

bool kprobe_counts_lost(uint64_t calls, const struct kprobe_counts *counts, unsigned ncpus)
{
	return calls > counts->hits && calls - counts->hits > counts->missed * ncpus;
}

const char *kprobe_missing(void)
{
	if (!tracefs_root())
		return "CONFIG_FTRACE is off: no tracefs";
	if (tracefs_write("kprobe_events", "\n") == -ENOENT)
		return "CONFIG_KPROBE_EVENTS (CONFIG_KPROBE_EVENT below 4.11) is off: no "
		       "'kprobe_events'";
	return NULL;
}
