// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as the state of a sync and as a list of packages; what these are called goes through
 * the families of a catalogue, and comes out as a row that can be read.
 */
#include "kernel/sync.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void parse_state(const char *text, size_t len)
{
	struct sync_watch watch = {
		.name = (char *)"w",
		.known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
		.places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
	};
	g_autoptr(GError) error = NULL;

	if (sync_state_parse(&watch, text, len, &error)) {
		g_autofree char *again = sync_state_text(&watch, watch.since);

		if (!*again)
			g_error("what was read cannot be written");
	} else if (!error || !*error->message || g_hash_table_size(watch.known)) {
		g_error("a damaged state left something");
	}
	g_hash_table_unref(watch.known);
	g_hash_table_unref(watch.places);
	g_free(watch.since);
}

static void write_row(const struct matrix *m, const struct sync_package *package)
{
	const struct matrix_family *family = m->families->pdata[0];
	g_autofree char *name = matrix_family_name(family, package->name, package->version);
	g_autofree char *id = name ? matrix_family_id(family, name) : NULL;
	struct kernel_spec row = { .id = id,
				   .source = (char *)"apt",
				   .suite = (char *)"s",
				   .package = package->name,
				   .version = package->version };
	g_autofree char *item = id ? matrix_item(&row) : NULL, *text = NULL;
	g_autoptr(matrix) again = NULL;
	g_autoptr(GError) error = NULL;

	if (!id)
		return;
	text = g_strconcat("kernels:\n", item, NULL);
	if (!matrix_parse("row", text, strlen(text), &again, &error))
		g_error("%s", error->message);
	if (strcmp(((struct kernel_spec *)again->kernels->pdata[0])->package, package->name))
		g_error("another package came back");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char text[] = "families: [{id: f, source: apt, suite: s, package: "
				   "'linux-image-{version}-x', versions: ['1']}]";
	g_autoptr(GPtrArray) packages =
		g_ptr_array_new_with_free_func((GDestroyNotify)sync_package_free);
	g_autoptr(GPtrArray) prefixes = g_ptr_array_new();
	struct sync_wanted wanted = { prefixes };
	g_autoptr(matrix) m = NULL;

	g_ptr_array_add(prefixes, (char *)"k");
	parse_state((const char *)data, len);
	sync_index_scan(packages, &wanted, (const char *)data, len);
	if (!matrix_parse("families", text, strlen(text), &m, NULL))
		return 0;
	for (unsigned i = 0; i < packages->len; i++)
		write_row(m, packages->pdata[i]);
	return 0;
}
