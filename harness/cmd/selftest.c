// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * klab selftest: provoke faults in real guests and demand the right verdict for each. What passed is
 * remembered until the host boots again, or klab or QEMU change.
 */
#include "cmd/selftest.h"

#include "base/fs.h"
#include "cmd/cmd.h"
#include "run/canary.h"

#include <fnmatch.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SELFTEST_SCHEMA 1
#define SHOWN_MIN 8	/* fewer canaries say too little */

struct selftest {
	struct lab *lab;
	const struct kernel *kernel;
	const char *const *globs;	/* of canaries; NULL: all */
	unsigned jobs;
	bool quiet;			/* no line a canary */
	run *r;				/* a cell a canary, in the order of the table */
	unsigned n, right, wrong, unshown;
	unsigned rounds;		/* before this one: an answer was wrong there */
	int64_t took_us;
	enum sched_end end;
};

static const struct canary *canary_of(const struct cell *cell)
{
	return canary_of_probe(cell->job->probe);
}

static void selftest_clear(struct selftest *t)
{
	run_free(t->r);
}

/* --- what passed already ------------------------------------------------------------------------ */

static char *boot_id(void)
{
	g_autofree char *id = NULL;

	if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &id, NULL, NULL))
		return g_strdup("");
	return g_strdup(g_strstrip(id));
}

/* Names the combination that was tested; a path without its ending, or NULL. */
static char *cache_path(const struct lab *lab, const struct kernel *kernel, GError **error)
{
	g_autofree char *dir = fs_cache_dir("selftest", error);
	g_autofree char *self = lab_self(), *klab = NULL, *boot = boot_id();
	g_autofree char *text = NULL, *digest = NULL;

	klab = dir ? fs_sha256(self, error) : NULL;
	if (!klab)
		return NULL;
	text = g_strdup_printf("%s|%s|%s|%s|%s", klab, lab->engine->sha256, lab->accel,
			       kernel->sha256, boot);
	digest = fs_sha256_bytes(text, strlen(text));
	return g_build_filename(dir, digest, NULL);
}

static char *passed_path(const char *path)
{
	return g_strconcat(path, ".passed", NULL);
}

static bool has_passed(const char *path)
{
	g_autofree char *file = passed_path(path);

	return g_file_test(file, G_FILE_TEST_EXISTS);
}

static bool remember(const char *path, const struct selftest *t, GError **error)
{
	g_autofree char *file = passed_path(path);
	g_autofree char *text = g_strdup_printf("%u canaries of %u\n", t->right, t->n);

	return fs_write(file, text, strlen(text), error);
}

/* --- running ------------------------------------------------------------------------------------ */

static const struct judge_params *judge_params_of(const struct cell *cell, void *user)
{
	static const struct judge_params nothing_known;

	return &nothing_known;
}

static void on_start(const struct cell *cell, const struct job *job, void *user)
{
	const struct canary *c = canary_of(cell);

	progress_say(&cmd_progress, "selftest: %s: %s", c->name, c->summary);
}

static const char *const answers[] = {
	[CANARY_RIGHT] = "right", [CANARY_WRONG] = "wrong", [CANARY_UNSHOWN] = "not shown",
};

static char *given_text(const struct verdict *v)
{
	if (v->title)
		return g_strdup_printf("%s '%s'", verdict_value_name(v->value), v->title);
	if (v->value == VERDICT_INFRA)
		return g_strdup_printf("infra %s", infra_class_name(v->infra));
	return g_strdup(verdict_value_name(v->value));
}

static void on_done(const struct cell *cell, void *user)
{
	struct selftest *t = user;
	const struct canary *c = canary_of(cell);
	enum canary_answer answer = canary_check(c, &cell->verdict.v);
	g_autofree char *given = given_text(&cell->verdict.v), *line = NULL;

	t->right += answer == CANARY_RIGHT;
	t->wrong += answer == CANARY_WRONG;
	t->unshown += answer == CANARY_UNSHOWN;
	if (t->quiet && answer == CANARY_RIGHT)
		return;
	line = g_strdup_printf("%-9s %-13s %s", answers[answer], c->name, given);
	cmd_line(line);
	if (answer == CANARY_RIGHT)
		return;
	g_free(line);
	line = g_strdup_printf("%-9s %-13s wanted %s: %s", "", "", canary_wanted(c),
			       cell->verdict.v.reason);
	cmd_line(line);
}

