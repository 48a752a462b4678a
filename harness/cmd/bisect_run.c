// SPDX-License-Identifier: GPL-2.0-or-later
/* kbisect run: find the change, from the range to the answer. */
#include "cmd/bisect.h"
#include "cmd/lab_host.h"

#include "base/fs.h"
#include "kernel/git_repo.h"
#include "report/bisect.h"

#include <stdio.h>
#include <string.h>

#define LIST_MAX (1u << 20)
#define SHOWN_MAX (256u << 10)
#define BUILD_S 120.0
#define DOWNLOAD_S 20.0
#define BOOT_S 8.0
#define REPORT_MAX (64u << 20)

static const char epilog[] =
	"Examples:\n"
	"  kbisect run --git linux --good v6.1.1 --bad v6.1.9 --probe text-poke\n"
	"  kbisect run --git linux --broken v6.1.1 --fixed v6.1.30 --probe nmi-user-read\n"
	"  kbisect run --good debian-6.1.0-47 --bad debian-6.1.0-55 --kernels 'debian-6.1.*' -p perf-nmi\n"
	"  kbisect run --good debian-6.1.0-47 --bad debian-6.1.0-55 --kernels 'debian-6.1.*' -p perf-nmi \\\n"
	"    --git linux-stable                    builds, then the commits between two of them\n"
	"  kbisect run --git . --good v1 --bad HEAD --cmd './test.sh' --verify\n"
	"  kbisect run --resume results/bisect-20261122-101500\n\n"
	"A command is judged as by git bisect run: 0 good, 1 to 127 bad, 125 cannot be tested, more ends\n"
	"it; but one good is not for ever. It runs in a clone that has the commit checked out;\n"
	"KBISECT_COMMIT or KBISECT_KERNEL names it, with --images KBISECT_IMAGE is its bzImage.\n\n"
	"Exit codes: 0 one change found, 2 usage, 3 the lab failed (--resume goes on), 4 no single change:\n"
	"several, older than the range, noise, too rare, or one that --verify refuted; 130 interrupted.";

struct options {
	struct bisect_request req;
	char *broken, *fixed, *list, *out, *resume;
	gboolean dry_run, json;
};

/* --- options ------------------------------------------------------------------------------------ */

/* With builds and a tree it begins with the builds. */
static bool is_of_commits(const struct options *o)
{
	return o->req.git && !o->req.kernels && !o->list;
}

static bool check(struct options *o, GError **error)
{
	struct bisect_request *r = &o->req;

	if ((o->broken || o->fixed) && (r->good || r->bad))
		return lab_fail(error, LAB_ERROR_USAGE,
				"--good and --bad look for what broke it, --broken and --fixed for "
				"what mended it: not both");
	if (!r->command == !r->probe)
		return lab_fail(error, LAB_ERROR_USAGE,
				"how is a kernel tested?\nhint: --probe NAME ('klab probes' lists them) "
				"or --cmd COMMAND");
	if (r->verify && !r->git)
		return lab_fail(error, LAB_ERROR_USAGE,
				"--verify takes a commit out of a tree: there is none without --git");
	if (r->connect && !r->probe)
		return lab_fail(error, LAB_ERROR_USAGE, "--connect goes with --probe: a command of "
				"yours starts its own guests");
	if (r->command && !is_of_commits(o) && !r->images)
		r->images = true;	/* what else is there to look at? */
	if (r->confidence < 0.5 || r->confidence > 0.9999)
		return lab_fail(error, LAB_ERROR_USAGE, "--confidence must be between 0.5 and 0.9999");
	if (r->prebuild && !g_strv_contains((const char *const[]){ "auto", "yes", "no", NULL },
					    r->prebuild))
		return lab_fail(error, LAB_ERROR_USAGE, "--prebuild is auto, yes or no");
	return (r->jobs >= 1 && r->jobs <= 64 && r->smp >= 0 && r->duration >= 0 &&
		r->memory >= 0 && r->timeout >= 0) ||
	       lab_fail(error, LAB_ERROR_USAGE, "--jobs wants 1 to 64, other numbers 0 or more");
}

