// SPDX-License-Identifier: GPL-2.0-or-later
/* klab kernels pull: fetch kernels, and say which cannot be had and why. */
#include "cmd/kernels.h"

#include "kernel/download.h"

struct pull {
	const struct lab *lab;
	json_t *kernels, *unavailable;
	bool json, refresh;
	unsigned had;
	int code; /* what a failure asks for */
};

/* A file that the user named on the command line: what is wrong with it is a usage error. */
static bool is_named_file(const struct kernel_spec *spec)
{
	const char *path = spec->url ? download_local(spec->url) : spec->path;

	return !spec->line && path && g_strcmp0(spec->source, "import");
}

static void pull_failed(struct pull *pull, const struct kernel_spec *spec, GError *error)
{
	bool unavailable = g_error_matches(error, LAB_ERROR, LAB_ERROR_UNAVAILABLE) ||
			   g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT);

	if (!unavailable || is_named_file(spec)) {
		int own = cmd_error("kernels pull", error);

		pull->code = unavailable ? EXIT_USAGE : own;
		return;
	}
	json_array_append_new(pull->unavailable,
			      json_pack("{s:s s:s}", "kernel", spec->id, "reason", error->message));
	if (!pull->json)
		kernels_print("%-24s unavailable: %s\n", spec->id, error->message);
}

static void pull_one(struct pull *pull, const struct kernel_spec *spec)
{
	g_autoptr(kernel) k = NULL;
	g_autoptr(GError) error = NULL;
	enum kernel_age age = pull->refresh ? KERNEL_REFRESHED : KERNEL_NEWEST;

	if (!kernel_pull(spec, age, &cmd_progress, &k, &error)) {
		pull_failed(pull, spec, error);
		return;
	}
	pull->had++;
	lab_identify(pull->lab, k);
	json_array_append_new(pull->kernels, kernels_json(spec, k));
	if (!pull->json)
		kernels_row(spec, k);
}

static int pull_all(struct pull *pull, GPtrArray *specs, GError **error)
{
	pull->kernels = json_array();
	pull->unavailable = json_array();
	pull->code = EXIT_CLEAN;
	for (guint i = 0; i < specs->len && pull->code != EXIT_USAGE; i++)
		pull_one(pull, specs->pdata[i]);
	if (pull->json && !kernels_print_json(json_pack("{s:O s:O}", "kernels", pull->kernels,
							"unavailable", pull->unavailable),
					      error))
		pull->code = EXIT_INFRA;
	json_decref(pull->kernels);
	json_decref(pull->unavailable);
	if (pull->code != EXIT_CLEAN)
		return pull->code;
	return pull->had ? EXIT_CLEAN : EXIT_INFRA;
}

static int execute(struct pull *pull, char **globs, const char *file, GError **error)
{
	struct lab_params params = { .kernels_file = file };
	g_autoptr(lab) lab = NULL;
	g_autoptr(GPtrArray) specs = NULL;

	if (!lab_open(&params, &lab, error) ||
	    !matrix_select(lab->matrix, (const char *const *)globs, &specs, error))
		return EXIT_USAGE;
	pull->lab = lab;
	return pull_all(pull, specs, error);
}

int kernels_pull(int argc, char **argv)
{
	g_autofree char *file = NULL;
	gboolean json = FALSE, refresh = FALSE;
	const GOptionEntry entries[] = {
		{ "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
		{ "refresh", 0, 0, G_OPTION_ARG_NONE, &refresh,
		  "Update package lists that are younger than an hour too", NULL },
		{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &file,
		  "Kernels file (default: ./kernels.yaml, else the shipped one)", "FILE" },
		{ 0 },
	};
	g_autoptr(GError) error = NULL;
	struct pull pull = { 0 };
	int code;

	if (!cmd_parse(
		    &argc, &argv, "[KERNEL]...",
		    "Fetch the newest build of each kernel, or of the default set. KERNEL is an "
		    "id, a "
		    "glob, or what 'klab run -k' takes.",
		    entries,
		    "Example:\n  klab kernels pull 'debian-*'\n\n"
		    "Kernels that cannot be had are printed with the reason. Exit code: 0, 2 usage "
		    "or no such kernel, 3 nothing could be had.",
		    &code))
		return code;
	pull.json = json;
	pull.refresh = refresh;
	code = execute(&pull, argv + 1, file, &error);
	if (error)
		code = cmd_error("kernels pull", error);
	return code;
}
