// SPDX-License-Identifier: GPL-2.0-or-later
/* klab blacklist diff: what changed between two blacklists, as release notes want it. */
#include "cmd/blacklist.h"
#include "cmd/hazards.h"
#include "report/blacklist_diff.h"
#include "report/blacklist_json.h"

/* What the declarations given make of a run. */
static bool document_of_run(const char *file, const char *hazards, json_t **ret, GError **error)
{
	char *const from[] = { (char *)file, NULL };
	struct evidence_base base = { 0 };
	bool ok = evidence_base_load(&base, hazards, from, error);

	if (ok)
		*ret = blacklist_json_of_runs(base.known, base.hazards, base.measured, base.runs);
	evidence_base_clear(&base);
	return ok;
}

/* In a folder: the JSON twin, or else a run's result. */
static char *file_in(const char *operand)
{
	g_autofree char *twin = NULL;

	if (!g_file_test(operand, G_FILE_TEST_IS_DIR))
		return g_strdup(operand);
	twin = g_build_filename(operand, BLACKLIST_JSON, NULL);
	if (g_file_test(twin, G_FILE_TEST_EXISTS))
		return g_steal_pointer(&twin);
	return g_build_filename(operand, "result.json", NULL);
}

static bool load_side(const char *operand, const char *hazards, json_t **ret, GError **error)
{
	g_autofree char *file = file_in(operand), *text = NULL;
	json_error_t trouble;
	json_t *root;
	size_t len;

	if (!cmd_read_named(file, BLACKLIST_BYTES_MAX, &text, &len, error))
		return false;
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &trouble);
	if (!root)
		return lab_fail(error, LAB_ERROR_INPUT, "%s: no JSON at line %d: %s", file,
				trouble.line, trouble.text);
	if (json_is_array(json_object_get(root, "hazards"))) {
		*ret = root;
		return true;
	}
	json_decref(root);
	return document_of_run(file, hazards, ret, error);
}

static bool print_diff(const json_t *diff, bool json, GError **error)
{
	g_autofree char *page = NULL;

	if (json)
		return blacklist_print_json(json_incref((json_t *)diff), error);
	page = blacklist_diff_markdown(diff);
	return cmd_output("-", page, strlen(page), error);
}

static bool run_diff(const char *a, const char *b, const char *hazards, bool json, int *ret_exit,
		     GError **error)
{
	json_t *old = NULL, *new = NULL, *diff = NULL;
	bool ok = load_side(a, hazards, &old, error) && load_side(b, hazards, &new, error);

	if (ok)
		diff = blacklist_diff(old, new, error);
	ok = diff && print_diff(diff, json, error);
	if (ok)
		*ret_exit = blacklist_diff_is_same(diff) ? 0 : 1;
	json_decref(old);
	json_decref(new);
	json_decref(diff);
	return ok;
}

static const char epilog[] =
	"OLD and NEW are JSON twins, evidence files, result.json files, or folders that hold one. "
	"Runs\n"
	"without a twin are read with today's declarations. Both are asked about every build that "
	"one of\n"
	"them measured or names as the end of a range.\n\n"
	"Exit codes: 0 the same answers, 1 they differ, 2 usage.\n\n"
	"Examples:\n"
	"  klab blacklist diff old/" BLACKLIST_JSON " new/" BLACKLIST_JSON "\n"
	"  klab blacklist diff results/published results/run-20260101-120000\n";

int blacklist_diff_command(int argc, char **argv)
{
	g_autofree char *hazards = NULL;
	g_autoptr(GError) error = NULL;
	gboolean json = FALSE;
	int code = EXIT_INFRA;
	bool ok;
	const GOptionEntry entries[] = {
		{ "hazards", 0, 0, G_OPTION_ARG_FILENAME, &hazards,
		  "Declarations for runs (default: the shipped ones)", "FILE" },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
		G_OPTION_ENTRY_NULL
	};

	if (!cmd_parse(&argc, &argv, "OLD NEW", "What changed between two blacklists, in Markdown.",
		       entries, epilog, &code))
		return code;
	if (argc != 3)
		ok = lab_fail(&error, LAB_ERROR_USAGE,
			      "two operands are needed, OLD and NEW\n"
			      "hint: 'klab blacklist diff --help' shows examples");
	else
		ok = run_diff(argv[1], argv[2], hazards, json, &code, &error);
	return ok ? code : cmd_error("blacklist diff", error);
}