/* A fix is looked for from the broken end to the fixed one. */
static bool take_ends(struct options *o, GError **error)
{
	struct bisect_request *r = &o->req;

	if (o->broken || o->fixed) {
		r->fix = true;
		r->good = g_steal_pointer(&o->fixed);
		r->bad = g_steal_pointer(&o->broken);
	}
	return (r->good && r->bad) || r->kernels || o->list ||
	       lab_fail(error, LAB_ERROR_USAGE,
			"a range has two ends\nhint: --good and --bad, or --broken and --fixed");
}

/* --- ranges ------------------------------------------------------------------------------------- */

bool bisect_range_of_commits(const struct bisect_request *r, struct bisect_range **ret,
			     GError **error)
{
	struct history_params params = { .path = r->git,
					 .from = r->fix ? r->bad : r->good,
					 .to = r->fix ? r->good : r->bad,
					 .first_parent = r->first_parent,
					 .paths = (const char *const *)r->paths };
	g_autoptr(history) h = NULL;

	return git_history(&params, &cmd_progress, &h, error) &&
	       bisect_range_commits(h, r->fix, (const char *const *)r->suspects, ret, error);
}

/* A line a kernel, in order; '#' begins a comment. */
static bool read_list(const char *path, char ***ret, GError **error)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	GPtrArray *list;
	size_t len;

	if (!fs_read(path, LIST_MAX, &text, &len, error))
		return false;
	lines = g_strsplit(text, "\n", -1);
	list = g_ptr_array_new();
	for (char **line = lines; *line; line++) {
		line[0][strcspn(*line, "#\r")] = '\0';
		if (*g_strstrip(*line))
			g_ptr_array_add(list, g_strdup(*line));
	}
	g_ptr_array_add(list, NULL);
	*ret = (char **)g_ptr_array_free(list, FALSE);
	return true;
}

/* The catalogue's order is the order in which builds came out. */
static bool kernels_between(struct lab *lab, const struct bisect_request *r, char ***ret,
			    GError **error)
{
	const char *from = r->fix ? r->bad : r->good, *to = r->fix ? r->good : r->bad;
	g_autoptr(GPtrArray) specs = NULL, ids = g_ptr_array_new_with_free_func(g_free);
	bool in = !from, ended = false;

	if (!matrix_select(lab->matrix, (const char *const *)r->kernels, &specs, error))
		return false;
	for (guint i = 0; i < specs->len && !ended; i++) {
		const struct kernel_spec *spec = specs->pdata[i];

		in = in || !strcmp(spec->id, from);
		ended = to && !strcmp(spec->id, to);
		if (in)
			g_ptr_array_add(ids, g_strdup(spec->id));
	}
	if (!in || (to && !ended))
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s' and '%s' are not, in this order, among the kernels that --kernels "
				"names", from, to);
	g_ptr_array_add(ids, NULL);
	*ret = g_strdupv((char **)ids->pdata);
	return true;
}

static bool range_of_kernels(const struct options *o, struct lab *lab, struct bisect_range **ret,
			     GError **error)
{
	g_auto(GStrv) ids = NULL;

	if (!o->list && !o->req.kernels)
		return lab_fail(error, LAB_ERROR_USAGE,
				"what lies between the two?\nhint: --git REPOSITORY for commits, --kernels "
				"GLOB or --list FILE for builds in order");
	if (!(o->list ? read_list(o->list, &ids, error) :
			kernels_between(lab, &o->req, &ids, error)))
		return false;
	return bisect_range_kernels((const char *const *)ids, o->req.fix, ret, error);
}

/* --- the lab ------------------------------------------------------------------------------------ */

static bool open_lab(const struct bisect_request *r, struct lab **ret, GError **error)
{
	struct lab_params params = { .accel = "auto", .prove = true, .kernels_file = r->config,
				     .connect = r->probe ? r->connect : NULL };
	const char *const names[] = { r->probe, NULL };
	g_autoptr(lab) lab = NULL;
	g_autoptr(GPtrArray) probes = NULL;

	if (!lab_open(&params, &lab, error) ||
	    (r->probe && (!probes_select(lab->probes, names, &probes, error) ||
			  !lab_open_engine(lab, &params, &cmd_progress, error))))
		return false;
	if (lab->engine_trouble)
		return lab_fail(error, LAB_ERROR_UNAVAILABLE, "%s", lab->engine_trouble);
	lab->quiet = true;	/* a line a test is told here */
	*ret = g_steal_pointer(&lab);
	return true;
}

