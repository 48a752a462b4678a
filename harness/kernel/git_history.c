// SPDX-License-Identifier: GPL-2.0-or-later
/* See git_history.h. */
#include "kernel/git_history.h"

#include "kernel/git_repo.h"

#include <string.h>

#define COMMIT_MARK '\001'
#define FIXES_MARK '\002'
#define BASES_MAX 64		/* in one answer */
#define PARTINGS_MAX 16		/* of partings: merges crosswise, again and again */
#define ID_BYTES_MIN 7
#define ID_BYTES_MAX 64
#define SUBJECT_MAX 200
#define FILES_MAX 10000		/* of one commit: treewide changes are kept in part */

void history_free(struct history *h)
{
	if (!h)
		return;
	for (unsigned i = 0; i < h->n; i++) {
		g_free(h->commits[i].id);
		g_free(h->commits[i].subject);
		g_strfreev(h->commits[i].files);
	}
	g_free(h->commits);
	g_free(h->from);
	g_free(h->to);
	g_free(h->beside);
	g_free(h->first);
	g_free(h->parents);
	g_free(h);
}

/* --- rev-list ----------------------------------------------------------------------------------- */

static bool is_id(const char *text, size_t len)
{
	if (len != 40 && len != 64)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!g_ascii_isdigit(text[i]) && (text[i] < 'a' || text[i] > 'f'))
			return false;
	return true;
}

struct reader {
	GHashTable *number;	/* id -> its number; ids are the commits' */
	GArray *commits, *first, *parents;
};

/* "ID PARENT..." */
static bool read_line(struct reader *r, const char *line, size_t len, GError **error)
{
	g_autofree char *copy = g_strndup(line, len);
	g_auto(GStrv) words = g_strsplit(copy, " ", -1);
	struct history_commit commit = { 0 };
	unsigned number = r->commits->len;

	for (char **word = words; *word; word++) {
		gpointer parent;

		if (!is_id(*word, strlen(*word)))
			return lab_fail(error, LAB_ERROR_INPUT, "git names no commit: '%.80s'",
					*word);
		if (word > words && g_hash_table_lookup_extended(r->number, *word, NULL, &parent)) {
			unsigned of = GPOINTER_TO_UINT(parent);

			g_array_append_val(r->parents, of);
		}
	}
	if (!*words || g_hash_table_contains(r->number, *words) || number >= HISTORY_COMMITS_MAX)
		return lab_fail(error, LAB_ERROR_INPUT, "git lists a commit twice, or too many");
	commit.id = g_strdup(*words);
	g_array_append_val(r->commits, commit);
	g_array_append_val(r->first, r->parents->len);
	g_hash_table_insert(r->number, commit.id, GUINT_TO_POINTER(number));
	return true;
}

static bool read_lines(struct reader *r, const char *text, size_t len, GError **error)
{
	const char *end = text + len;

	while (text < end) {
		const char *newline = memchr(text, '\n', end - text);
		const char *stop = newline ? newline : end;

		if (!read_line(r, text, stop - text, error))
			return false;
		text = stop + 1;
	}
	return true;
}

bool history_parse(const char *text, size_t len, struct history **ret, GError **error)
{
	g_autoptr(GHashTable) number = g_hash_table_new(g_str_hash, g_str_equal);
	struct reader r = { number, g_array_new(FALSE, FALSE, sizeof(struct history_commit)),
			    g_array_new(FALSE, FALSE, sizeof(unsigned)),
			    g_array_new(FALSE, FALSE, sizeof(unsigned)) };
	g_autoptr(history) h = g_new0(struct history, 1);
	unsigned zero = 0;
	bool ok;

	g_array_append_val(r.first, zero);
	ok = read_lines(&r, text, len, error);
	h->n = r.commits->len;
	h->commits = (struct history_commit *)g_array_free(r.commits, FALSE);
	h->first = (unsigned *)g_array_free(r.first, FALSE);
	h->parents = (unsigned *)g_array_free(r.parents, FALSE);
	if (ok)
		*ret = g_steal_pointer(&h);
	return ok;
}

