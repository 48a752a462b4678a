/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests of control kernels start from: a folder of their own, and files in it. */
#ifndef KLAB_TESTS_CONTROL_FIXTURE_H
#define KLAB_TESTS_CONTROL_FIXTURE_H

#include "base/fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <cmocka.h>

static char *root; /* a folder of this test */

/* Memory, where it has room and programs may be started: what is tested syncs each file that it
 * writes, which takes long on a busy disk. */
static inline const char *fast_tmp_dir(void)
{
	static const char shm[] = "/dev/shm";
	struct statvfs fs;

	return !statvfs(shm, &fs) && !(fs.f_flag & ST_NOEXEC) && !access(shm, W_OK) &&
			       (uint64_t)fs.f_bavail * fs.f_frsize >> 30 >= 2
		       ? shm
		       : g_get_tmp_dir();
}

static inline int make_root(void **state)
{
	root = g_mkdtemp(g_build_filename(fast_tmp_dir(), "klab-control-XXXXXX", NULL));
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
	FILE *file;

	assert_true(fs_mkdir(dir, NULL));
	/* Not fs_write(): a test's input need not survive a power cut. */
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static inline char *get(const char *name)
{
	g_autofree char *path = g_build_filename(root, name, NULL);
	char *text = NULL;

	return fs_read(path, 1 << 20, &text, NULL, NULL) ? text : NULL;
}

#define WITH_ROOT(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)

#endif
