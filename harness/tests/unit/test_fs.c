// SPDX-License-Identifier: GPL-2.0-or-later
/* base/fs: limits of reads, writes that are old or new but never half, locks, removal, sha256. */
#include "base/fs.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int setup(void **state)
{
	*state = g_dir_make_tmp("klab-fs-XXXXXX", NULL);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	bool ok = fs_remove(*state, NULL) && !g_file_test(*state, G_FILE_TEST_EXISTS);

	g_free(*state);
	return ok ? 0 : -1;
}

static char *in(void **state, const char *name)
{
	return g_build_filename(*state, name, NULL);
}

static void test_read_limit(void **state)
{
	static const struct {
		size_t len, max;
		bool ok;
	} cases[] = {
		{ 0, 0, true },
		{ 0, 10, true },
		{ 1, 0, false },
		{ 10, 10, true },
		{ 11, 10, false },
		{ 3u << 20, 3u << 20, true },
		{ (3u << 20) + 1, 3u << 20, false },
	};
	g_autofree char *path = in(state, "f"), *bytes = g_malloc0(4u << 20);

	memset(bytes, 'x', 4u << 20);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *data = NULL;
		size_t len = 99;

		assert_true(fs_write(path, bytes, cases[i].len, NULL));
		assert_int_equal(fs_read(path, cases[i].max, &data, &len, &error), cases[i].ok);
		if (cases[i].ok) {
			assert_int_equal(len, cases[i].len);
			assert_int_equal(data[len], 0);
			assert_memory_equal(data, bytes, len);
		} else {
			assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
			assert_null(data);
			assert_int_equal(len, 99);
		}
	}
}

static void test_read_absent_names_the_file(void **state)
{
	g_autofree char *path = in(state, "absent"), *data = NULL;
	g_autoptr(GError) error = NULL;

	assert_false(fs_read(path, 10, &data, NULL, &error));
	assert_non_null(strstr(error->message, path));
}

