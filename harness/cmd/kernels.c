// SPDX-License-Identifier: GPL-2.0-or-later
/* klab kernels: the catalogue, what of it is cached, and fetching. */
#include "cmd/cmd.h"
#include "cmd/lab.h"
#include "kernel/kernel.h"

#include <jansson.h>
#include <stdarg.h>

struct options {
	char *kernels_file;
	gboolean json, refresh;
};

static json_t *identity_json(const struct kernel *k)
{
	return json_pack("{s:s s:s s:s s:s s:s? s:s? s:s? s:b s:s?}", "release", k->release,
			 "version", k->version, "sha256", k->sha256, "image", k->image, "vendor",
			 k->vendor, "package", k->package, "package_version", k->package_version,
			 "config", k->config != NULL, "note", k->note);
}

static json_t *kernel_json(const struct kernel_spec *spec, const struct kernel *k)
{
	return json_pack("{s:s s:b s:o s:s s:s? s:s? s:s? s:s? s:b}", "id", spec->id, "cached",
			 k != NULL, "identity", k ? identity_json(k) : json_null(), "source",
			 spec->source, "suite", spec->suite, "package", spec->package, "version",
			 spec->version, "path", spec->path, "default", spec->in_default);
}

static bool print_json(json_t *root, GError **error)
{
	g_autofree char *text = json_dumps(root, JSON_INDENT(2)), *line = NULL;

	json_decref(root);
	line = g_strconcat(text ? text : "null", "\n", NULL);
	return cmd_output("-", line, strlen(line), error);
}

/* Through cmd_output(), which first clears a progress line that stands on the terminal. */
static void print(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
static void print(const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	cmd_output("-", text, strlen(text), NULL);
}

static const char *origin(const struct kernel_spec *spec)
{
	return spec->suite ? spec->suite : spec->path ? spec->path : "";
}

/* One line of the table; the note, if any, follows indented. */
static void print_kernel(const struct kernel_spec *spec, const struct kernel *k)
{
	print("%-18s %-28s %s%s%s\n", spec->id, k ? k->release : "not cached",
	      k && k->package_version ? k->package_version : origin(spec),
	      spec->in_default ? "" : " (not in the default set)",
	      k && !k->config ? " (config unknown)" : "");
	if (k && k->note)
		print("  note: %s\n", k->note);
}

/* ---- list ---- */

static bool list(GPtrArray *specs, const struct options *options, GError **error)
{
	json_t *kernels = json_array();

	for (guint i = 0; i < specs->len; i++) {
		g_autoptr(kernel) k = NULL;

		if (!kernel_cached(specs->pdata[i], &k, error)) {
			json_decref(kernels);
			return false;
		}
		if (options->json)
			json_array_append_new(kernels, kernel_json(specs->pdata[i], k));
		else
			print_kernel(specs->pdata[i], k);
	}
	if (options->json)
		return print_json(json_pack("{s:o}", "kernels", kernels), error);
	json_decref(kernels);
	return true;
}

/* ---- pull ---- */

struct pull {
	const struct options *options;
	json_t *kernels, *unavailable;
	unsigned had;
	int code;		/* what a failure asks for */
};

static void pull_failed(struct pull *pull, const struct kernel_spec *spec, GError *error)
{
	bool unavailable = g_error_matches(error, LAB_ERROR, LAB_ERROR_UNAVAILABLE) ||
			   g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT);

	/* A file that the user named on the command line is a usage error, one in a matrix not. */
	if (!unavailable || (!spec->line && error->code == LAB_ERROR_INPUT)) {
		int code = error->code == LAB_ERROR_INPUT ? EXIT_USAGE : 0;
		int own = cmd_error("kernels", error);

		pull->code = code ? code : own;
		return;
	}
	json_array_append_new(pull->unavailable, json_pack("{s:s s:s}", "kernel", spec->id,
							   "reason", error->message));
	if (!pull->options->json)
		print("%-18s unavailable: %s\n", spec->id, error->message);
}

