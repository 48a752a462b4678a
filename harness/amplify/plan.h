/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is to be delayed: from --amplify's word, a plan's text and a kernel's symbols to the sites of
 * the control page, and back to a plan's text. Pure.
 *
 * A plan is text, one site a line (';' on a command line), '#' begins a comment:
 *
 *	SYMBOL[+OFF[-OFF2]][,at=before|access][,us=LO[..HI]][,every=N|,prob=P][,vcpu=N][,after=N]
 *	seed=N
 *
 * SYMBOL may be a glob; OFF and OFF2 are bytes, hex with 0x, half open; an OFF alone is that one
 * instruction; neither is the function's head (PLAN_HEAD_BYTES). The rest as in struct amp_site.
 */
#ifndef KLAB_AMPLIFY_PLAN_H
#define KLAB_AMPLIFY_PLAN_H

#include "amplify/page.h"
#include "base/lab.h"
#include "parse/symbols.h"

#define PLAN_HEAD_BYTES 128	/* of a function's head, where its loads of shared state are */
#define PLAN_TEXT_MAX 65536	/* bytes of a plan */
#define PLAN_LINES_MAX 512
#define PLAN_OFFSET_MAX 1048576	/* of a function; parse/symbols.c knows none that is longer */
#define PLAN_COUNT_MAX 1000000000

enum amplify_level {
	AMPLIFY_OFF,
	AMPLIFY_LIGHT,	/* the probe's own symbols, rarely */
	AMPLIFY_AUTO,	/* the probe's own symbols, and what a profile finds (amplify/tuner.h) */
	AMPLIFY_HOST,	/* no plugin: the host's scheduler is what jitters (amplify/jitter.h) */
	AMPLIFY_PLAN,	/* as a plan's text says */
	AMPLIFY__COUNT
};
/* "off", "light", "auto", "host", "plan". */
const char *amplify_level_name(enum amplify_level level);
bool amplify_level_parse(const char *word, enum amplify_level *ret);

/* A user's --amplify: a level's word, "@FILE" (read by the caller first), or a plan's text. */
struct amplify {
	enum amplify_level level;
	char *plan;		/* AMPLIFY_PLAN: its text, one site a line; else NULL */
};
void amplify_clear(struct amplify *a);
/* LAB_ERROR_USAGE names the line, the word and what was wanted. */
bool amplify_parse(const char *word, struct amplify *ret, GError **error);

struct plan_line {
	char *symbol;		/* a name or glob */
	uint64_t lo, hi;	/* offsets; hi 0: the function's head */
	struct amp_site site;	/* lo and hi 0, the rest as written or by default */
};
#define PLAN_SITE_DEFAULT                                                                          \
	((struct amp_site){ .at = AMP_BEFORE, .vcpu = -1, .every = 256, .us_lo = 100, .us_hi = 600 })

struct plan {
	GArray *lines;		/* of struct plan_line */
	bool has_seed;
	uint64_t seed;
};
struct plan *plan_new(void);
void plan_free(struct plan *p);
typedef struct plan plan;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(plan, plan_free)

/* Total and bounded; '\n' and ';' separate. */
bool plan_parse(const char *text, size_t len, struct plan **ret, GError **error);
/* The text with no "seed=", for other runs of the plan. The caller frees it. */
char *plan_without_seed(const char *text);
/* The plan of a level: a line for each of the probe's globs; no lines for off and host. */
struct plan *plan_of_level(enum amplify_level level, const char *const *globs);

/* A plan bound to a kernel. */
struct plan_sites {
	unsigned n;
	struct amp_site site[AMP_SITES_MAX];
	char *names;		/* the symbols hit, space-separated, for the journal; NULL: none */
	char *missing;		/* symbols of the plan that the kernel has not, likewise */
	unsigned dropped;	/* sites beyond AMP_SITES_MAX */
};
void plan_sites_clear(struct plan_sites *s);
/* Bind; symbols NULL: no sites. A symbol's later name and its older one count as one that is there: a
 * probe's globs are alternatives, so `missing` is told only of a user's plan. */
void plan_bind(const struct plan *p, const struct symbols *symbols, struct plan_sites *ret);
/* The text of a plan that makes these sites, by symbol and offset, with `seed`; `comment` (lines,
 * without '#') goes above. Sites whose every is 0 are left out. The caller frees it. */
char *plan_text(const struct amp_site *sites, unsigned n, const struct symbols *symbols, uint64_t seed,
		const char *comment);

#endif
