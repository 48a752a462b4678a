// SPDX-License-Identifier: GPL-2.0-or-later
/* klab kernels import, klab kernels forget: kernels that the user brings along. */
#include "cmd/kernels.h"

#include "kernel/import.h"

static bool show(const struct lab *lab, GPtrArray *kernels, bool json, GError **error)
{
	json_t *list = json_array();

	for (guint i = 0; i < kernels->len; i++) {
		struct kernel *k = kernels->pdata[i];
		struct kernel_spec spec = { .id = k->id, .source = k->source };

		lab_identify(lab, k);
		json_array_append_new(list, kernels_json(&spec, k));
		if (!json)
			kernels_print("%-24s %-28s %s%s\n", k->id, k->release,
				      k->package_version ? k->package_version : k->version,
				      k->config ? "" : " (config unknown)");
	}
	if (json)
		return kernels_print_json(json_pack("{s:o}", "kernels", list), error);
	json_decref(list);
	return true;
}

static int execute_import(char **files, const char *id, const char *config, bool json,
			  GError **error)
{
	struct lab_params params = { .kernels_file = config };
	g_autoptr(lab) lab = NULL;
	g_autoptr(GPtrArray) kernels = NULL;

	if (!*files) {
		lab_fail(error, LAB_ERROR_USAGE,
			 "which files?\n"
			 "hint: klab kernels import FILE... takes .deb, .rpm, tar archives, "
			 "bzImages");
		return EXIT_USAGE;
	}
	if (!lab_open(&params, &lab, error) ||
	    !import_files((const char *const *)files, id, lab->matrix, &cmd_progress, &kernels,
			  error) ||
	    !show(lab, kernels, json, error))
		return EXIT_USAGE;
	return EXIT_CLEAN;
}

int kernels_import(int argc, char **argv)
{
	g_autofree char *id = NULL, *config = NULL;
	gboolean json = FALSE;
	const GOptionEntry entries[] = {
		{ "id", 0, 0, G_OPTION_ARG_STRING, &id,
		  "What -k calls it (default: its release, as uname -r prints it)", "NAME" },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
		{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &config,
		  "Kernels file, whose ids are taken (default: ./kernels.yaml, else the shipped "
		  "one)",
		  "FILE" },
		{ 0 },
	};
	g_autoptr(GError) error = NULL;
	int code;

	if (!cmd_parse(
		    &argc, &argv, "FILE...",
		    "Copy kernels into the cache: the image and its config out of a .deb, an .rpm, "
		    "a "
		    "tar archive (as 'make tarxz-pkg' makes it), or a bzImage. Nobody verifies "
		    "them; "
		    "reports say so. A vmlinux and a config that are named beside their image join "
		    "it. The files are not needed any more.",
		    entries,
		    "Examples:\n"
		    "  klab kernels import linux-image-6.1.0-18-cloud-amd64_6.1.76-1_amd64.deb\n"
		    "  klab kernels import arch/x86/boot/bzImage vmlinux .config --id mine\n"
		    "  klab run -k mine\n\n"
		    "Exit code: 0, 2 usage or no kernel in a file, 3 the lab failed.",
		    &code))
		return code;
	code = execute_import(argv + 1, id, config, json, &error);
	if (error)
		code = cmd_error("kernels import", error);
	return code;
}

int kernels_forget(int argc, char **argv)
{
	const GOptionEntry entries[] = { { 0 } };
	g_autoptr(GError) error = NULL;
	int code;

	if (!cmd_parse(&argc, &argv, "ID...",
		       "Take imports back. Their images stay in the cache until 'klab kernels gc' "
		       "needs "
		       "the room.",
		       entries, "Exit code: 0, 2 there is no such import.", &code))
		return code;
	if (argc < 2)
		lab_fail(&error, LAB_ERROR_USAGE,
			 "which import?\n"
			 "hint: klab kernels list shows imports and where they came from");
	for (int i = 1; i < argc && !error; i++)
		import_forget(argv[i], &error);
	return error ? cmd_error("kernels forget", error) : EXIT_CLEAN;
}
