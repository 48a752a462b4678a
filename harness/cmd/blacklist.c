// SPDX-License-Identifier: GPL-2.0-or-later
/* klab blacklist: write the C header and its JSON twin; look a kernel up in what is known. */
#include "cmd/cmd.h"
#include "cmd/hazards.h"
#include "base/embed.h"
#include "base/fs.h"
#include "conf/suggest.h"
#include "report/blacklist_json.h"
#include "report/header.h"

#include <sys/utsname.h>

#define HEADER_NAME "tracing_blacklist.h"
#define JSON_NAME "tracing_blacklist.json"
#define OS_RELEASE_MAX (64u << 10)

/* What is known: declarations, and the measurements of the runs that the user names. */
struct evidence_base {
	struct hazard_set *hazards;
	GPtrArray *measured; /* of struct measured * */
	struct knowledge *known;
};

static void evidence_base_clear(struct evidence_base *base)
{
	know_free(base->known);
	if (base->measured)
		g_ptr_array_unref(base->measured);
	hazard_set_free(base->hazards);
}

/* A result.json, or the folder of a run. */
static bool read_run(struct evidence_base *base, const GPtrArray *probes, const char *from,
		     GError **error)
{
	g_autofree char *file = g_file_test(from, G_FILE_TEST_IS_DIR)
					? g_build_filename(from, "result.json", NULL)
					: g_strdup(from);
	g_autofree char *text = NULL;
	size_t len;

	return cmd_read_named(file, MEASURED_RESULT_MAX, &text, &len, error) &&
	       measured_read(file, text, len, probes, base->hazards, base->measured, error);
}

static bool evidence_base_load(struct evidence_base *base, const char *hazards_file,
			       char *const *from, GError **error)
{
	g_autoptr(GPtrArray) probes = NULL;

	base->measured = g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
	if (!cmd_load_hazards(hazards_file, &base->hazards, error) ||
	    !probes_parse(embed_probes_json, EMBED_LEN(probes_json), &probes, error))
		return false;
	for (; from && *from; from++)
		if (!read_run(base, probes, *from, error))
			return false;
	base->known = know_new(base->hazards, base->measured);
	return true;
}

/* --- generate ----------------------------------------------------------------------------------
 */

static void tell_contradictions(const struct evidence_base *base)
{
	g_auto(GStrv) list = know_contradictions(base->known, base->measured);

	for (char **sentence = list; *sentence; sentence++) {
		g_autofree char *line = g_strdup_printf("contradiction: %s", *sentence);

		cmd_line(line);
	}
}

/* --out DIR or FILE; a name that ends in .h is a file. */
static char *header_path(const char *out)
{
	if (!out)
		return g_strdup(HEADER_NAME);
	if (!strcmp(out, "-") ||
	    (g_str_has_suffix(out, ".h") && !g_file_test(out, G_FILE_TEST_IS_DIR)))
		return g_strdup(out);
	return g_build_filename(out, HEADER_NAME, NULL);
}

static char *json_path(const char *header, const char *json)
{
	g_autofree char *dir = NULL;

	if (json || !strcmp(header, "-"))
		return g_strdup(json);
	dir = g_path_get_dirname(header);
	return g_build_filename(dir, JSON_NAME, NULL);
}

static bool write_into(const char *file, const char *text, GError **error)
{
	g_autofree char *dir = g_path_get_dirname(file);

	return (!strcmp(file, "-") || fs_mkdir(dir, error)) &&
	       cmd_output(file, text, strlen(text), error);
}

static bool write_both(const struct evidence_base *base, const char *header_file,
		       const char *json_file, GError **error)
{
	json_t *document = blacklist_json(base->known, base->hazards, base->measured);
	g_autofree char *header = header_render(base->known, blacklist_json_digest(document));
	char *json = blacklist_json_text(document);
	bool ok = write_into(header_file, header, error) &&
		  (!json_file || write_into(json_file, json, error));

	if (ok) {
		g_autofree char *line = g_strdup_printf(
			"%s: %u hazards, %zu measured verdicts, evidence %.12s", header_file,
			base->hazards->all->len, base->known->table.n_measured,
			blacklist_json_digest(document));

		cmd_line(line);
	}
	free(json);
	json_decref(document);
	return ok;
}

