// SPDX-License-Identifier: GPL-2.0-or-later
/* klab kernels: the catalogue and its cache. One file a subcommand; what they share is here. */
#include "cmd/kernels.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct command subcommands[] = {
	{ "kernels list", "what the catalogue has, and what of it is cached", kernels_list },
	{ "kernels pull", "fetch the newest of each, verified", kernels_pull },
	{ "kernels sync", "which builds came out since the last sync; add and run them",
	  kernels_sync },
	{ "kernels import", "take kernels from packages, archives and images", kernels_import },
	{ "kernels forget", "take an import back", kernels_forget },
	{ "kernels gc", "make room: images that were not used for long go", kernels_gc },
};

/* --- how a kernel is shown -----------------------------------------------------------------------
 */

static json_t *identity_json(const struct kernel *k)
{
	return json_pack("{s:s s:s s:s s:s s:s? s:s? s:s? s:b s:s? s:O*}", "release", k->release,
			 "version", k->version, "sha256", k->sha256, "image", k->image, "vendor",
			 k->vendor, "package", k->package, "package_version", k->package_version,
			 "config", k->config != NULL, "note", k->note, "build", k->identity);
}

static json_t *strings(char **list)
{
	json_t *array = json_array();

	for (; list && *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

/* NULL: it is cached, or nothing stands against it. */
static json_t *refusal_json(const struct kernel_spec *spec, const struct kernel *k)
{
	int64_t at_s;
	g_autofree char *reason = k ? NULL : kernel_refusal(spec, &at_s), *day = NULL;
	g_autoptr(GDateTime) at = reason ? g_date_time_new_from_unix_utc(at_s) : NULL;

	day = at ? g_date_time_format_iso8601(at) : NULL;
	return reason ? json_pack("{s:s s:s?}", "reason", reason, "at", day) : NULL;
}

json_t *kernels_json(const struct kernel_spec *spec, const struct kernel *k)
{
	return json_pack(
		"{s:s s:b s:o s:s s:s? s:s? s:s? s:s? s:b s:s* s:s* s:s* s:s* s:s* s:o s:o?}", "id",
		spec->id, "cached", k != NULL, "identity", k ? identity_json(k) : json_null(),
		"source", spec->source, "suite", spec->suite, "package", spec->package, "version",
		spec->version, "path", spec->path, "default", spec->in_default, "url", spec->url,
		"repo", spec->repo, "remote", spec->remote, "ref", spec->ref, "family",
		spec->family, "aliases", strings(spec->aliases), "unavailable",
		refusal_json(spec, k));
}

static const char *origin(const struct kernel_spec *spec)
{
	const char *const from[] = { spec->suite, spec->path, spec->version,
				     spec->ref,   spec->url,  spec->repo };

	for (size_t i = 0; i < G_N_ELEMENTS(from); i++)
		if (from[i])
			return from[i];
	return "";
}

/* The reason's first line says when it was given, its hint stands below. */
static void print_refusal(const char *reason, int64_t at_s)
{
	g_autoptr(GDateTime) at = g_date_time_new_from_unix_local(at_s);
	g_autofree char *when = at ? g_date_time_format(at, "%Y-%m-%d %H:%M") : g_strdup("?");
	g_auto(GStrv) lines = g_strsplit(reason, "\n", -1);

	kernels_print("  %s: %s\n", when, lines[0] ? lines[0] : "");
	for (char **line = lines + 1; lines[0] && *line; line++)
		kernels_print("  %s\n", *line);
}

void kernels_row(const struct kernel_spec *spec, const struct kernel *k)
{
	int64_t at_s = 0;
	g_autofree char *refusal = k ? NULL : kernel_refusal(spec, &at_s);
	const char *state = k ? k->release : refusal ? "unavailable" : "not cached";

	kernels_print("%-24s %-28s %s%s%s\n", spec->id, state,
		      k && k->package_version ? k->package_version : origin(spec),
		      spec->in_default ? "" : " (not in the default set)",
		      k && !k->config ? " (config unknown)" : "");
	if (k && k->note)
		kernels_print("  note: %s\n", k->note);
	if (refusal)
		print_refusal(refusal, at_s);
}

bool kernels_print_json(json_t *root, GError **error)
{
	g_autofree char *text = json_dumps(root, JSON_INDENT(2)), *line = NULL;

	json_decref(root);
	line = g_strconcat(text ? text : "null", "\n", NULL);
	return cmd_output("-", line, strlen(line), error);
}

void kernels_print(const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	cmd_output("-", text, strlen(text), NULL);
}

/* --- command -------------------------------------------------------------------------------------
 */

static void usage(FILE *to)
{
	fputs("Usage: klab kernels COMMAND [OPTION...]\n\n"
	      "List the kernels of the catalogue, fetch them, bring your own.\n\nCommands:\n",
	      to);
	for (size_t i = 0; i < G_N_ELEMENTS(subcommands); i++)
		fprintf(to, "  %-10s %s\n", strchr(subcommands[i].name, ' ') + 1,
			subcommands[i].summary);
	fputs("\n'klab kernels COMMAND --help' tells more.\n", to);
}

static int run_command(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
		usage(stdout);
		return EXIT_CLEAN;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(subcommands); i++) {
		if (strcmp(strchr(subcommands[i].name, ' ') + 1, name))
			continue;
		argv[1] = (char *)subcommands[i].name;
		return subcommands[i].run(argc - 1, argv + 1);
	}
	if (*name)
		fprintf(stderr, "klab kernels: no command '%s'\n", name);
	usage(stderr);
	return EXIT_USAGE;
}

const struct command command_kernels = {
	.name = "kernels",
	.summary = "the catalogue: list, pull, sync, import, gc",
	.run = run_command,
};