static void fill_defaults(struct options *o, const struct lab *lab)
{
	struct bisect_request *r = &o->req;
	const char *const names[] = { r->probe, NULL };
	g_autoptr(GPtrArray) probes = NULL;

	if (r->probe && !r->duration && probes_select(lab->probes, names, &probes, NULL) && probes->len)
		r->duration = ((struct probe_info *)probes->pdata[0])->duration_s;
	if (r->build_s <= 0)
		r->build_s = !is_of_commits(o) || !(r->probe || r->images) ? DOWNLOAD_S : BUILD_S;
	if (r->boot_s <= 0)
		r->boot_s = r->probe ? BOOT_S : 0;
}

/* --- telling ------------------------------------------------------------------------------------ */

static bool write_report(struct bisect_session *s, const struct bisect_step *step, GError **error);

static int exit_of(const struct bisect_session *s, const struct bisect_step *step)
{
	return step->answer == BISECT_FOUND && bisect_state_verdict(s->state) != VERIFY_REFUTED ?
		       EXIT_CLEAN : EXIT_UNSURE;
}

static json_t *as_json(const struct bisect_session *s, const struct bisect_step *step)
{
	json_t *json = bisect_json(s->range, s->state, step);

	json_object_set_new(json, "dir", json_string(s->dir));
	return json;
}

static bool print_json(json_t *json, GError **error)
{
	char *raw = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
	g_autofree char *dump = g_strconcat(raw, "\n", NULL);

	free(raw);
	json_decref(json);
	return cmd_output("-", dump, strlen(dump), error);
}

static bool print(const struct options *o, const struct bisect_session *s,
		  const struct bisect_step *step, GError **error)
{
	g_autofree char *text = NULL;

	if (o->json)
		return print_json(as_json(s, step), error);
	text = bisect_text(s->range, s->state, step);
	printf("%s", text);
	printf("report: %s/report.md\n", s->dir);
	return true;
}

static bool foretell(const struct options *o, struct bisect_session *s, GError **error)
{
	struct bisect_step step = bisect_state_next(s->state, NULL, 0, NULL);
	g_autofree char *text = NULL;

	if (step.phase == BISECT_DONE)
		return print(o, s, &step, error);
	text = bisect_tell_plan(s, &step, o->json);
	return cmd_output("-", text, strlen(text), error);
}

/* The posterior after each test comes from the log, read once more. */
static bool draw(struct bisect_session *s, char **ret, GError **error)
{
	g_autofree char *path = g_build_filename(s->dir, "log.jsonl", NULL), *log = NULL;
	g_autoptr(bisect_state) state = bisect_state_new(s->range, s->req.build_s, s->req.boot_s);
	g_autoptr(bisect_picture) picture = bisect_picture_new(s->range);
	g_auto(GStrv) lines = NULL;
	size_t len;

	if (!fs_read(path, 256u << 20, &log, &len, error))
		return false;
	lines = g_strsplit(log, "\n", -1);
	for (char **line = lines; *line && line[1]; line++) {
		g_autofree char *whole = g_strconcat(*line, "\n", NULL);

		if (!bisect_replay(state, whole, strlen(whole), error))
			return false;
		if (state->begun && strstr(*line, "\"ev\":\"end\""))
			bisect_picture_add(picture, state);
	}
	*ret = bisect_picture_svg(picture);
	return true;
}

/* Who made the change, why, and in which files: NULL where there is none, or no repository any more. */
static char *show_change(const struct bisect_session *s, const struct bisect_step *step)
{
	const char *id = s->range->changes[step->change].id;
	const char *const args[] = { "show", "--no-color", "--stat=90", "--stat-count=40",
				     "--diff-merges=first-parent",
				     "--format=commit %H%nAuthor: %an <%ae>%nDate:   %aI%n%n%B", id,
				     NULL };

	return s->range->commits && step->answer == BISECT_FOUND ?
		       git_ask(s->req.git, args, SHOWN_MAX, NULL) : NULL;
}

