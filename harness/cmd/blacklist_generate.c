// SPDX-License-Identifier: GPL-2.0-or-later
/* klab blacklist generate: the C header, its JSON twin, the page for people, and the evidence. */
#include "cmd/blacklist.h"
#include "cmd/contradictions.h"
#include "base/fs.h"
#include "report/blacklist_json.h"

struct outputs {
	char *header, *json, *markdown, *evidence; /* "-": stdout; NULL: not written */
};

static void outputs_clear(struct outputs *o)
{
	g_free(o->header);
	g_free(o->json);
	g_free(o->markdown);
	g_free(o->evidence);
}

/* --out DIR or FILE; a name that ends in .h is a file. */
static char *header_path(const char *out)
{
	if (!out)
		return g_strdup(BLACKLIST_HEADER);
	if (!strcmp(out, "-") ||
	    (g_str_has_suffix(out, ".h") && !g_file_test(out, G_FILE_TEST_IS_DIR)))
		return g_strdup(out);
	return g_build_filename(out, BLACKLIST_HEADER, NULL);
}

/* Beside the header, unless it goes to stdout or the user says where. */
static void set_default(char **file, const char *header, const char *name)
{
	g_autofree char *dir = NULL;

	if (*file || !strcmp(header, "-"))
		return;
	dir = g_path_get_dirname(header);
	*file = g_build_filename(dir, name, NULL);
}

static bool outputs_complete(struct outputs *o, const char *out, bool with_runs, GError **error)
{
	const char *files[4];

	o->header = header_path(out);
	set_default(&o->json, o->header, BLACKLIST_JSON);
	set_default(&o->markdown, o->header, BLACKLIST_MARKDOWN);
	if (with_runs)
		set_default(&o->evidence, o->header, BLACKLIST_EVIDENCE);
	else if (o->evidence)
		return lab_fail(error, LAB_ERROR_USAGE,
				"--evidence needs --from: without runs there is no evidence");
	files[0] = o->header, files[1] = o->json, files[2] = o->markdown, files[3] = o->evidence;
	for (unsigned i = 0; i < G_N_ELEMENTS(files); i++)
		for (unsigned j = 0; j < i; j++)
			if (files[i] && !g_strcmp0(files[i], files[j]))
				return lab_fail(error, LAB_ERROR_USAGE,
						"two of --out, --json, --markdown and --evidence "
						"name the same file '%s'",
						files[i]);
	return true;
}

static bool write_into(const char *file, const char *text, GError **error)
{
	g_autofree char *dir = NULL;

	if (!file || !text)
		return true;
	dir = g_path_get_dirname(file);
	return (!strcmp(file, "-") || fs_mkdir(dir, error)) &&
	       cmd_output(file, text, strlen(text), error);
}

static bool write_all(const struct evidence_base *base, const struct outputs *o, GError **error)
{
	struct blacklist_texts texts;
	bool ok;

	blacklist_render(base, &texts);
	ok = write_into(o->header, texts.header, error) && write_into(o->json, texts.json, error) &&
	     write_into(o->markdown, texts.markdown, error) &&
	     write_into(o->evidence, texts.evidence, error);
	if (ok) {
		g_autofree char *line = g_strdup_printf(
			"%s: %u hazards, %zu measured verdicts, evidence %.12s", o->header,
			base->hazards->all->len, base->known->table.n_measured,
			blacklist_json_digest(texts.document));

		cmd_line(line);
	}
	blacklist_texts_clear(&texts);
	return ok;
}

static const char generate_epilog[] =
	"Without --from the header holds what is declared. Beside the header go the JSON twin, a "
	"page\n"
	"for people and, with --from, the evidence: verdicts and digests of journals, from which\n"
	"'klab blacklist verify' makes all of it again. Same evidence, same bytes.\n\n"
	"Examples:\n"
	"  klab blacklist generate --from results/run-20260101-120000\n"
	"  klab blacklist generate --from a.json --from b.json --out include --json twin.json\n"
	"  klab blacklist generate --from " BLACKLIST_EVIDENCE "\n";

int blacklist_generate(int argc, char **argv)
{
	g_auto(GStrv) from = NULL;
	g_autofree char *out = NULL, *hazards = NULL;
	g_autoptr(GError) error = NULL;
	struct evidence_base base = { 0 };
	struct outputs o = { 0 };
	bool ok = false;
	int code;
	const GOptionEntry entries[] = {
		{ "from", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &from,
		  "Verdicts to include: a result.json, the folder of a run, or the evidence of a "
		  "blacklist; repeatable",
		  "RESULT" },
		{ "out", 0, 0, G_OPTION_ARG_FILENAME, &out,
		  "Folder, or file NAME.h, or - (default: ./" BLACKLIST_HEADER ")", "PATH" },
		{ "json", 0, 0, G_OPTION_ARG_FILENAME, &o.json,
		  "The JSON twin (default: " BLACKLIST_JSON " beside the header)", "FILE" },
		{ "markdown", 0, 0, G_OPTION_ARG_FILENAME, &o.markdown,
		  "The page for people (default: " BLACKLIST_MARKDOWN " beside the header)",
		  "FILE" },
		{ "evidence", 0, 0, G_OPTION_ARG_FILENAME, &o.evidence,
		  "What it was made of (default: " BLACKLIST_EVIDENCE " beside the header)",
		  "FILE" },
		{ "hazards", 0, 0, G_OPTION_ARG_FILENAME, &hazards,
		  "Declarations (default: the shipped ones)", "FILE" },
		G_OPTION_ENTRY_NULL
	};

	if (!cmd_parse(
		    &argc, &argv, "",
		    "Write a C header that tells tracing products which operations are unsafe on "
		    "which kernels.",
		    entries, generate_epilog, &code)) {
		outputs_clear(&o);
		return code;
	}
	if (argc > 1)
		lab_fail(&error, LAB_ERROR_USAGE, "unexpected operand '%s'", argv[1]);
	else
		ok = outputs_complete(&o, out, from && *from, &error) &&
		     evidence_base_load(&base, hazards, from, &error) &&
		     write_all(&base, &o, &error);
	if (ok)
		contradictions_tell(base.known, base.measured);
	evidence_base_clear(&base);
	outputs_clear(&o);
	return ok ? EXIT_CLEAN : cmd_error("blacklist generate", error);
}