static bool is_asked(const struct selftest *t, const struct canary *c)
{
	bool asked = !t->globs || !*t->globs;

	for (const char *const *glob = t->globs; !asked && *glob; glob++)
		asked = fnmatch(*glob, c->name, 0) == 0;
	return asked;
}

static bool plan_cells(struct selftest *t, const char *dir, GError **error)
{
	const struct plan_options options = {
		.smp = CANARY_VCPUS,
		.seed = 1,
		.amplify = AMPLIFY_OFF,
		.accel = t->lab->accel,
		.engine = t->lab->engine,
		.agent_sha256 = t->lab->agent,
	};

	t->r = run_new(dir, 0.5);
	for (const struct canary *c = canary_all(); c->name; c++) {
		struct probe_info *probe;
		struct cell *cell;

		if (!is_asked(t, c))
			continue;
		probe = canary_probe_new(c);
		/* what is provoked on purpose needs no second opinion */
		cell = run_add_cell(t->r, t->kernel, probe, &options);
		cell->foretold = true;
		cell->once = c->value == VERDICT_INFRA;
		probe_info_free(probe);
	}
	t->n = t->r->cells->len;
	if (!t->n)
		return lab_fail(error, LAB_ERROR_USAGE, "no canary matches '%s'\n"
				"hint: 'klab selftest --list' lists them", t->globs[0]);
	return fs_mkdir(dir, error) && run_save(t->r, error);
}

static bool execute_all(struct selftest *t, const char *dir, GError **error)
{
	g_autofree char *self = lab_self();
	const struct sched_params params = {
		.self = self,
		.jobs = MIN(t->jobs, t->n),
		.judge_params = judge_params_of,
		.on_start = on_start,
		.on_done = on_done,
		.user = t,
	};
	int64_t start_us = g_get_monotonic_time();
	bool ok = sched_run(t->r, &params, &t->end, error);

	t->took_us = g_get_monotonic_time() - start_us;
	return ok;
}

static bool is_passed(const struct selftest *t)
{
	return t->end == SCHED_DONE && !t->wrong && t->right >= SHOWN_MIN;
}

/* A run in the cache folder, kept until the next one; `path` as of cache_path(). */
static bool run_cached(struct selftest *t, const char *path, const char *out, GError **error)
{
	g_autofree char *dir = out ? g_canonicalize_filename(out, NULL) :
				     g_strconcat(path, ".run", NULL);

	if (!out && !fs_remove(dir, error))
		return false;
	if (!plan_cells(t, dir, error) || !execute_all(t, dir, error))
		return false;
	return !is_passed(t) || (t->globs && *t->globs) || remember(path, t, error);
}

/*
 * A host that others keep busy may turn the words of an answer: the whole is done again, a guest at a
 * time, and that second answer stands. Its journals go beside the first round's.
 */
static bool run_rounds(struct selftest *t, const char *path, const char *out, GError **error)
{
	g_autofree char *again = out ? g_strconcat(out, ".again", NULL) : NULL;

	if (!run_cached(t, path, out, error))
		return false;
	if (!t->wrong || t->end != SCHED_DONE)
		return true;
	progress_say(&cmd_progress, "selftest: a wrong answer; all again, one guest at a time");
	selftest_clear(t);
	*t = (struct selftest){ .lab = t->lab, .kernel = t->kernel, .globs = t->globs, .jobs = 1,
				.quiet = t->quiet, .rounds = 1 };
	return run_cached(t, path, again, error);
}

/* --- for klab run ------------------------------------------------------------------------------- */