static const char generate_epilog[] =
	"Without --from the header holds what is declared. Same evidence, same bytes.\n\n"
	"Examples:\n"
	"  klab blacklist generate --from results/run-20260101-120000\n"
	"  klab blacklist generate --from a.json --from b.json --out include --json "
	"evidence.json\n";

static int generate(int argc, char **argv)
{
	g_auto(GStrv) from = NULL;
	g_autofree char *out = NULL, *json = NULL, *hazards = NULL;
	g_autofree char *header_file = NULL, *json_file = NULL;
	g_autoptr(GError) error = NULL;
	struct evidence_base base = { 0 };
	bool ok;
	int code;
	const GOptionEntry entries[] = {
		{ "from", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &from,
		  "Verdicts to include: a result.json or the folder of a run; repeatable",
		  "RESULT" },
		{ "out", 0, 0, G_OPTION_ARG_FILENAME, &out,
		  "Folder, or file NAME.h, or - (default: ./" HEADER_NAME ")", "PATH" },
		{ "json", 0, 0, G_OPTION_ARG_FILENAME, &json,
		  "The JSON twin (default: " JSON_NAME " beside the header)", "FILE" },
		{ "hazards", 0, 0, G_OPTION_ARG_FILENAME, &hazards,
		  "Declarations (default: the shipped ones)", "FILE" },
		G_OPTION_ENTRY_NULL
	};

	if (!cmd_parse(
		    &argc, &argv, "",
		    "Write a C header that tells tracing products which operations are unsafe on "
		    "which kernels.",
		    entries, generate_epilog, &code))
		return code;
	header_file = header_path(out);
	json_file = json_path(header_file, json);
	if (argc > 1)
		ok = lab_fail(&error, LAB_ERROR_USAGE, "unexpected operand '%s'", argv[1]);
	else if (!g_strcmp0(header_file, json_file))
		ok = lab_fail(&error, LAB_ERROR_USAGE, "--out and --json name the same file");
	else
		ok = evidence_base_load(&base, hazards, from, &error) &&
		     write_both(&base, header_file, json_file, &error);
	if (ok)
		tell_contradictions(&base);
	evidence_base_clear(&base);
	return ok ? EXIT_CLEAN : cmd_error("blacklist generate", error);
}

/* --- check -------------------------------------------------------------------------------------
 */

struct check {
	char *release, *version, *os_release, *hazards;
	char **ops, **from;
	gboolean strict, force, json;
};

static void check_clear(struct check *c)
{
	g_free(c->release);
	g_free(c->version);
	g_free(c->os_release);
	g_free(c->hazards);
	g_strfreev(c->ops);
	g_strfreev(c->from);
}

/* An explicit release never reads this host's files; without one this host is meant. */
static bool check_identify(const struct check *c, struct ktb_kernel *ret, GError **error)
{
	g_autofree char *os_text = NULL;
	const char *os_file = c->os_release;
	struct utsname uts;
	size_t len;

	if (!c->release && (c->version || c->os_release))
		return lab_fail(error, LAB_ERROR_USAGE,
				"--version and --os-release need --release");
	if (!c->release && uname(&uts) < 0)
		return lab_fail_errno(error, "uname");
	if (!c->release && g_file_test("/etc/os-release", G_FILE_TEST_EXISTS))
		os_file = "/etc/os-release";
	if (os_file && !cmd_read_named(os_file, OS_RELEASE_MAX, &os_text, &len, error))
		return false;
	if (!ktb_identify(ret, c->release ? c->release : uts.release,
			  c->release ? c->version : uts.version, os_text))
		return lab_fail(
			error, LAB_ERROR_USAGE,
			"'%s' is no kernel release\n"
			"hint: give what 'uname -r' prints there, and 'uname -v' as --version",
			c->release ? c->release : uts.release);
	ktb_strict(ret, c->strict);
	ktb_force(ret, c->force ? "all" : NULL);
	return true;
}

