// SPDX-License-Identifier: GPL-2.0-or-later
/* klab hazards: what is declared about the kernel bugs that the probes look for. */
#include "cmd/cmd.h"
#include "cmd/hazards.h"
#include "base/embed.h"
#include "base/fs.h"
#include "conf/doc.h"
#include "report/blacklist_json.h"

static const char epilog[] = "Examples:\n"
			     "  klab hazards\n"
			     "  klab hazards --json\n"
			     "  klab hazards --hazards my-hazards.yaml\n";

bool cmd_read_named(const char *file, size_t max, char **ret_data, size_t *ret_len, GError **error)
{
	if (!g_file_test(file, G_FILE_TEST_EXISTS))
		return lab_fail(error, LAB_ERROR_USAGE, "there is no '%s'", file);
	return fs_read(file, max, ret_data, ret_len, error);
}

bool cmd_load_hazards(const char *file, struct hazard_set **ret, GError **error)
{
	g_autofree char *text = NULL;
	size_t len;

	if (!file)
		return hazard_set_parse("hazards.yaml", embed_hazards_yaml, EMBED_LEN(hazards_yaml),
					ret, error);
	if (!cmd_read_named(file, DOC_BYTES_MAX, &text, &len, error))
		return false;
	return hazard_set_parse(file, text, len, ret, error);
}

static bool print_json(const struct hazard_set *hazards, GError **error)
{
	json_t *list = json_array(), *document;
	char *text;
	bool ok;

	for (unsigned i = 0; i < hazards->all->len; i++)
		json_array_append_new(list,
				      blacklist_json_hazard(g_ptr_array_index(hazards->all, i)));
	document = json_pack("{s:s, s:o}", "surveyed", hazards->surveyed, "hazards", list);
	text = blacklist_json_text(document);
	ok = cmd_output("-", text, strlen(text), error);
	free(text);
	json_decref(document);
	return ok;
}

/* "affected" ranges first; one line for each kind and vendor. */
static void append_ranges(GString *out, const struct hazard *h)
{
	static const char *const kinds[] = { "affected", "clean", "unknown", "clean", "clean" };
	const char *vendor = "", *kind = "";

	for (unsigned i = 0; i < h->ranges->len; i++) {
		const struct ktb_range *r = &g_array_index(h->ranges, struct ktb_range, i);
		bool more = !strcmp(vendor, r->vendor) && !strcmp(kind, kinds[r->kind]);

		vendor = r->vendor;
		kind = kinds[r->kind];
		if (!more)
			g_string_append_printf(out, "%s  %-9s %s: ", i ? "\n" : "", kind, vendor);
		g_string_append(out, more ? ", " : "");
		g_string_append(out, r->lo ? r->lo : "all known");
		if (r->last)
			g_string_append_printf(out, "..%s", r->last);
		if (r->hi)
			g_string_append_printf(out, "..%s", r->hi);
	}
	g_string_append_c(out, '\n');
}

static void append_notes(GString *out, const GPtrArray *notes, const char *label)
{
	for (unsigned i = 0; i < notes->len; i++) {
		const struct hazard_note *note = g_ptr_array_index(notes, i);

		g_string_append_printf(out, "  %-9s %s (%s)\n", label, note->says, note->from);
	}
}

static bool print_text(const struct hazard_set *hazards, GError **error)
{
	g_autoptr(GString) out = g_string_new(NULL);

	for (unsigned i = 0; i < hazards->all->len; i++) {
		const struct hazard *h = g_ptr_array_index(hazards->all, i);

		g_string_append_printf(out, "%s%s\n  %s\n  %-9s %s\n", i ? "\n" : "", h->id,
				       h->summary, "operation", h->op);
		g_string_append_printf(out, "  %-9s %s\n", "instead",
				       h->workaround ? h->workaround : "no workaround is known");
		if (h->needs)
			g_string_append_printf(out, "  %-9s %s\n", "only with", h->needs);
		g_string_append_printf(out, "  %-9s %s\n", "fix", h->fix ? h->fix : "none yet");
		append_ranges(out, h);
		append_notes(out, h->sources, "source");
		append_notes(out, h->claims, "claim");
	}
	return cmd_output("-", out->str, out->len, error);
}

static int run_command(int argc, char **argv)
{
	g_autoptr(hazard_set) hazards = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *file = NULL;
	gboolean json = FALSE;
	int code;
	const GOptionEntry entries[] = {
		{ "hazards", 0, 0, G_OPTION_ARG_FILENAME, &file,
		  "Declarations to show (default: the shipped ones)", "FILE" },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON: {\"hazards\":[...]}", NULL },
		G_OPTION_ENTRY_NULL
	};

	if (!cmd_parse(&argc, &argv, "",
		       "List the kernel bugs that the probes look for: who is affected, who says "
		       "so, and "
		       "what others claim.",
		       entries, epilog, &code))
		return code;
	if (argc > 1)
		lab_fail(&error, LAB_ERROR_USAGE, "unexpected operand '%s'", argv[1]);
	else if (cmd_load_hazards(file, &hazards, &error) &&
		 (json ? print_json : print_text)(hazards, &error))
		return EXIT_CLEAN;
	return cmd_error("hazards", error);
}

const struct command command_hazards = {
	.name = "hazards",
	.summary = "list the known kernel bugs and who is affected",
	.run = run_command,
};
