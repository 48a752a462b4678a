// SPDX-License-Identifier: GPL-2.0-or-later
/* klab kernels list: what the catalogue has, and what of it is cached. No network. */
#include "cmd/kernels.h"

static bool list(const struct lab *lab, GPtrArray *specs, bool json, GError **error)
{
	json_t *kernels = json_array();

	for (guint i = 0; i < specs->len; i++) {
		g_autoptr(kernel) k = NULL;

		if (!kernel_cached(specs->pdata[i], &k, error)) {
			json_decref(kernels);
			return false;
		}
		if (k && json)
			lab_identify(lab, k);
		if (json)
			json_array_append_new(kernels, kernels_json(specs->pdata[i], k));
		else
			kernels_row(specs->pdata[i], k);
	}
	if (json)
		return kernels_print_json(json_pack("{s:o}", "kernels", kernels), error);
	json_decref(kernels);
	return true;
}

static int execute(char **globs, const char *file, bool json, GError **error)
{
	static const char *const all[] = { "*", NULL };
	struct lab_params params = { .kernels_file = file };
	g_autoptr(lab) lab = NULL;
	g_autoptr(GPtrArray) specs = NULL;

	if (!lab_open(&params, &lab, error) ||
	    !matrix_select(lab->matrix, *globs ? (const char *const *)globs : all, &specs, error))
		return EXIT_USAGE;
	return list(lab, specs, json, error) ? EXIT_CLEAN : EXIT_INFRA;
}

int kernels_list(int argc, char **argv)
{
	g_autofree char *file = NULL;
	gboolean json = FALSE;
	const GOptionEntry entries[] = {
		{ "json", 0, 0, G_OPTION_ARG_NONE, &json,
		  "Print JSON, with what is known of each cached build", NULL },
		{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &file,
		  "Kernels file (default: ./kernels.yaml, else the shipped one)", "FILE" },
		{ 0 },
	};
	g_autoptr(GError) error = NULL;
	int code;

	if (!cmd_parse(&argc, &argv, "[KERNEL]...",
		       "List the kernels of the catalogue and the imports, and what of them is "
		       "cached. "
		       "KERNEL is an id, a glob, or what 'klab run -k' takes; without it, all.",
		       entries,
		       "Example:\n  klab kernels list 'debian-*' --json\n\n"
		       "Exit code: 0, 2 usage or no such kernel.",
		       &code))
		return code;
	code = execute(argv + 1, file, json, &error);
	if (error)
		code = cmd_error("kernels list", error);
	return code;
}
