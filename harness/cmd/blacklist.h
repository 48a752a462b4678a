/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the subcommands of klab blacklist share: evidence that the user names, a kernel that he
 * means. */
#ifndef KLAB_CMD_BLACKLIST_H
#define KLAB_CMD_BLACKLIST_H

#include "cmd/cmd.h"
#include "conf/probes.h"
#include "know/know.h"

#include <jansson.h>

#define BLACKLIST_HEADER "tracing_blacklist.h"
#define BLACKLIST_JSON "tracing_blacklist.json"
#define BLACKLIST_MARKDOWN "tracing_blacklist.md"
#define BLACKLIST_EVIDENCE "tracing_blacklist.evidence.json"
#define BLACKLIST_BYTES_MAX (64u << 20) /* of any of these */

/* What is known: declarations, and the measurements of the runs that the user names. */
struct evidence_base {
	struct hazard_set *hazards;
	GPtrArray *runs;     /* of json_t *, see report/blacklist_evidence.h */
	GPtrArray *measured; /* of struct measured * */
	struct knowledge *known;
};
void evidence_base_clear(struct evidence_base *base);
/* `hazards_file`: NULL for the shipped ones. `from` (may be NULL): result.json files, folders of
 * runs, evidence files. */
bool evidence_base_load(struct evidence_base *base, const char *hazards_file, char *const *from,
			GError **error);

/* A kernel as the command line tells it; all NULL: this host's. */
struct kernel_texts {
	char *release, *version, *os_release;
};
void kernel_texts_clear(struct kernel_texts *texts);
/* An explicit release never reads this host's files. */
bool kernel_texts_identify(const struct kernel_texts *texts, struct ktb_kernel *ret,
			   GError **error);

/* One line on what was understood of a kernel. */
char *kernel_line(const struct ktb_kernel *kernel);
/* Is this the name of an operation? LAB_ERROR_USAGE with those that there are. */
bool blacklist_check_op(const struct knowledge *known, const char *op, GError **error);
/* A document as text with a newline at its end; consumes it. */
bool blacklist_print_json(json_t *document, GError **error);

int blacklist_generate(int argc, char **argv);
int blacklist_check(int argc, char **argv);
int blacklist_explain_command(int argc, char **argv);
int blacklist_diff_command(int argc, char **argv);
int blacklist_verify(int argc, char **argv);

/* All that is made of what is known. "files" of the document has the sha256 of the other texts. */
struct blacklist_texts {
	char *header, *markdown, *evidence; /* evidence: NULL without runs */
	char *json;
	json_t *document;
};
void blacklist_render(const struct evidence_base *base, struct blacklist_texts *ret);
void blacklist_texts_clear(struct blacklist_texts *texts);

#endif
