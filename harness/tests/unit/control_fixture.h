/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests of control kernels start from: a folder of their own, and files in it. */
#ifndef KLAB_TESTS_CONTROL_FIXTURE_H
#define KLAB_TESTS_CONTROL_FIXTURE_H

#include "base/fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static char *root; /* a folder of this test */

static inline int make_root(void **state)
{
	root = g_dir_make_tmp("klab-control-XXXXXX", NULL);
	return root ? 0 : -1;
}

static inline int remove_root(void **state)
{
	fs_remove(root, NULL);
	g_clear_pointer(&root, g_free);
	return 0;
}

static inline void put(const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(root, name, NULL), *dir = g_path_get_dirname(path);

	assert_true(fs_mkdir(dir, NULL));
	assert_true(fs_write(path, text, strlen(text), NULL));
}

static inline char *get(const char *name)
{
	g_autofree char *path = g_build_filename(root, name, NULL);
	char *text = NULL;

	return fs_read(path, 1 << 20, &text, NULL, NULL) ? text : NULL;
}

#define WITH_ROOT(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)

#endif
