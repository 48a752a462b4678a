// SPDX-License-Identifier: GPL-2.0-or-later
/* klab blacklist check: is an operation safe on a kernel, for people, shells and programs. */
#include "cmd/blacklist.h"
#include "report/blacklist_json.h"

struct check {
	struct kernel_texts texts;
	char *hazards;
	char **ops, **from;
	gboolean strict, force, json;
};

static void check_clear(struct check *c)
{
	kernel_texts_clear(&c->texts);
	g_free(c->hazards);
	g_strfreev(c->ops);
	g_strfreev(c->from);
}

static bool check_identify(const struct check *c, struct ktb_kernel *ret, GError **error)
{
	if (!kernel_texts_identify(&c->texts, ret, error))
		return false;
	ktb_strict(ret, c->strict);
	ktb_force(ret, c->force ? "all" : NULL);
	return true;
}

/* The operations asked for, or all. */
static bool check_ops(const struct check *c, const struct knowledge *known, char *const **ret,
		      GError **error)
{
	*ret = c->ops ? c->ops : known->ops;
	for (char *const *op = *ret; *op; op++)
		if (!blacklist_check_op(known, *op, error))
			return false;
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

/* Whoever reads the exit code alone must not be the only one to know. */
static void warn_forced(const char *op, const struct ktb_answer *a)
{
	g_autofree char *line = NULL;

	if (!a->forced)
		return;
	line = g_strdup_printf("warning: %s is %s and FORCED to pass: %s", op,
			       ktb_value_name(a->value), a->reason);
	cmd_line(line);
}

static bool print_answers(const struct check *c, const struct knowledge *known,
			  const struct ktb_kernel *kernel, char *const *ops, int *ret_exit,
			  GError **error)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autofree char *about = kernel_line(kernel);
	json_t *answers = json_array(), *document;
	int code = EXIT_CLEAN;
	bool ok;

	g_string_append_printf(out, "%s\n", about);
	for (char *const *op = ops; *op; op++) {
		struct ktb_answer a = ktb_table_check(&known->table, kernel, *op);
		int one = answer_exit(&a);

		append_answer(out, *op, &a);
		warn_forced(*op, &a);
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
	"Exit codes: 0 clean, 1 affected, 2 usage, 4 unknown; of several operations the worst. "
	"With\n"
	"--strict unknown is 1. With --force all is 0, and a warning on stderr says what it "
	"passed.\n\n"
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

int blacklist_check(int argc, char **argv)
{
	struct check c = { 0 };
	int code;
	const GOptionEntry entries[] = {
		{ "release", 'r', 0, G_OPTION_ARG_STRING, &c.texts.release,
		  "'uname -r' of the kernel", "TEXT" },
		{ "version", 'v', 0, G_OPTION_ARG_STRING, &c.texts.version,
		  "'uname -v' of the kernel", "TEXT" },
		{ "os-release", 0, 0, G_OPTION_ARG_FILENAME, &c.texts.os_release,
		  "Its /etc/os-release, copied here", "FILE" },
		{ "op", 0, 0, G_OPTION_ARG_STRING_ARRAY, &c.ops,
		  "Operation; repeatable (default: all)", "OP" },
		{ "from", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &c.from,
		  "Verdicts to include: a result.json, the folder of a run, or the evidence of a "
		  "blacklist; repeatable",
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
