// SPDX-License-Identifier: GPL-2.0-or-later
/* kernels.d: read by name, written whole or not at all. See dropin.h. */
#include "cmd/dropin.h"

#include "base/fs.h"

#include <string.h>

#define DROPIN_MAX (8u << 20)

char *dropin_dir(const char *kernels_file)
{
	g_autofree char *dir = kernels_file ? g_path_get_dirname(kernels_file) : g_strdup(".");

	return strcmp(dir, ".") ? g_build_filename(dir, "kernels.d", NULL) : g_strdup("kernels.d");
}

static int compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static GPtrArray *list(const char *dir)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	const char *name;

	while (d && (name = g_dir_read_name(d)))
		if (*name != '.' && g_str_has_suffix(name, ".yaml"))
			g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, compare_names);
	return names;
}

bool dropin_load(struct matrix *m, const char *dir, GError **error)
{
	g_autoptr(GPtrArray) names = list(dir);

	if (names->len > DROPIN_FILES_MAX)
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s' holds more than %u files\n"
				"hint: what several of them say can stand in one",
				dir, DROPIN_FILES_MAX);
	for (unsigned i = 0; i < names->len; i++) {
		g_autofree char *path = g_build_filename(dir, names->pdata[i], NULL), *text = NULL;
		size_t len;

		if (!fs_read(path, DROPIN_MAX, &text, &len, error) ||
		    !matrix_add(m, path, text, len, error))
			return false;
	}
	return true;
}

/* A name that sorts by time; what is there is never written over. */
static char *free_path(const char *dir)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *stamp = g_date_time_format(now, "sync-%Y%m%d-%H%M%S");

	for (unsigned i = 1;; i++) {
		g_autofree char *name = i == 1 ? g_strconcat(stamp, ".yaml", NULL)
					       : g_strdup_printf("%s-%u.yaml", stamp, i);
		g_autofree char *path = g_build_filename(dir, name, NULL);

		if (!g_file_test(path, G_FILE_TEST_EXISTS))
			return g_steal_pointer(&path);
	}
}

bool dropin_write(const char *dir, GPtrArray *rows, char **ret_path, GError **error)
{
	g_autoptr(GString) text =
		g_string_new("# Written by 'klab kernels sync --add'; a row that is not wanted any "
			     "more may go.\nkernels:\n");
	g_autofree char *path = free_path(dir);
	g_autoptr(matrix) read_back = NULL;

	for (unsigned i = 0; i < rows->len; i++) {
		g_autofree char *item = matrix_item(rows->pdata[i]);

		g_string_append(text, item);
	}
	/* A file that could not be read would stop every command. */
	if (!matrix_parse(path, text->str, text->len, &read_back, error) || !fs_mkdir(dir, error) ||
	    !fs_write(path, text->str, text->len, error))
		return false;
	*ret_path = g_steal_pointer(&path);
	return true;
}