/* The first answer that was wrong, or else the first that was not given. */
static char *name_trouble(const struct selftest *t)
{
	const enum canary_answer order[] = { CANARY_WRONG, CANARY_UNSHOWN };

	for (size_t k = 0; k < G_N_ELEMENTS(order); k++)
		for (guint i = 0; i < t->r->cells->len; i++) {
			const struct cell *cell = t->r->cells->pdata[i];
			const struct canary *c = canary_of(cell);
			g_autofree char *wanted = canary_wanted(c);
			g_autofree char *given = given_text(&cell->verdict.v);

			if (cell->done && canary_check(c, &cell->verdict.v) == order[k])
				return g_strdup_printf(
					"the self-test failed: canary '%s' wants %s, and got %s",
					c->name, wanted, given);
		}
	return g_strdup("the self-test was stopped");
}

static bool prepare(struct selftest *t, kernel **ret_kernel, char **ret_path, GError **error)
{
	if (!lab_proof_kernel(t->lab, &cmd_progress, ret_kernel, error))
		return lab_prefix(error, "kernel for the self-test");
	t->kernel = *ret_kernel;
	*ret_path = cache_path(t->lab, t->kernel, error);
	return *ret_path != NULL;
}

/* NULL when all is well. */
static char *find_trouble(struct selftest *t)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(kernel) k = NULL;
	g_autofree char *path = NULL;

	if (prepare(t, &k, &path, &error)) {
		if (has_passed(path))
			return NULL;
		progress_say(&cmd_progress, "selftest: provoking faults to see that they are found "
			     "(about a minute, once a boot of this host)");
		if (run_rounds(t, path, NULL, &error))
			return is_passed(t) ? NULL : name_trouble(t);
	}
	return g_strdup_printf("the self-test could not run: %s", error->message);
}

bool selftest_ensure(struct lab *lab, unsigned jobs, GError **error)
{
	struct selftest t = { .lab = lab, .jobs = MAX(jobs, MIN(g_get_num_processors(), 2)),
			      .quiet = true };
	struct job_host *host = lab->host;
	bool ok;

	if (lab->engine_trouble)
		return true;	/* nothing it says will count anyway */
	/* faults are provoked over a debugger's socket, which libvirt does not pass on; the detectors
	 * are the same */
	if (host && host->remote)
		return true;
	lab->host = NULL;
	lab->engine_trouble = find_trouble(&t);
	lab->host = host;
	ok = t.end != SCHED_INTERRUPTED ||
	     lab_fail(error, LAB_ERROR_INTERRUPTED, "interrupted in the self-test");
	if (t.r)
		selftest_clear(&t);
	return ok;
}

/* --- the command -------------------------------------------------------------------------------- */

struct options {
	gboolean json, list;
	char *kernel, *qemu, *accel, *out;
	char **canaries;
	int jobs;
};

static json_t *wants_json(const struct canary *c)
{
	json_t *wants = json_array();

	for (size_t i = 0; i < G_N_ELEMENTS(c->want) && c->want[i].kind != KIND_NONE; i++)
		json_array_append_new(wants, json_pack("{s:s, s:s?}", "kind",
						       verdict_kind_name(c->want[i].kind), "title",
						       c->want[i].title));
	return wants;
}

static json_t *cell_json(const struct selftest *t, const struct cell *cell)
{
	const struct canary *c = canary_of(cell);
	const struct verdict *v = &cell->verdict.v;
	g_autofree char *dir = run_job_dir(t->r, cell, 0);

	if (!cell->done)
		return json_pack("{s:s, s:s, s:s, s:n, s:s}", "name", c->name, "summary",
				 c->summary, "wanted", verdict_value_name(c->value), "given",
				 "answer", "not shown");
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s?, s:s, s:s, s:s, s:s}", "name",
			 c->name, "summary", c->summary, "by", c->by, "wanted",
			 verdict_value_name(c->value), "wanted_one_of", wants_json(c), "given",
			 verdict_value_name(v->value), "given_kind", verdict_kind_name(v->kind),
			 "given_title", v->title, "given_infra", infra_class_name(v->infra),
			 "reason", v->reason, "answer", answers[canary_check(c, v)], "job", dir);
}