static bool write_report(struct bisect_session *s, const struct bisect_step *step, GError **error)
{
	const struct bisect_request *r = &s->req;
	g_autofree char *from = bisect_range_name(s->range, s->range->n);
	g_autofree char *to = bisect_range_name(s->range, s->range->n - 1);
	g_autofree char *report = g_build_filename(s->dir, "report.md", NULL);
	g_autofree char *picture = g_build_filename(s->dir, "posterior.svg", NULL);
	g_autofree char *title = g_strdup_printf("%s, %s to %s", r->probe ? r->probe : r->command,
						 from, to);
	g_autofree char *svg = NULL, *text = NULL, *shown = show_change(s, step);

	if (!draw(s, &svg, error))
		return false;
	text = bisect_markdown(s->range, s->state, step, title, "posterior.svg", shown);
	return fs_write(picture, svg, strlen(svg), error) &&
	       fs_write(report, text, strlen(text), error);
}

/* --- the command -------------------------------------------------------------------------------- */

static char *fresh_dir(const char *asked)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();

	return asked ? g_strdup(asked) : g_date_time_format(now, "results/bisect-%Y%m%d-%H%M%S");
}

static bool begin(struct options *o, struct bisect_session **ret, GError **error)
{
	g_autofree char *dir = fresh_dir(o->out);
	g_autoptr(lab) lab = NULL;
	struct bisect_range *range = NULL;

	if (!check(o, error) || !take_ends(o, error))
		return false;
	if (o->req.git) {
		char *whole = g_canonicalize_filename(o->req.git, NULL);

		g_free(o->req.git);
		o->req.git = whole;
	}
	if ((o->req.probe || o->req.images) && !open_lab(&o->req, &lab, error))
		return false;
	fill_defaults(o, lab);
	if (!(is_of_commits(o) ? bisect_range_of_commits(&o->req, &range, error) :
				 range_of_kernels(o, lab, &range, error)))
		return false;
	/* nobody has seen what stands for an end: a good one is tested, a bad one fails soon or not */
	o->req.check_ends |= range->beside != NULL;
	o->req.unsure = range->beside && range->fix;
	if (!bisect_session_create(dir, &o->req, range, ret, error))
		return false;
	(*ret)->lab = g_steal_pointer(&lab);
	return true;
}

static bool go_on(const struct options *o, struct bisect_session **ret, GError **error)
{
	g_autoptr(bisect_session) s = NULL;

	if (!bisect_session_open(o->resume, true, &s, error))
		return false;
	s->req.verify |= o->req.verify;
	if (((s->req.probe || s->req.images) && !open_lab(&s->req, &s->lab, error)))
		return false;
	*ret = g_steal_pointer(&s);
	return true;
}

/* As git bisect does with ends that are not one behind the other. */
static void tell_parting(const struct bisect_range *r)
{
	g_autofree char *base = NULL, *line = NULL;

	if (!r->beside)
		return;
	base = bisect_range_name(r, r->n);
	line = g_strdup_printf("%.12s is not in the history of %.12s: %s, where they parted, stands for it "
			       "and is tested first", r->beside, r->changes[r->n - 1].id, base);
	cmd_line(line);
}

static void tell_range(const struct bisect_session *s)
{
	g_autofree char *line = g_strdup_printf("%u %s between two ends, %s", s->range->n,
						s->range->commits ? "commits" : "builds", s->dir);

	cmd_line(line);
	tell_parting(s->range);
}

static bool work(struct bisect_session *s, struct bisect_step *ret, GError **error)
{
	bool verify = s->range->commits &&
		      (s->req.verify || bisect_state_verdict(s->state) == VERIFY_OPEN);

	if (!bisect_work(s, ret, error) || (verify && !bisect_verify(s, ret, error))) {
		g_autoptr(GError) ignored = NULL;

		*ret = bisect_state_next(s->state, NULL, 0, NULL);
		write_report(s, ret, &ignored);
		return lab_prefix(error, "'%s'", s->dir);
	}
	return write_report(s, ret, error);
}

/* What was found among builds, and among the commits of one of them, if these could be told. */
static bool print_both(const struct options *o, const struct bisect_session *builds,
		       const struct bisect_step *build, const struct bisect_session *commits,
		       const struct bisect_step *commit, const char *said, GError **error)
{
	json_t *json, *inner;

	if (o->json) {
		json = as_json(builds, build);
		inner = commits ? as_json(commits, commit) : json_object();
		json_object_set_new(inner, "said", json_string(said));
		json_object_set_new(json, "commits", inner);
		return print_json(json, error);
	}
	if (!print(o, builds, build, error))
		return false;
	printf("\n%s\n", said);
	return !commits || print(o, commits, commit, error);
}