int history_find(const struct history *h, const char *id)
{
	size_t len = strlen(id);
	int found = -1;

	if (len < ID_BYTES_MIN || len > ID_BYTES_MAX)
		return -1;
	for (unsigned i = 0; i < h->n; i++)
		if (!strncmp(h->commits[i].id, id, len)) {
			if (found >= 0)
				return -1;
			found = i;
		}
	return found;
}

/* --- log ---------------------------------------------------------------------------------------- */

/* Bytes of a subject or a file's name may be anything: what is shown is UTF-8 without controls. */
static char *readable(const char *text, size_t len, size_t max)
{
	char *valid = g_utf8_make_valid(text, MIN(len, max));

	for (char *c = valid; *c; c++)
		if (g_ascii_iscntrl(*c))
			*c = '?';
	return valid;
}

/* "SUBJECT\002FIXES" */
static void read_head(struct history_commit *c, const char *text, size_t len)
{
	const char *mark = memchr(text, FIXES_MARK, len);
	size_t subject = mark ? (size_t)(mark - text) : len;

	c->subject = readable(text, subject, SUBJECT_MAX);
	c->fixes = subject + 1 < len;
}

/* "ID\tHEAD", then a file a line after an empty one. */
static void read_names(struct history_commit *c, const char *text, size_t len)
{
	g_autoptr(GPtrArray) files = g_ptr_array_new();
	const char *end = text + len, *tab = memchr(text, '\t', len), *at;

	at = memchr(text, '\n', len);
	at = at ? at : end;
	if (tab && tab < at && !c->subject)
		read_head(c, tab + 1, at - tab - 1);
	while (at < end && files->len < FILES_MAX) {
		const char *newline = memchr(at, '\n', end - at), *stop = newline ? newline : end;

		if (stop > at)
			g_ptr_array_add(files, readable(at, stop - at, 4096));
		at = stop + 1;
	}
	if (!files->len || c->files) {
		g_ptr_array_set_free_func(files, g_free);
		return;
	}
	g_ptr_array_add(files, NULL);
	c->files = (char **)g_ptr_array_free(g_steal_pointer(&files), FALSE);
}

void history_parse_names(struct history *h, const char *text, size_t len)
{
	g_autoptr(GHashTable) number = g_hash_table_new(g_str_hash, g_str_equal);
	const char *end = text + len, *at = memchr(text, COMMIT_MARK, len);

	for (unsigned i = 0; i < h->n; i++)
		g_hash_table_insert(number, h->commits[i].id, &h->commits[i]);
	while (at) {
		const char *next = memchr(at + 1, COMMIT_MARK, end - at - 1);
		const char *stop = next ? next : end;
		g_autofree char *id = g_strndup(at + 1, MIN(ID_BYTES_MAX + 1, stop - at - 1));
		struct history_commit *c;

		id[strcspn(id, "\t\n")] = '\0';
		c = g_hash_table_lookup(number, id);
		if (c)
			read_names(c, at + 1, stop - at - 1);
		at = next;
	}
}

/* --- git ---------------------------------------------------------------------------------------- */

static char *commit_of(const char *path, const char *ref, GError **error)
{
	g_autofree char *what = g_strconcat(ref, "^{commit}", NULL);
	const char *const args[] = { "rev-parse", "--verify", "--end-of-options", what, NULL };
	g_autoptr(GError) own = NULL;
	char *id = git_ref_check(ref, error) ? git_ask(path, args, ID_BYTES_MAX + 1, &own) : NULL;

	if (own)
		lab_fail(error, LAB_ERROR_USAGE, "'%s' has no tag, branch or commit '%s'", path,
			 ref);
	return id ? g_strchomp(id) : NULL;
}

/* Commits that the named ones all have in their history, the best ones, a line each; NULL: none. */
static char **common(const char *path, const char *how, char **of)
{
	g_autoptr(GPtrArray) args = g_ptr_array_new();
	g_autofree char *text = NULL;

	g_ptr_array_add(args, (char *)"merge-base");
	g_ptr_array_add(args, (char *)"--all");
	if (how)
		g_ptr_array_add(args, (char *)how);
	for (; *of; of++)
		g_ptr_array_add(args, *of);
	g_ptr_array_add(args, NULL);
	text = git_ask(path, (const char *const *)args->pdata, BASES_MAX * (ID_BYTES_MAX + 1), NULL);
	return text && *g_strchomp(text) ? g_strsplit(text, "\n", BASES_MAX) : NULL;
}