/* A write that fails half way (file size limit) leaves the old content and no debris. */
static void test_write_failure_keeps_the_old(void **state)
{
	g_autofree char *path = in(state, "f"), *big = g_malloc0(1u << 20), *data = NULL;
	size_t len;
	int status;
	pid_t pid;

	assert_true(fs_write(path, "old", 3, NULL));
	pid = fork();
	if (!pid) {
		struct rlimit limit = { 4096, 4096 };

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(fs_write(path, big, 1u << 20, NULL) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(fs_read(path, 10, &data, &len, NULL));
	assert_string_equal(data, "old");
	g_autoptr(GDir) dir = g_dir_open(*state, 0, NULL);
	assert_string_equal(g_dir_read_name(dir), "f");
	assert_null(g_dir_read_name(dir));
}

/* Readers that run beside a writer see one whole version or the other. */
static void test_write_is_atomic(void **state)
{
	enum { SIZE = 200000, ROUNDS = 60 };
	g_autofree char *path = in(state, "f"), *bytes = g_malloc(SIZE);
	int status;
	pid_t pid;

	memset(bytes, 'a', SIZE);
	assert_true(fs_write(path, bytes, SIZE, NULL));
	pid = fork();
	if (!pid) {
		for (int i = 0; i < ROUNDS; i++) {
			memset(bytes, 'a' + i % 26, SIZE);
			if (!fs_write(path, bytes, SIZE, NULL))
				_exit(1);
		}
		_exit(0);
	}
	while (!waitpid(pid, &status, WNOHANG)) {
		g_autofree char *data = NULL;
		size_t len;

		assert_true(fs_read(path, 1u << 20, &data, &len, NULL));
		assert_int_equal(len, SIZE);
		assert_memory_equal(data, data + 1, SIZE - 1);
	}
	assert_int_equal(status, 0);
}

static void test_remove_does_not_follow_links(void **state)
{
	g_autofree char *tree = in(state, "tree"), *deep = in(state, "tree/a/b/c");
	g_autofree char *link = in(state, "tree/a/out"), *outside = in(state, "outside");
	g_autofree char *kept = in(state, "outside/kept");

	assert_true(fs_mkdir(deep, NULL));
	assert_true(fs_mkdir(deep, NULL));
	assert_true(fs_mkdir(outside, NULL));
	assert_true(fs_write(kept, "x", 1, NULL));
	assert_int_equal(symlink(outside, link), 0);
	assert_true(fs_remove(tree, NULL));
	assert_false(g_file_test(tree, G_FILE_TEST_EXISTS));
	assert_true(g_file_test(kept, G_FILE_TEST_EXISTS));
	assert_true(fs_remove(tree, NULL));
}

/* What nests without end is given up, not followed until the stack is gone. */
static void test_remove_is_bounded(void **state)
{
	g_autofree char *tree = in(state, "deep"), *deep = g_strdup(tree);
	g_autoptr(GError) error = NULL;
	int dir = open(*state, O_RDONLY | O_DIRECTORY);

	for (int i = 0; i < 80; i++) {
		int next;

		assert_int_equal(mkdirat(dir, "deep", 0700), 0);
		next = openat(dir, "deep", O_RDONLY | O_DIRECTORY);
		close(dir);
		dir = next;
	}
	close(dir);
	assert_false(fs_remove(tree, &error));
	assert_non_null(strstr(error->message, tree));
	/* flattened by half it goes */
	for (int i = 0; i < 40; i++) {
		char *inner = g_strconcat(deep, "/deep", NULL);

		g_free(deep);
		deep = inner;
	}
	g_autofree char *aside = in(state, "aside");
	assert_int_equal(rename(deep, aside), 0);
	assert_true(fs_remove(tree, NULL) && fs_remove(aside, NULL));
}

static void test_cache_dir(void **state)
{
	g_autofree char *want = in(state, "klab/kernels"), *got = NULL, *klab = in(state, "klab");
	struct stat st;

	g_setenv("XDG_CACHE_HOME", *state, TRUE);
	got = fs_cache_dir("kernels", NULL);
	assert_string_equal(got, want);
	assert_true(g_file_test(want, G_FILE_TEST_IS_DIR));
	assert_int_equal(stat(klab, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);	/* ours alone, as XDG asks */
}

static void test_sha256(void **state)
{
	static const char abc[] =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	g_autofree char *path = in(state, "f"), *absent = in(state, "absent");
	g_autofree char *of_file = NULL, *of_bytes = fs_sha256_bytes("abc", 3);
	g_autoptr(GError) error = NULL;

	assert_true(fs_write(path, "abc", 3, NULL));
	of_file = fs_sha256(path, NULL);
	assert_string_equal(of_file, abc);
	assert_string_equal(of_bytes, abc);
	assert_null(fs_sha256(absent, &error));
	assert_non_null(error);
}

static void test_lock(void **state)
{
	g_autofree char *path = in(state, "lock");
	g_autoptr(GError) error = NULL;
	auto_fd first = fs_lock(path, 0, NULL), second = -1;

	assert_true(first >= 0);
	assert_int_equal(fs_lock(path, 0, &error), -1);
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_TIMEOUT));
	lab_fd_close(&first);
	second = fs_lock(path, 0, NULL);
	assert_true(second >= 0);
}

/* Hours in microseconds take more than 32 bits: 4295 s would be 33 ms. */
static void test_lock_waits_for_hours(void **state)
{
	g_autofree char *path = in(state, "lock");
	auto_fd held = fs_lock(path, 0, NULL), got = -1;
	pid_t pid = fork();

	if (!pid) { /* it has the lock, too, until it ends */
		g_usleep(300000);
		_exit(0);
	}
	assert_true(held >= 0 && pid > 0);
	lab_fd_close(&held);
	got = fs_lock(path, 4295, NULL);
	assert_true(got >= 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_absent_names_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_failure_keeps_the_old, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_is_atomic, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_does_not_follow_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cache_dir, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sha256, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lock_waits_for_hours, setup, teardown),
	};

	return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}
