/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder for each test, with the caches in it. */
#ifndef CACHE_FIXTURE_H
#define CACHE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/fs.h"

static char *dir;

static inline int setup(void **state)
{
	g_autofree char *cache = NULL;

	(void)state;
	dir = g_dir_make_tmp("klab-test-XXXXXX", NULL);
	cache = g_build_filename(dir, "cache", NULL);
	g_setenv("XDG_CACHE_HOME", cache, TRUE);
	return 0;
}

static inline int teardown(void **state)
{
	bool ok = fs_remove(dir, NULL);

	(void)state;
	g_clear_pointer(&dir, g_free);
	return ok ? 0 : -1;
}

static inline char *write_file(const char *name, const void *data, size_t len)
{
	char *path = g_build_filename(dir, name, NULL);

	assert_true(fs_write(path, data, len, NULL));
	return path;
}

#endif