/* The operations asked for, or all. */
static bool check_ops(const struct check *c, const struct knowledge *known, char *const **ret,
		      GError **error)
{
	*ret = c->ops ? c->ops : known->ops;
	for (char *const *op = *ret; *op; op++) {
		g_autofree char *hint = NULL, *all = NULL;

		if (g_strv_contains((const char *const *)known->ops, *op))
			continue;
		hint = suggest_phrase(*op, (const char *const *)known->ops);
		all = g_strjoinv(", ", known->ops);
		return lab_fail(error, LAB_ERROR_USAGE,
				"no operation is called '%s'%s\nhint: there are: %s", *op, hint,
				all);
	}
	return true;
}

static void append_answer(GString *out, const char *op, const struct ktb_answer *a)
{
	g_string_append_printf(out, "%s: %s", op, ktb_value_name(a->value));
	if (a->evidence != KTB_NO_EVIDENCE)
		g_string_append_printf(out, " (%s)", ktb_evidence_name(a->evidence));
	g_string_append_printf(out, "%s%s%s\n", a->strict ? ", unknown taken for affected" : "",
			       a->forced ? ", FORCED to pass" : "",
			       a->contradicted ? ", evidence is contradictory" : "");
	g_string_append_printf(out, "  %-11s %s\n", "reason", a->reason);
	if (a->hazard && a->value != KTB_CLEAN)
		g_string_append_printf(out, "  %-11s %s: %s\n", "hazard", a->hazard, a->summary);
	if (a->needs && a->value != KTB_CLEAN)
		g_string_append_printf(out, "  %-11s %s\n", "only with", a->needs);
	if (a->workaround && a->value != KTB_CLEAN)
		g_string_append_printf(out, "  %-11s %s\n", "workaround", a->workaround);
	if (a->fix)
		g_string_append_printf(out, "  %-11s %s\n", "fix", a->fix);
}

static json_t *answer_json(const char *op, const struct ktb_answer *a)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:s, s:s?, s:s?, s:s?, s:s?, s:s?}",
			 "op", op, "value", ktb_value_name(a->value), "evidence",
			 ktb_evidence_name(a->evidence), "allowed", a->allowed, "forced", a->forced,
			 "strict", a->strict, "contradicted", a->contradicted, "reason", a->reason,
			 "hazard", a->hazard, "summary", a->summary, "workaround", a->workaround,
			 "needs", a->needs, "fix", a->fix);
}

/* The exit code of one answer; a forced one passes. */
static int answer_exit(const struct ktb_answer *a)
{
	if (a->forced || a->value == KTB_CLEAN)
		return EXIT_CLEAN;
	return a->value == KTB_AFFECTED ? EXIT_AFFECTED : EXIT_UNSURE;
}

static bool print_answers(const struct check *c, const struct knowledge *known,
			  const struct ktb_kernel *kernel, char *const *ops, int *ret_exit,
			  GError **error)
{
	g_autoptr(GString) out = g_string_new(NULL);
	json_t *answers = json_array(), *document;
	int code = EXIT_CLEAN;
	bool ok;

	g_string_append_printf(out, "kernel %s: vendor %s, build %s, upstream %s%s\n",
			       kernel->release, kernel->vendor,
			       kernel->build[0] ? kernel->build : "not told", kernel->base,
			       kernel->base_exact ? "" : " or a later release of that branch");
	for (char *const *op = ops; *op; op++) {
		struct ktb_answer a = ktb_table_check(&known->table, kernel, *op);
		int one = answer_exit(&a);

		append_answer(out, *op, &a);
		json_array_append_new(answers, answer_json(*op, &a));
		/* Affected outranks unknown, unknown outranks clean. */
		if (one == EXIT_AFFECTED || code == EXIT_CLEAN)
			code = one;
	}
	document = json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:b}, s:o}", "kernel", "release",
			     kernel->release, "version", kernel->version, "vendor", kernel->vendor,
			     "build", kernel->build, "upstream", kernel->base, "upstream_exact",
			     kernel->base_exact, "answers", answers);
	if (c->json) {
		char *text = document ? blacklist_json_text(document) : NULL;

		g_string_assign(out, text ? text : "");
		free(text);
	}
	json_decref(document);
	ok = cmd_output("-", out->str, out->len, error);
	if (ok)
		*ret_exit = code;
	return ok;
}