static bool print_json(const struct selftest *t, GError **error)
{
	json_t *list = json_array(), *root;
	g_autofree char *line = NULL;
	char *text;

	for (guint i = 0; i < t->r->cells->len; i++)
		json_array_append_new(list, cell_json(t, t->r->cells->pdata[i]));
	root = json_pack("{s:i, s:s, s:s, s:s, s:b, s:i, s:i, s:i, s:i, s:f, s:o}", "schema",
			 SELFTEST_SCHEMA, "kernel", t->kernel->id, "engine",
			 t->lab->engine->version, "accel", t->lab->accel, "passed",
			 !t->wrong && !t->unshown && t->right == t->n, "right", (int)t->right,
			 "wrong", (int)t->wrong, "not_shown", (int)t->unshown,
			 "rounds_before", (int)t->rounds, "took_s", t->took_us / 1e6, "canaries", list);
	text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	line = g_strconcat(text, "\n", NULL);
	free(text);
	return cmd_output("-", line, strlen(line), error);
}

static void print_table(const struct selftest *t)
{
	printf("%-13s %-9s %-9s %s\n", "canary", "by", "answer", "wanted / given");
	for (guint i = 0; i < t->r->cells->len; i++) {
		const struct cell *cell = t->r->cells->pdata[i];
		const struct canary *c = canary_of(cell);
		g_autofree char *wanted = canary_wanted(c), *given = NULL;

		if (!cell->done)
			continue;
		given = given_text(&cell->verdict.v);
		printf("%-13s %-9s %-9s %s\n%-33s %s\n", c->name, c->by,
		       answers[canary_check(c, &cell->verdict.v)], wanted, "", given);
	}
	printf("\n%u right, %u wrong, %u not shown of %u canaries on %s, QEMU %s, %.0f s\n"
	       "%sjournals: %s\n",
	       t->right, t->wrong, t->unshown, t->n, t->kernel->id, t->lab->engine->version,
	       t->took_us / 1e6,
	       t->rounds ? "second round: the first, on a shared host, had a wrong answer\n" : "",
	       t->r->dir);
}

static int print_list(void)
{
	for (const struct canary *c = canary_all(); c->name; c++) {
		g_autofree char *wanted = canary_wanted(c);

		printf("%-13s %s\n%-13s wants %s\n", c->name, c->summary, "", wanted);
	}
	return EXIT_CLEAN;
}

static bool fetch_kernel(struct lab *lab, const char *glob, kernel **ret, GError **error)
{
	const char *const globs[] = { glob, NULL };
	g_autoptr(GPtrArray) specs = NULL;

	if (!glob)
		return lab_proof_kernel(lab, &cmd_progress, ret, error);
	if (!matrix_select(lab->matrix, globs, &specs, error))
		return false;
	if (specs->len != 1)
		return lab_fail(error, LAB_ERROR_USAGE, "'%s' names %u kernels, one is wanted",
				glob, specs->len);
	return kernel_fetch(specs->pdata[0], &cmd_progress, ret, error);
}

/* Not shown for a failure of the lab; a kernel that cannot show one is no failure. */
static bool lab_failed(const struct selftest *t)
{
	for (guint i = 0; i < t->r->cells->len; i++) {
		const struct cell *cell = t->r->cells->pdata[i];
		const struct verdict *v = &cell->verdict.v;

		if (!cell->done || (v->value == VERDICT_INFRA &&
				    canary_check(canary_of(cell), v) == CANARY_UNSHOWN))
			return true;
	}
	return false;
}

static int exit_of(const struct selftest *t)
{
	if (t->end == SCHED_INTERRUPTED)
		return EXIT_INTERRUPTED;
	if (t->wrong)
		return EXIT_AFFECTED;
	return lab_failed(t) || !t->right ? EXIT_INFRA : EXIT_CLEAN;
}

static int execute(const struct options *o, GError **error)
{
	const struct lab_params params = { .qemu = o->qemu, .accel = o->accel };
	g_autoptr(lab) lab = NULL;
	g_autoptr(kernel) k = NULL;
	g_autofree char *path = NULL;
	struct selftest t = { .globs = (const char *const *)o->canaries, .jobs = o->jobs };
	int code = EXIT_INFRA;

	if (!lab_open(&params, &lab, error) || !fetch_kernel(lab, o->kernel, &k, error) ||
	    !lab_open_engine(lab, &params, &cmd_progress, error))
		return code;
	t.lab = lab;
	t.kernel = k;
	path = cache_path(lab, k, error);
	if (path && run_rounds(&t, path, o->out, error)) {
		code = exit_of(&t);
		if (!o->json)
			print_table(&t);
		else if (!print_json(&t, error))
			code = EXIT_INFRA;
	}
	if (t.r)
		selftest_clear(&t);
	return code;
}