static bool append(const char *dir, const char *text, GError **error)
{
	g_autofree char *path = g_build_filename(dir, "report.md", NULL), *report = NULL, *all = NULL;
	size_t len;

	if (!fs_read(path, REPORT_MAX, &report, &len, error))
		return false;
	all = g_strconcat(report, text, NULL);
	return fs_write(path, all, strlen(all), error);
}

static bool link_reports(const struct bisect_session *builds, const struct bisect_session *commits,
			 const char *said, GError **error)
{
	g_autofree char *text =
		g_strdup_printf("\n## Commits\n\n    %s\n%s", said,
				commits ? "\n[The bisection of commits](commits/report.md)\n" : "");

	return append(builds->dir, text, error) &&
	       (!commits ||
		append(commits->dir, "\n[The bisection of builds before it](../report.md)\n", error));
}

/* From the build to the commit. */
static int go_deeper(const struct options *o, struct bisect_session *s, const struct bisect_step *step,
		     GError **error)
{
	g_autoptr(bisect_session) inner = NULL;
	g_autofree char *said = NULL;
	struct bisect_step found;

	if (!bisect_commits_open(s, step, &inner, &said, error))
		return EXIT_INFRA;
	if (inner) {
		tell_range(inner);
		if (!work(inner, &found, error))
			return EXIT_INFRA;
		said = bisect_commits_said(inner, &found);
	}
	if (!link_reports(s, inner, said, error) || !print_both(o, s, step, inner, &found, said, error))
		return EXIT_INFRA;
	return inner ? exit_of(inner, &found) : exit_of(s, step);
}

static int execute(struct options *o, GError **error)
{
	g_autoptr(bisect_session) s = NULL;
	struct bisect_step step;

	if (!(o->resume ? go_on(o, &s, error) : begin(o, &s, error)))
		return EXIT_INFRA;
	tell_range(s);
	if (o->dry_run)
		return foretell(o, s, error) ? EXIT_CLEAN : EXIT_INFRA;
	if (!work(s, &step, error))
		return EXIT_INFRA;
	if (s->req.git && !s->range->commits && step.answer == BISECT_FOUND)
		return go_deeper(o, s, &step, error);
	return print(o, s, &step, error) ? exit_of(s, &step) : EXIT_INFRA;
}