static const char check_epilog[] =
	"With --release nothing of this host is read; without it this host's kernel is meant. The\n"
	"answer is as exact as the texts: Debian's and Ubuntu's build is only in 'uname -v'.\n\n"
	"Exit codes: 0 clean (or forced), 1 affected, 2 usage, 4 unknown; of several operations "
	"the\n"
	"worst.\n\n"
	"Examples:\n"
	"  klab blacklist check\n"
	"  klab blacklist check --op text-poke --release 5.14.0-300.el9.x86_64\n"
	"  klab blacklist check --release 6.1.0-9-amd64 \\\n"
	"      --version '#1 SMP PREEMPT_DYNAMIC Debian 6.1.27-1 (2023-05-08)'\n";

static int check_run(struct check *c, int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	struct evidence_base base = { 0 };
	struct ktb_kernel kernel;
	char *const *ops;
	int code = EXIT_INFRA;
	bool ok;

	if (argc > 1)
		ok = lab_fail(&error, LAB_ERROR_USAGE, "unexpected operand '%s'", argv[1]);
	else
		ok = check_identify(c, &kernel, &error) &&
		     evidence_base_load(&base, c->hazards, c->from, &error) &&
		     check_ops(c, base.known, &ops, &error) &&
		     print_answers(c, base.known, &kernel, ops, &code, &error);
	evidence_base_clear(&base);
	return ok ? code : cmd_error("blacklist check", error);
}

static int check(int argc, char **argv)
{
	struct check c = { 0 };
	int code;
	const GOptionEntry entries[] = {
		{ "release", 'r', 0, G_OPTION_ARG_STRING, &c.release, "'uname -r' of the kernel",
		  "TEXT" },
		{ "version", 'v', 0, G_OPTION_ARG_STRING, &c.version, "'uname -v' of the kernel",
		  "TEXT" },
		{ "os-release", 0, 0, G_OPTION_ARG_FILENAME, &c.os_release,
		  "Its /etc/os-release, copied here", "FILE" },
		{ "op", 0, 0, G_OPTION_ARG_STRING_ARRAY, &c.ops,
		  "Operation; repeatable (default: all)", "OP" },
		{ "from", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &c.from,
		  "Verdicts to include: a result.json or the folder of a run; repeatable",
		  "RESULT" },
		{ "hazards", 0, 0, G_OPTION_ARG_FILENAME, &c.hazards,
		  "Declarations (default: the shipped ones)", "FILE" },
		{ "strict", 0, 0, G_OPTION_ARG_NONE, &c.strict, "Take unknown for affected", NULL },
		{ "force", 0, 0, G_OPTION_ARG_NONE, &c.force, "Let everything pass, and say so",
		  NULL },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &c.json, "Print JSON", NULL },
		G_OPTION_ENTRY_NULL
	};

	if (cmd_parse(&argc, &argv, "", "Is an operation safe on a kernel?", entries, check_epilog,
		      &code))
		code = check_run(&c, argc, argv);
	check_clear(&c);
	return code;
}

/* --- dispatch ----------------------------------------------------------------------------------
 */

static const struct command subcommands[] = {
	{ "blacklist generate", "write tracing_blacklist.h and its JSON twin", generate },
	{ "blacklist check", "is an operation safe on a kernel?", check },
};

static void usage(FILE *to)
{
	fputs("Usage: klab blacklist COMMAND [OPTION...]\n\nCommands:\n", to);
	for (unsigned i = 0; i < G_N_ELEMENTS(subcommands); i++)
		fprintf(to, "  %-10s %s\n", strchr(subcommands[i].name, ' ') + 1,
			subcommands[i].summary);
	fputs("\n'klab blacklist COMMAND --help' tells more.\n", to);
}

static int run_command(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
		usage(stdout);
		return EXIT_CLEAN;
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(subcommands); i++) {
		if (strcmp(strchr(subcommands[i].name, ' ') + 1, name))
			continue;
		argv[1] = (char *)subcommands[i].name;
		return subcommands[i].run(argc - 1, argv + 1);
	}
	if (*name)
		fprintf(stderr, "klab blacklist: no command '%s'\n", name);
	usage(stderr);
	return EXIT_USAGE;
}

const struct command command_blacklist = {
	.name = "blacklist",
	.summary = "which operations are unsafe on which kernels: C header, look-up",
	.run = run_command,
};
