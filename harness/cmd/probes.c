// SPDX-License-Identifier: GPL-2.0-or-later
/* klab probes: the stress workloads that this build carries. */
#include "cmd/cmd.h"
#include "base/embed.h"
#include "conf/probes.h"

#include <jansson.h>

static const char epilog[] = "Examples:\n"
			     "  klab probes\n"
			     "  klab probes --json\n";

/* The records as the agent wrote them, so that nothing is lost on the way. */
static bool print_json(GError **error)
{
	json_error_t trouble;
	json_t *probes = json_loadb(embed_probes_json, EMBED_LEN(probes_json), 0, &trouble);
	json_t *document;
	g_autofree char *line = NULL;
	char *text;
	bool ok;

	if (!probes)
		return lab_fail(error, LAB_ERROR_INFRA, "the probes' records are no JSON: %s",
				trouble.text);
	document = json_pack("{s:o}", "probes", probes);
	text = json_dumps(document, JSON_INDENT(1));
	line = g_strconcat(text, "\n", NULL);
	ok = cmd_output("-", line, strlen(line), error);
	free(text);
	json_decref(document);
	return ok;
}

static void append_list(GString *out, const char *label, char *const *list)
{
	g_autofree char *joined = g_strjoinv(", ", (char **)list);

	if (*joined)
		g_string_append_printf(out, "  %-9s %s\n", label, joined);
}

static void append_knobs(GString *out, const struct probe_info *p)
{
	for (guint i = 0; i < p->knobs->len; i++) {
		const struct probe_knob *knob = p->knobs->pdata[i];

		g_string_append_printf(out, "  %-9s %s.%s=%u..%u: %s\n", i ? "" : "params", p->name,
				       knob->name, knob->min, knob->max, knob->summary);
	}
}

static const char *by_name_text(const struct probe_info *p)
{
	if (!p->by_name)
		return "";
	return *p->hazards ? ", by name only: kernels of today fail it" :
			     ", by name only: it measures the lab";
}

static bool print_text(GError **error)
{
	g_autoptr(GPtrArray) probes = NULL;
	g_autoptr(GString) out = g_string_new(NULL);

	if (!probes_parse(embed_probes_json, EMBED_LEN(probes_json), &probes, error))
		return false;
	for (unsigned i = 0; i < probes->len; i++) {
		const struct probe_info *p = g_ptr_array_index(probes, i);

		g_string_append_printf(out, "%s%s\n  %s\n", i ? "\n" : "", p->name, p->summary);
		append_list(out, "hazards", p->hazards);
		append_list(out, "needs", p->kconfig);
		append_list(out, "counts", p->counters);
		append_list(out, "delayed", p->amplify);
		append_knobs(out, p);
		g_string_append_printf(out, "  %-9s %u s, %u CPU%s or more%s\n", "runs",
				       p->duration_s, p->min_cpus, p->min_cpus == 1 ? "" : "s",
				       by_name_text(p));
	}
	return cmd_output("-", out->str, out->len, error);
}

static int run_command(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	gboolean json = FALSE;
	int code;
	const GOptionEntry entries[] = { { "json", 0, 0, G_OPTION_ARG_NONE, &json,
					   "Print JSON: {\"probes\":[...]}", NULL },
					 G_OPTION_ENTRY_NULL };

	if (!cmd_parse(&argc, &argv, "", "List the stress workloads.", entries, epilog, &code))
		return code;
	if (argc > 1)
		lab_fail(&error, LAB_ERROR_USAGE, "unexpected operand '%s'", argv[1]);
	else if (json ? print_json(&error) : print_text(&error))
		return EXIT_CLEAN;
	return cmd_error("probes", error);
}

const struct command command_probes = {
	.name = "probes",
	.summary = "list the stress workloads",
	.run = run_command,
};
