// SPDX-License-Identifier: GPL-2.0-or-later
/* See gitlog.h. */
#include "bisect/gitlog.h"

#include <string.h>

#define TERM_BYTES_MAX 64
#define ID_BYTES_MAX 256

void gitlog_free(struct gitlog *log)
{
	if (!log)
		return;
	for (guint i = 0; i < log->lines->len; i++)
		g_free(g_array_index(log->lines, struct gitlog_line, i).id);
	g_array_free(log->lines, TRUE);
	g_free(log->term_old);
	g_free(log->term_new);
	g_free(log);
}

static void take_term(char **to, const char *term)
{
	if (!*term || strlen(term) > TERM_BYTES_MAX)
		return;
	g_free(*to);
	*to = g_strdup(term);
}

static void take(struct gitlog *log, enum gitlog_verdict verdict, const char *id)
{
	struct gitlog_line line = { verdict, g_strndup(id, ID_BYTES_MAX) };

	g_array_append_val(log->lines, line);
}

/* git bisect start [--term-new=T] [--term-old=T] [--first-parent] [BAD [GOOD...]] [-- PATH...] */
static void read_start(struct gitlog *log, char **words)
{
	bool first = true;

	for (; *words && strcmp(*words, "--"); words++) {
		const char *value = strchr(*words, '=');

		if (g_str_has_prefix(*words, "--term-new=") ||
		    g_str_has_prefix(*words, "--term-bad="))
			take_term(&log->term_new, value + 1);
		else if (g_str_has_prefix(*words, "--term-old=") ||
			 g_str_has_prefix(*words, "--term-good="))
			take_term(&log->term_old, value + 1);
		else if (**words != '-') {
			take(log, first ? GITLOG_NEW : GITLOG_OLD, *words);
			first = false;
		}
	}
}

static void read_verdict(struct gitlog *log, const char *term, char **ids)
{
	enum gitlog_verdict verdict;

	if (!strcmp(term, log->term_new) || !strcmp(term, "bad") || !strcmp(term, "new"))
		verdict = GITLOG_NEW;
	else if (!strcmp(term, log->term_old) || !strcmp(term, "good") || !strcmp(term, "old"))
		verdict = GITLOG_OLD;
	else if (!strcmp(term, "skip"))
		verdict = GITLOG_SKIP;
	else
		return;
	for (; *ids; ids++)
		take(log, verdict, *ids);
}

/* A command's words as the shell would have them: git quotes with '. */
static bool read_command(struct gitlog *log, const char *line)
{
	g_auto(GStrv) words = NULL;
	int n;

	if (!g_shell_parse_argv(line, &n, &words, NULL) || n < 3 || strcmp(words[0], "git") ||
	    strcmp(words[1], "bisect"))
		return false;
	if (!strcmp(words[2], "start"))
		read_start(log, words + 3);
	else
		read_verdict(log, words[2], words + 3);
	return true;
}

bool gitlog_parse(const char *text, size_t len, struct gitlog **ret, GError **error)
{
	g_autofree char *valid = g_utf8_make_valid(text, len);
	g_auto(GStrv) lines = g_strsplit_set(valid, "\r\n", -1);
	g_autoptr(gitlog) log = g_new0(struct gitlog, 1);
	bool any = false;

	log->term_old = g_strdup("good");
	log->term_new = g_strdup("bad");
	log->lines = g_array_new(FALSE, FALSE, sizeof(struct gitlog_line));
	for (char **line = lines; *line; line++) {
		if (**line && **line != '#' && read_command(log, *line))
			any = true;
		if (log->lines->len > GITLOG_LINES_MAX)
			return lab_fail(error, LAB_ERROR_INPUT, "more than %u lines",
					GITLOG_LINES_MAX);
	}
	if (!any)
		return lab_fail(error, LAB_ERROR_INPUT,
				"no line of 'git bisect log'\nhint: git bisect log >FILE");
	*ret = g_steal_pointer(&log);
	return true;
}

/* --- writing ------------------------------------------------------------------------------------ */

void gitlog_start(GString *out, bool fix)
{
	g_string_append(out, fix ? "git bisect start '--term-new=fixed' '--term-old=broken'\n" :
				   "git bisect start\n");
}

void gitlog_add(GString *out, bool fix, enum gitlog_verdict verdict, const char *id,
		const char *subject)
{
	const char *term = verdict == GITLOG_SKIP ? "skip" :
			   verdict == GITLOG_NEW  ? (fix ? "fixed" : "bad") :
						    (fix ? "broken" : "good");

	g_string_append_printf(out, "# %s: [%s] %s\ngit bisect %s %s\n", term, id,
			       subject ? subject : "", term, id);
}
