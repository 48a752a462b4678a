// SPDX-License-Identifier: GPL-2.0-or-later
/* klab kernels gc: make room in the cache, and tell what went and what stays. */
#include "cmd/kernels.h"

#include "kernel/gc.h"

#include <string.h>
#include <time.h>

#define SIZE_DEFAULT "5G"
#define DAY_S 86400

struct options {
	char *config, *size;
	int days;
	gboolean all, dry_run, json;
};

static bool make_params(const struct options *o, struct gc_params *ret, GError **error)
{
	*ret = (struct gc_params){
		.max_bytes = UINT64_MAX, .keep_days = o->days, .all = o->all, .dry_run = o->dry_run
	};
	if (o->days < -1 || o->days > 36500)
		return lab_fail(error, LAB_ERROR_USAGE, "--keep-days is %d, wants 0..36500",
				o->days);
	if (!o->size && o->days >= 0)
		return true;
	return gc_parse_size(o->size ? o->size : SIZE_DEFAULT, &ret->max_bytes, error) ||
	       lab_prefix(error, "--max-size");
}

static char *iso8601(int64_t at_s)
{
	g_autoptr(GDateTime) at = g_date_time_new_from_unix_utc(at_s);

	return at ? g_date_time_format_iso8601(at) : g_strdup("");
}

static json_t *image_json(const struct gc_item *image)
{
	g_autofree char *used = iso8601(image->used_s);

	return json_pack("{s:s s:s s:s s:I s:s s:s s:b}", "sha256", image->name, "release",
			 image->label, "names", image->names, "bytes", (json_int_t)image->bytes,
			 "used", used, "fate", gc_fate_name(image->fate), "removed",
			 image->fate == GC_REMOVED);
}

static json_t *other_json(const struct gc_item *item)
{
	g_autofree char *used = iso8601(item->used_s);

	return json_pack("{s:s s:s s:s s:I s:s s:s s:b}", "kind", gc_kind_name(item->kind), "path",
			 item->name, "of", item->label, "bytes", (json_int_t)item->bytes, "used",
			 used, "fate", gc_fate_name(item->fate), "removed",
			 item->fate == GC_REMOVED);
}

static void print_item(const struct options *o, const struct gc_item *item, int64_t now_s)
{
	g_autofree char *size = g_format_size_full(item->bytes, G_FORMAT_SIZE_IEC_UNITS);
	int days = MAX(now_s - item->used_s, 0) / DAY_S;
	bool would_go = o->dry_run && item->fate == GC_REMOVED;
	const char *fate = would_go ? "would go" : gc_fate_name(item->fate);

	kernels_print("%-14s %10s  %3d d  %-10s %-28s %s\n", fate, size, days,
		      gc_kind_name(item->kind), item->label,
		      *item->names ? item->names : item->name);
}

static bool show_json(const struct options *o, GPtrArray *items, const uint64_t bytes[2],
		      GError **error)
{
	json_t *images = json_array(), *others = json_array();

	for (guint i = 0; i < items->len; i++) {
		const struct gc_item *item = items->pdata[i];

		if (item->kind == GC_IMAGE)
			json_array_append_new(images, image_json(item));
		else
			json_array_append_new(others, other_json(item));
	}
	return kernels_print_json(json_pack("{s:b s:I s:I s:o s:o}", "dry_run", o->dry_run,
					    "removed_bytes", (json_int_t)bytes[1], "kept_bytes",
					    (json_int_t)bytes[0], "images", images, "others",
					    others),
				  error);
}

static bool show(const struct options *o, GPtrArray *items, GError **error)
{
	g_autofree char *gone = NULL, *left = NULL;
	uint64_t bytes[2] = { 0 };

	for (guint i = 0; i < items->len; i++) {
		const struct gc_item *item = items->pdata[i];

		bytes[item->fate == GC_REMOVED] += item->bytes;
		if (!o->json)
			print_item(o, item, time(NULL));
	}
	if (o->json)
		return show_json(o, items, bytes, error);
	gone = g_format_size_full(bytes[1], G_FORMAT_SIZE_IEC_UNITS);
	left = g_format_size_full(bytes[0], G_FORMAT_SIZE_IEC_UNITS);
	kernels_print("%s %s, %s %s\n", gone, o->dry_run ? "would go" : "removed", left,
		      o->dry_run ? "would stay" : "left");
	return true;
}

static int execute(const struct options *o, GError **error)
{
	struct lab_params lab_params = { .kernels_file = o->config };
	g_autoptr(lab) lab = NULL;
	g_autoptr(GPtrArray) items = NULL;
	struct gc_params params;

	if (!make_params(o, &params, error) || !lab_open(&lab_params, &lab, error))
		return EXIT_USAGE;
	return gc_run(&params, lab->matrix, &cmd_progress, &items, error) && show(o, items, error)
		       ? EXIT_CLEAN
		       : EXIT_INFRA;
}

int kernels_gc(int argc, char **argv)
{
	struct options o = { .days = -1 };
	const GOptionEntry entries[] = {
		{ "max-size", 0, 0, G_OPTION_ARG_STRING, &o.size,
		  "How much may stay (default: " SIZE_DEFAULT ", or any with --keep-days)",
		  "SIZE" },
		{ "keep-days", 0, 0, G_OPTION_ARG_INT, &o.days,
		  "What was used in the last N days stays, whatever its size; without --max-size "
		  "all "
		  "the rest goes",
		  "N" },
		{ "all", 0, 0, G_OPTION_ARG_NONE, &o.all, "The default set and imports may go too",
		  NULL },
		{ "dry-run", 'n', 0, G_OPTION_ARG_NONE, &o.dry_run, "Only tell what would go",
		  NULL },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &o.json, "Print JSON", NULL },
		{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &o.config,
		  "Kernels file, whose default set stays (default: ./kernels.yaml, else the "
		  "shipped one)",
		  "FILE" },
		{ 0 },
	};
	g_autoptr(GError) error = NULL;
	int code;

	if (cmd_parse(&argc, &argv, "",
		      "Remove cached kernels, package indexes, and the sources and objects of "
		      "builds, "
		      "those\nfirst that were not used for the longest time, until the rest fits. "
		      "Downloads and\nfolders that were begun and not ended go in any case, once "
		      "they "
		      "are an hour old. What\nanother klab uses stays, and so do images of the "
		      "default set and imports.",
		      entries,
		      "Examples:\n  klab kernels gc --max-size 2G --dry-run\n"
		      "  klab kernels gc --keep-days 30\n\n"
		      "Each line: what became of it, size, days since its last use, what it is, "
		      "release or\norigin, names or path.\n"
		      "Exit code: 0, 2 usage, 3 the lab failed.",
		      &code)) {
		if (argc > 1)
			lab_fail(&error, LAB_ERROR_USAGE, "unexpected operand '%s'", argv[1]);
		else
			code = execute(&o, &error);
		if (error)
			code = cmd_error("kernels gc", error);
	}
	g_free(o.config);
	g_free(o.size);
	return code;
}