static bool parse(int *argc, char ***argv, struct options *o, int *ret_exit)
{
	struct bisect_request *r = &o->req;
	const GOptionEntry entries[] = {
		{ "git", 0, 0, G_OPTION_ARG_FILENAME, &r->git, "Bisect commits of this repository; with --kernels or --list, those between two builds", "PATH" },
		{ "good", 0, 0, G_OPTION_ARG_STRING, &r->good, "Without the failure: a commit, or a kernel", "REF" },
		{ "bad", 0, 0, G_OPTION_ARG_STRING, &r->bad, "With it, and newer", "REF" },
		{ "broken", 0, 0, G_OPTION_ARG_STRING, &o->broken, "Look for what mended it: with the failure", "REF" },
		{ "fixed", 0, 0, G_OPTION_ARG_STRING, &o->fixed, "Without it, and newer", "REF" },
		{ "kernels", 'k', 0, G_OPTION_ARG_STRING_ARRAY, &r->kernels, "Bisect builds of the catalogue, in its order; repeatable", "GLOB" },
		{ "list", 0, 0, G_OPTION_ARG_FILENAME, &o->list, "Bisect the kernels of a file: one a line, old to new", "FILE" },
		{ "probe", 'p', 0, G_OPTION_ARG_STRING, &r->probe, "Test with this probe", "NAME" },
		{ "cmd", 0, 0, G_OPTION_ARG_STRING, &r->command, "Test with a shell command instead", "COMMAND" },
		{ "images", 0, 0, G_OPTION_ARG_NONE, &r->images, "Build, or pull, each kernel for the command", NULL },
		{ "first-parent", 0, 0, G_OPTION_ARG_NONE, &r->first_parent, "Merges are one change each", NULL },
		{ "path", 0, 0, G_OPTION_ARG_STRING_ARRAY, &r->paths, "Only commits that touch it; repeatable", "PATH" },
		{ "suspect", 0, 0, G_OPTION_ARG_STRING_ARRAY, &r->suspects, "Commits that touch it are likelier (8 times); repeatable", "PATH" },
		{ "signature", 0, 0, G_OPTION_ARG_STRING, &r->signature, "Title of the failure (default: those that the bad end shows)", "GLOB" },
		{ "verify", 0, 0, G_OPTION_ARG_NONE, &r->verify, "Check the answer: the bad end without that change (the broken one with the fix) must survive", NULL },
		{ "check-ends", 0, 0, G_OPTION_ARG_NONE, &r->check_ends, "Test the good end before all else", NULL },
		{ "confidence", 0, 0, G_OPTION_ARG_DOUBLE, &r->confidence, "Asked of the answer (0.99)", "P" },
		{ "amplify", 0, 0, G_OPTION_ARG_STRING, &r->amplify, "As klab run; the delays that fail the bad end are kept (auto)", "LEVEL" },
		{ "smp", 0, 0, G_OPTION_ARG_INT, &r->smp, "vCPUs (4)", "N" },
		{ "memory", 'm', 0, G_OPTION_ARG_INT, &r->memory, "Memory in MiB", "MIB" },
		{ "duration", 0, 0, G_OPTION_ARG_INT, &r->duration, "Usual length of a run in seconds (the probe's, which is varied; a guess of what --cmd takes: 60)", "S" },
		{ "jobs", 'j', 0, G_OPTION_ARG_INT, &r->jobs, "Guests at once (1)", "N" },
		{ "timeout", 0, 0, G_OPTION_ARG_INT, &r->timeout, "Seconds that --cmd may take (3600); beyond, the kernel is untestable", "S" },
		{ "kconfig", 0, 0, G_OPTION_ARG_FILENAME, &r->config_fragment, "Config fragment of builds", "FILE" },
		{ "compiler", 0, 0, G_OPTION_ARG_STRING, &r->compiler, "Compiler of builds, such as gcc-12", "CC" },
		{ "connect", 0, 0, G_OPTION_ARG_STRING, &r->connect, LAB_CONNECT_HELP, "URI|NAME" },
		{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &r->config, "Kernels file", "FILE" },
		{ "seed", 0, 0, G_OPTION_ARG_INT64, &r->seed, "Seed of every random choice (1)", "N" },
		{ "build-time", 0, 0, G_OPTION_ARG_DOUBLE, &r->build_s, "Guess of what a kernel takes to build or pull, until it is measured", "S" },
		{ "prebuild", 0, 0, G_OPTION_ARG_STRING, &r->prebuild, "Build ahead while guests run: auto (where they leave CPUs), yes, no", "WHEN" },
		{ "out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "Folder (results/bisect-TIME)", "DIR" },
		{ "resume", 0, 0, G_OPTION_ARG_FILENAME, &o->resume, "Go on with a bisection", "DIR" },
		{ "dry-run", 0, 0, G_OPTION_ARG_NONE, &o->dry_run, "Only make the range and say what it will take", NULL },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &o->json, "Print the answer as JSON", NULL },
		G_OPTION_ENTRY_NULL
	};

	return cmd_parse(argc, argv, "",
			 "Find the change that broke a kernel, or mended it, where the failure does not show "
			 "in every run.", entries, epilog, ret_exit);
}

static int run_command(int argc, char **argv)
{
	struct options o = { .req = { .confidence = 0.99, .jobs = 1, .timeout = 3600, .seed = 1 } };
	g_autoptr(GError) error = NULL;
	int code;

	if (parse(&argc, &argv, &o, &code)) {
		if (argc > 1)
			lab_fail(&error, LAB_ERROR_USAGE, "unexpected operand '%s'", argv[1]);
		else
			code = execute(&o, &error);
		if (error)
			code = cmd_error("run", error);
	}
	bisect_request_clear(&o.req);
	g_free(o.broken);
	g_free(o.fixed);
	g_free(o.list);
	g_free(o.out);
	g_free(o.resume);
	return code;
}

const struct command command_bisect_run = {
	.name = "run",
	.summary = "find the change; --resume goes on",
	.run = run_command,
};
