/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kbisect's commands share: a bisection in a folder, and how a kernel is tested.
 *
 *	request.json	what was asked, for --resume
 *	range.json	the range (bisect/range.h)
 *	log.jsonl	what happened (bisect/state.h): append only, a record is on the disk before the
 *			next step
 *	verify.patch	the answer, to be taken out of the bad end or put into it
 *	commits/	after builds: the bisection of the commits between two of them, a folder like this
 *	tests/		the tests' runs: journals, as klab run makes them; or what a command printed
 *	report.md, posterior.svg
 */
#ifndef KLAB_CMD_BISECT_H
#define KLAB_CMD_BISECT_H

#include "bisect/state.h"
#include "cmd/cmd.h"
#include "cmd/lab.h"
#include "run/evidence.h"

#define BISECT_PATCHED_REF "refs/klab/patched"	/* in the clone: the bad end with verify.patch */

struct bisect_request {
	char *git;		/* repository, or NULL: kernels of the catalogue */
	char *good, *bad;	/* commits or kernels; of a fix: `good` is the newer one */
	char **kernels;		/* in order, or NULL */
	gboolean fix, first_parent, check_ends, verify;
	gboolean unsure;	/* nobody has seen the bad end fail */
	char **paths, **suspects;
	char *command;		/* of the user's, or NULL: a probe */
	gboolean images;	/* kernels are built, or pulled, for the command */
	char *probe, *amplify, *signature;
	char *prebuild;		/* "auto" (NULL), "yes", "no" */
	char *config_fragment, *compiler, *config, *connect;
	int smp, memory, duration, jobs, timeout;
	gint64 seed;
	double confidence;
	double build_s, boot_s;	/* guesses */
};
void bisect_request_clear(struct bisect_request *req);
json_t *bisect_request_json(const struct bisect_request *req);
bool bisect_request_parse(const json_t *json, struct bisect_request *ret, GError **error);

struct bisect_session {
	char *dir;
	struct bisect_request req;
	struct bisect_range *range;
	struct bisect_state *state;
	struct lab *lab;	/* of a probe; NULL: a command's, or not opened */
	int log, lock;		/* -1: read only */
	pid_t builder;		/* builds ahead; 0: none does */
};
typedef struct bisect_session bisect_session;
void bisect_session_free(struct bisect_session *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bisect_session, bisect_session_free)

/* Make the folder with request, range and a log that has begun. The two are taken over. */
bool bisect_session_create(const char *dir, struct bisect_request *req, struct bisect_range *range,
			   struct bisect_session **ret, GError **error);
/* Read a folder; with `writes`, to go on: nobody else may (LAB_ERROR_USAGE), and a torn last line
 * goes. NULL is the newest in results/. */
bool bisect_session_open(const char *dir, bool writes, struct bisect_session **ret, GError **error);
/* Append an event, durably, and take it in; `json` is consumed. */
bool bisect_session_log(struct bisect_session *s, json_t *json, GError **error);

/* A test to be done, and what it gave. */
struct bisect_try {
	unsigned test, node;
	bool patched;		/* of the check: the bad end with verify.patch */
	double length;
	enum bisect_outcome outcome;
	double had, seconds;
	char *title, *hazard, *why, *dir, *plan;
};
void bisect_try_clear(struct bisect_try *t);

/* How kernels are tested: one interface, whoever does it. */
struct bisect_tester {
	/* Have the kernel; its sha256 in *ret (NULL: this tester needs none). LAB_ERROR_INPUT: it cannot
	 * be built, which is an answer about this kernel; other errors end the bisection. */
	bool (*make)(struct bisect_session *s, unsigned node, bool patched, char **ret_sha256,
		     GError **error);
	/* Do `n` tests, at once as far as it can; all are answered when it returns true.
	 * LAB_ERROR_INTERRUPTED: some are not (OUTCOME_LOST). */
	bool (*run)(struct bisect_session *s, struct bisect_try *tries, unsigned n, GError **error);
};
extern const struct bisect_tester bisect_tester_command, bisect_tester_probe;
/* What a job's outcome says: fills all of `t` but its test, node, length and seconds (bisect_judge.c). */
void bisect_judge(const struct bisect_state *state, const char *signature,
		  const struct outcome *o, struct bisect_try *t);

/* The kernel of a node, made or fetched; with `patched` it has verify.patch in it. */
bool bisect_kernel(struct bisect_session *s, unsigned node, bool patched, struct kernel **ret,
		   GError **error);
/* The same as struct bisect_tester's make(). */
bool bisect_make(struct bisect_session *s, unsigned node, bool patched, char **ret_sha256,
		 GError **error);
/* A clone that shares its objects with the repository, in the session's folder; the caller frees the
 * path. NULL: an error. */
char *bisect_clone(const struct bisect_session *s, GError **error);
/* Write down, do and write down `n` tests whose nodes and lengths are set; *lost counts those in a row
 * that said nothing, and too many are an error. The caller clears them. */
bool bisect_tests(struct bisect_session *s, struct bisect_try *tries, unsigned n, unsigned *lost,
		  GError **error);
const struct bisect_tester *bisect_tester_of(const struct bisect_session *s);

/* Once the bad end has failed: the changes that touch what its title names (bisect_suspects.c). */
bool bisect_suspect(struct bisect_session *s, GError **error);
/* Is the answer right? The bad end without the change, or with the fix, must survive
 * (bisect_verify.c). */
bool bisect_verify(struct bisect_session *s, const struct bisect_step *step, GError **error);
/*
 * On a terminal a board tells what is done while it takes its time: `n` tests of a phase, or kernels that
 * are made for them. Nothing of `s` is looked at in between.
 */
void bisect_tell_begin(const struct bisect_session *s, const char *phase,
		       const struct bisect_test *tests, unsigned n, bool making);
void bisect_tell_end(void);
/* What it will take, as text or JSON; `step` is what comes next. The caller frees. */
char *bisect_tell_plan(const struct bisect_session *s, const struct bisect_step *step, bool json);
/* The commits between two ends. */
bool bisect_range_of_commits(const struct bisect_request *req, struct bisect_range **ret,
			     GError **error);
/*
 * After builds, where one was found and a tree is given: the bisection of its commits, begun or gone on
 * with, which takes the lab over; or *ret_why: they cannot be told. The caller frees either.
 */
bool bisect_commits_open(struct bisect_session *s, const struct bisect_step *step,
			 struct bisect_session **ret, char **ret_why, GError **error);
/* What its answer says of the builds; the caller frees. */
char *bisect_commits_said(const struct bisect_session *s, const struct bisect_step *step);
/*
 * Build ahead what is likely to be tested after the tests under way, unless the guests need all host
 * CPUs (or as --prebuild says). Before another kernel is built, the builder must yield.
 */
void bisect_prebuild_start(struct bisect_session *s);
void bisect_prebuild_yield(struct bisect_session *s, unsigned node);
void bisect_prebuild_stop(struct bisect_session *s);
/* From the log to the answer, telling each step; *ret is the last one. */
bool bisect_work(struct bisect_session *s, struct bisect_step *ret, GError **error);

#endif