static bool check_options(const struct options *o, int argc, char **argv, GError **error)
{
	g_autofree char *plan = o->out ? g_build_filename(o->out, "run.json", NULL) : NULL;

	if (argc > 1)
		return lab_fail(error, LAB_ERROR_USAGE, "unexpected operand '%s'\n"
				"hint: canaries are named with --canary", argv[1]);
	if (plan && g_file_test(plan, G_FILE_TEST_EXISTS))
		return lab_fail(error, LAB_ERROR_USAGE, "'%s' holds a run already", o->out);
	return (o->jobs >= 1 && o->jobs <= 64) ||
	       lab_fail(error, LAB_ERROR_USAGE, "--jobs is %d, wants 1..64", o->jobs);
}

static const char epilog[] =
	"Faults are provoked for real, by the guest's agent or from outside by setting registers of "
	"vCPUs; nothing is built into a kernel for that, so any kernel will do. 'klab run' does this "
	"by itself before a run of more than one cell, once a boot of the host, and its verdicts are "
	"infra where an answer is wrong (--no-selftest: not).\n\n"
	"After a wrong answer all are asked again, one guest at a time: that second answer stands.\n\n"
	"Exit codes: 0 as expected, 1 a wrong answer, 2 usage, 3 could not run, 130 interrupted. A "
	"canary that this kernel cannot show is told, and is no wrong answer.\n\n"
	"Examples:\n"
	"  klab selftest\n"
	"  klab selftest --canary oops --canary quiet --json\n"
	"  klab selftest --kernel file:bzImage,id=mine";

static int run_command(int argc, char **argv)
{
	struct options o = { .jobs = MIN(g_get_num_processors(), 2) };
	g_autoptr(GError) error = NULL;
	const GOptionEntry entries[] = {
		{ "canary", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o.canaries,
		  "Canaries by name; repeatable (default: all)", "GLOB" },
		{ "list", 0, 0, G_OPTION_ARG_NONE, &o.list, "List the canaries and what they want",
		  NULL },
		{ "kernel", 'k', 0, G_OPTION_ARG_STRING, &o.kernel,
		  "Kernel by id, or file:PATH[,id=NAME] (default: the pinned Debian bookworm)",
		  "KERNEL" },
		{ "jobs", 'j', 0, G_OPTION_ARG_INT, &o.jobs,
		  "Guests at once (default: 2, or 1 on one processor)", "N" },
		{ "qemu", 0, 0, G_OPTION_ARG_FILENAME, &o.qemu, "QEMU binary to use", "PATH" },
		{ "accel", 0, 0, G_OPTION_ARG_STRING, &o.accel, "auto, tcg, kvm (default: auto)",
		  "ACCEL" },
		{ "out", 'o', 0, G_OPTION_ARG_FILENAME, &o.out,
		  "Folder for the journals (default: in the cache)", "DIR" },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &o.json,
		  "Print JSON: each canary with wanted and given verdict", NULL },
		{ NULL },
	};
	int code;

	if (cmd_parse(&argc, &argv, "",
		      "Do the detectors detect? Provoke faults in guests and demand the right "
		      "verdict for each.", entries, epilog, &code)) {
		if (check_options(&o, argc, argv, &error))
			code = o.list ? print_list() : execute(&o, &error);
		if (error)
			code = cmd_error("selftest", error);
	}
	g_free(o.kernel);
	g_free(o.qemu);
	g_free(o.accel);
	g_free(o.out);
	g_strfreev(o.canaries);
	return code;
}

const struct command command_selftest = {
	.name = "selftest",
	.summary = "do the detectors detect: provoke faults, demand the right verdicts",
	.run = run_command,
};