/* Where the two parted: one commit that is below all places where they did. */
static char *find_parting(const char *path, const struct history *ids)
{
	char *const ends[] = { ids->from, ids->to, NULL };
	g_auto(GStrv) bases = common(path, NULL, (char **)ends);

	for (unsigned i = 0; bases && bases[0] && bases[1] && i < PARTINGS_MAX; i++) {
		char **below = common(path, "--octopus", bases);

		g_strfreev(bases);
		bases = below;
	}
	return bases && bases[0] && !bases[1] ? g_strdup(bases[0]) : NULL;
}

/* The old end is in the history of the new one, or becomes what is. */
static bool find_old_end(const char *path, const struct history_params *p, struct history *ids,
			 GError **error)
{
	g_autofree char *base = find_parting(path, ids);

	if (!base)
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s' and '%s' have no commit in common, or too many", p->from, p->to);
	if (!strcmp(base, ids->to))
		return !strcmp(ids->from, ids->to) ?
			       lab_fail(error, LAB_ERROR_USAGE, "'%s' and '%s' are the same commit",
					p->from, p->to) :
			       lab_fail(error, LAB_ERROR_USAGE,
					"'%s' is not in the history of '%s', it comes after that\nhint: "
					"the other way round; --broken and --fixed look for what mended it",
					p->from, p->to);
	if (strcmp(base, ids->from)) {
		ids->beside = g_steal_pointer(&ids->from);
		ids->from = g_steal_pointer(&base);
	}
	return true;
}

static void add_range(GPtrArray *args, const struct history_params *p, const struct history *ids)
{
	g_ptr_array_add(args, g_strdup("--topo-order"));
	if (p->first_parent)
		g_ptr_array_add(args, g_strdup("--first-parent"));
	g_ptr_array_add(args, g_strdup_printf("%s..%s", ids->from, ids->to));
	g_ptr_array_add(args, g_strdup("--"));
	for (const char *const *path = p->paths; path && *path; path++)
		g_ptr_array_add(args, g_strdup(*path));
	g_ptr_array_add(args, NULL);
}

static char *list(const struct history_params *p, const struct history *ids,
		  const char *const *command, GError **error)
{
	g_autoptr(GPtrArray) args = g_ptr_array_new_with_free_func(g_free);

	for (; *command; command++)
		g_ptr_array_add(args, g_strdup(*command));
	add_range(args, p, ids);
	return git_ask(p->path, (const char *const *)args->pdata, HISTORY_TEXT_MAX, error);
}

static bool read_range(const struct history_params *p, const struct history *ids,
		       struct history **ret, GError **error)
{
	static const char *const commits[] = { "rev-list", "--parents", "--reverse", NULL };
	static const char *const names[] = { "-c", "core.quotePath=false", "log", "--name-only",
					     "--no-renames", "--format=%x01%H%x09%s%x02"
					     "%(trailers:key=Fixes,valueonly,separator=%x20)", NULL };
	g_autofree char *text = list(p, ids, commits, error), *log = NULL;

	if (!text || !history_parse(text, strlen(text), ret, error) ||
	    !(log = list(p, ids, names, error)))
		return false;
	history_parse_names(*ret, log, strlen(log));
	return true;
}

bool git_history(const struct history_params *params, const struct progress *progress,
		 struct history **ret, GError **error)
{
	g_autoptr(history) ids = g_new0(struct history, 1), h = NULL;

	ids->from = commit_of(params->path, params->from, error);
	if (!ids->from || !(ids->to = commit_of(params->path, params->to, error)) ||
	    !find_old_end(params->path, params, ids, error))
		return false;
	progress_say(progress, "reading the history from %s to %s", params->from, params->to);
	if (!read_range(params, ids, &h, error))
		return false;
	if (!h->n)
		return lab_fail(error, LAB_ERROR_USAGE,
				"no commit between '%s' and '%s' touches these paths", params->from,
				params->to);
	h->from = g_steal_pointer(&ids->from);
	h->to = g_steal_pointer(&ids->to);
	h->beside = g_steal_pointer(&ids->beside);
	*ret = g_steal_pointer(&h);
	return true;
}