static void pull_one(struct pull *pull, const struct kernel_spec *spec)
{
	g_autoptr(kernel) k = NULL;
	g_autoptr(GError) error = NULL;
	enum kernel_age age = pull->options->refresh ? KERNEL_REFRESHED : KERNEL_NEWEST;

	if (!kernel_pull(spec, age, &cmd_progress, &k, &error)) {
		pull_failed(pull, spec, error);
		return;
	}
	pull->had++;
	json_array_append_new(pull->kernels, kernel_json(spec, k));
	if (!pull->options->json)
		print_kernel(spec, k);
}

static int pull(GPtrArray *specs, const struct options *options, GError **error)
{
	struct pull pull = { .options = options, .kernels = json_array(),
			     .unavailable = json_array(), .code = EXIT_CLEAN };

	for (guint i = 0; i < specs->len && pull.code != EXIT_USAGE; i++)
		pull_one(&pull, specs->pdata[i]);
	if (options->json && !print_json(json_pack("{s:O s:O}", "kernels", pull.kernels,
						   "unavailable", pull.unavailable), error))
		pull.code = EXIT_INFRA;
	json_decref(pull.kernels);
	json_decref(pull.unavailable);
	if (pull.code != EXIT_CLEAN)
		return pull.code;
	return pull.had ? EXIT_CLEAN : EXIT_INFRA;
}

/* ---- command ---- */

/* Operands behind the verb are globs; without any, list shows all, pull takes the default set. */
static bool select_specs(struct lab *lab, int argc, char **argv, GPtrArray **ret, GError **error)
{
	static const char *const all[] = { "*", NULL };
	const char *const *globs = (const char *const *)argv + 2;

	if (argc <= 2 && !strcmp(argv[1], "list"))
		globs = all;
	return matrix_select(lab->matrix, argc <= 2 && globs != all ? NULL : globs, ret, error);
}

static int execute(int argc, char **argv, const struct options *options, GError **error)
{
	struct lab_params params = { .kernels_file = options->kernels_file };
	g_autoptr(lab) lab = NULL;
	g_autoptr(GPtrArray) specs = NULL;

	if (argc < 2 || (strcmp(argv[1], "list") && strcmp(argv[1], "pull"))) {
		lab_fail(error, LAB_ERROR_USAGE, "%s%s%s\n"
			 "hint: klab kernels list, klab kernels pull [GLOB]...",
			 argc < 2 ? "say what to do, list or pull" : "'", argc < 2 ? "" : argv[1],
			 argc < 2 ? "" : "' is neither list nor pull");
		return EXIT_USAGE;
	}
	if (!lab_open(&params, &lab, error) || !select_specs(lab, argc, argv, &specs, error))
		return EXIT_USAGE;
	if (!strcmp(argv[1], "pull"))
		return pull(specs, options, error);
	return list(specs, options, error) ? EXIT_CLEAN : EXIT_INFRA;
}

static const char about[] =
	"List the kernels of the matrix and what of them is cached, or fetch the newest of each.\n"
	"Without GLOB, list shows all and pull takes the default set.";
static const char epilog[] =
	"Examples:\n  klab kernels list --json\n  klab kernels pull 'debian-*'\n\n"
	"Kernels that cannot be had are printed with the reason. Exit code: 0, 2 usage or no such\n"
	"kernel, 3 nothing could be had.";

static int run_command(int argc, char **argv)
{
	struct options options = { 0 };
	const GOptionEntry entries[] = {
		{ "json", 0, 0, G_OPTION_ARG_NONE, &options.json, "Print JSON", NULL },
		{ "refresh", 0, 0, G_OPTION_ARG_NONE, &options.refresh,
		  "pull: update package lists that are younger than an hour too", NULL },
		{ "config", 0, 0, G_OPTION_ARG_FILENAME, &options.kernels_file,
		  "Kernel matrix (default: ./kernels.yaml, else the shipped one)", "FILE" },
		{ 0 },
	};
	g_autoptr(GError) error = NULL;
	int code;

	if (cmd_parse(&argc, &argv, "list|pull [GLOB|file:PATH[,id=NAME]]...", about, entries,
		      epilog, &code)) {
		code = execute(argc, argv, &options, &error);
		if (error)
			code = cmd_error("kernels", error);
	}
	g_free(options.kernels_file);
	return code;
}

const struct command command_kernels = {
	.name = "kernels",
	.summary = "list the kernels of the matrix, or fetch them",
	.run = run_command,
};
