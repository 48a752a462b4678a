// SPDX-License-Identifier: GPL-2.0-or-later
/* kernel/gc: who goes and who stays, as a table; then real folders, locks and leftovers. */
#include "base/fs.h"
#include "kernel/gc.h"
#include "kernel/hold.h"
#include "kernel/import.h"
#include "kernel/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "fake_bzimage.h"

#define DAY 86400

static char *dir;

static int setup(void **state)
{
	dir = g_dir_make_tmp("klab-gc-XXXXXX", NULL);
	g_setenv("XDG_CACHE_HOME", dir, TRUE);
	return 0;
}

static int teardown(void **state)
{
	bool ok = fs_remove(dir, NULL);

	g_clear_pointer(&dir, g_free);
	return ok ? 0 : -1;
}

/* ---- the choice ---- */

static void test_choose(void **state)
{
	/* Images a..d of 10 bytes, used 40, 30, 20 and 1 days ago; a is of the default set, b an
	 * import. `gone` lists those that go. */
	static const struct {
		struct gc_params params;
		const char *gone;
	} rows[] = {
		{ { .max_bytes = 40, .keep_days = -1 }, "" },
		{ { .max_bytes = 39, .keep_days = -1 }, "c" },
		{ { .max_bytes = 25, .keep_days = -1 }, "cd" },
		{ { .max_bytes = 0, .keep_days = -1 }, "cd" },
		{ { .max_bytes = 0, .keep_days = 5 }, "c" },
		{ { .max_bytes = 39, .keep_days = 25 }, "" },
		{ { .max_bytes = 39, .keep_days = -1, .all = true }, "a" },
		{ { .max_bytes = 10, .keep_days = -1, .all = true }, "abc" },
		{ { .max_bytes = UINT64_MAX, .keep_days = 10 }, "c" },
		{ { .max_bytes = UINT64_MAX, .keep_days = 10, .all = true }, "abc" },
		{ { .max_bytes = UINT64_MAX, .keep_days = -1 }, "" },
	};
	static const int ages[] = { 40, 30, 20, 1 };

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GPtrArray) images = g_ptr_array_new_with_free_func(g_free);
		g_autoptr(GString) gone = g_string_new(NULL);

		for (int j = 3; j >= 0; j--) {
			struct gc_item *image = g_new0(struct gc_item, 1);

			*image = (struct gc_item){ .name = (char *)(const char *[]){ "a", "b", "c",
										     "d" }[j],
						   .bytes = 10,
						   .used_s = 1000 * DAY - ages[j] * DAY,
						   .is_default = j == 0,
						   .is_import = j == 1 };
			g_ptr_array_add(images, image);
		}
		gc_choose(images, &rows[i].params, 1000 * DAY);
		for (guint j = 0; j < images->len; j++) {
			const struct gc_item *image = images->pdata[j];

			if (image->fate == GC_REMOVED)
				g_string_append(gone, image->name);
		}
		if (strcmp(gone->str, rows[i].gone))
			fail_msg("row %zu: '%s' go, not '%s'", i, gone->str, rows[i].gone);
	}
}

static void test_size(void **state)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: none */
	} rows[] = {
		{ "0", 0 },
		{ "1000", 1000 },
		{ "5G", 5ll << 30 },
		{ "5g", 5ll << 30 },
		{ "5GiB", 5ll << 30 },
		{ "1.5M", 3 << 19 },
		{ "2KB", 2048 },
		{ "", -1 },
		{ "G", -1 },
		{ "5X", -1 },
		{ "-1", -1 },
		{ "5G5", -1 },
		{ "nan", -1 },
		{ "1e300", -1 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		uint64_t got = 0;
		bool ok = gc_parse_size(rows[i].text, &got, NULL);

		if (ok != (rows[i].want >= 0) || (ok && got != (uint64_t)rows[i].want))
			fail_msg("'%s': %d %llu", rows[i].text, ok, (unsigned long long)got);
	}
}

/* ---- real folders ---- */

static struct kernel *put(unsigned ballast, int age_days)
{
	g_autoptr(GByteArray) img =
		fake_bzimage(&(struct fake_bzimage){ .xloadflags = 1, .ballast = ballast });
	struct kernel_found found = { .image = (char *)img->data, .image_len = img->len };
	struct timespec at[2] = { { .tv_sec = time(NULL) - age_days * DAY } };
	struct kernel *k = NULL;

	at[1] = at[0];
	assert_true(kernel_store_put(&found, &k, NULL));
	assert_int_equal(utimensat(AT_FDCWD, k->image, at, 0), 0);
	return k;
}

static struct matrix *matrix_of(const char *yaml)
{
	struct matrix *m = NULL;

	assert_true(matrix_parse("t.yaml", yaml, strlen(yaml), &m, NULL));
	return m;
}

static bool is_there(const struct kernel *k)
{
	return g_file_test(k->image, G_FILE_TEST_EXISTS);
}

static const char yaml[] = "kernels:\n  - {id: d, source: apt, suite: s, package: p}\n"
			   "  - {id: o, source: apt, suite: s, package: q}\ndefault: [d]\n";

static void test_run(void **state)
{
	const struct gc_params nothing = { .keep_days = -1 },
			       dry = { .keep_days = -1, .dry_run = true };
	g_autoptr(matrix) m = matrix_of(yaml);
	g_autoptr(kernel) d = put(1, 9), o = put(2, 8), loose = put(3, 7);
	g_autoptr(GPtrArray) images = NULL, again = NULL;
	g_autofree char *half = g_strdup_printf("%s/klab/kernels/abc.tmp-XYZ", dir);
	g_autofree char *fresh = g_strdup_printf("%s/klab/kernels/def.tmp-XYZ", dir);
	struct timespec old[2] = { { .tv_sec = time(NULL) - DAY }, { .tv_sec = time(NULL) - DAY } };
	g_autofree char *sha256 = NULL;

	assert_true(kernel_store_index(m->kernels->pdata[0], d, NULL));
	assert_true(kernel_store_index(m->kernels->pdata[1], o, NULL));
	assert_true(fs_mkdir(half, NULL) && fs_mkdir(fresh, NULL));
	assert_int_equal(utimensat(AT_FDCWD, half, old, 0), 0);
	assert_true(gc_run(&dry, m, NULL, &images, NULL));
	assert_int_equal(images->len, 5);
	assert_int_equal(((struct gc_item *)images->pdata[0])->fate, GC_REMOVED);
	assert_int_equal(((struct gc_item *)images->pdata[1])->fate, GC_RECENT);
	assert_true(is_there(d) && is_there(o) && is_there(loose));
	assert_true(g_file_test(half, G_FILE_TEST_EXISTS));
	assert_true(gc_run(&nothing, m, NULL, &again, NULL));
	assert_true(is_there(d));
	assert_false(is_there(o));
	assert_false(is_there(loose));
	assert_string_equal(((struct gc_item *)again->pdata[2])->names, "d");
	assert_string_equal(((struct gc_item *)again->pdata[2])->label, "6.1.0-fake");
	assert_int_equal(((struct gc_item *)again->pdata[2])->fate, GC_DEFAULT);
	assert_int_equal(((struct gc_item *)again->pdata[3])->fate, GC_REMOVED);
	/* what a killed klab left goes, what may be at work stays; the index has no dead ends */
	assert_false(g_file_test(half, G_FILE_TEST_EXISTS));
	assert_true(g_file_test(fresh, G_FILE_TEST_EXISTS));
	sha256 = kernel_store_sha256(m->kernels->pdata[1]);
	assert_null(sha256);
}

/* Another process that holds an image keeps it; when it is gone, however, so is the lock. */
static void test_held(void **state)
{
	const struct gc_params nothing = { .keep_days = -1 };
	g_autoptr(matrix) m = matrix_of(yaml);
	g_autoptr(kernel) k = put(4, 9);
	g_autoptr(GPtrArray) images = NULL, again = NULL;
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		byte = kernel_hold(k->image) ? 'y' : 'n';
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_true(gc_run(&nothing, m, NULL, &images, NULL));
	assert_int_equal(((struct gc_item *)images->pdata[0])->fate, GC_IN_USE);
	assert_true(is_there(k));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(gc_run(&nothing, m, NULL, &again, NULL));
	assert_false(is_there(k));
	assert_false(kernel_hold(k->image));
	close(ready[0]);
	close(ready[1]);
}

/* To hold is to use: it is the youngest then. A fetch from the cache holds. */
static void test_touch(void **state)
{
	g_autoptr(matrix) m = matrix_of(yaml);
	g_autoptr(kernel) k = put(5, 100), got = NULL;
	struct stat st;

	assert_true(kernel_store_index(m->kernels->pdata[0], k, NULL));
	assert_true(kernel_cached(m->kernels->pdata[0], &got, NULL));
	assert_int_equal(stat(k->image, &st), 0);
	assert_true(st.st_mtime < time(NULL) - 99 * DAY);
	g_clear_pointer(&got, kernel_free);
	assert_true(kernel_fetch(m->kernels->pdata[0], NULL, &got, NULL));
	assert_int_equal(stat(k->image, &st), 0);
	assert_true(st.st_mtime > time(NULL) - DAY);
}

/* ---- what there is beside images ---- */

/* A file of the cache, or a folder if it has no text, that was last touched `age_s` ago. */
static void leave(const char *name, const char *text, int age_s)
{
	g_autofree char *path = g_build_filename(dir, "klab", name, NULL);
	g_autofree char *parent = g_path_get_dirname(path);
	struct timespec at[2] = { { .tv_sec = time(NULL) - age_s } };

	at[1] = at[0];
	assert_true(fs_mkdir(parent, NULL));
	assert_true(text ? fs_write(path, text, strlen(text), NULL) : fs_mkdir(path, NULL));
	assert_int_equal(utimensat(AT_FDCWD, path, at, 0), 0);
}

static bool exists(const char *name)
{
	g_autofree char *path = g_build_filename(dir, "klab", name, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static int lock(const char *name)
{
	g_autofree char *path = g_build_filename(dir, "klab", name, NULL);

	return fs_lock(path, 0, NULL);
}

static const struct gc_item *find(const GPtrArray *items, const char *name)
{
	for (guint i = 0; i < items->len; i++) {
		const struct gc_item *item = items->pdata[i];

		if (!strcmp(item->name, name))
			return item;
	}
	return NULL;
}

static void leave_all(void)
{
	leave("downloads/aa.part", "half", 2 * DAY);
	leave("downloads/aa.json", "{\"url\": \"http://me:secret@a.example/x.deb\"}", 2 * DAY);
	leave("downloads/bb.part", "half", 60);
	leave("downloads/cc.index", "whole", 3 * DAY);
	leave("kernels/download/package.deb", "half", 0);
	leave("kernels/download", NULL, 2 * DAY);
	leave("git/r1/repo.git/objects/info/alternates", "/src/linux/.git/objects\n", 9 * DAY);
	leave("git/r1/lock", "", 9 * DAY);
	leave("git/r1/obj-1/include/config/kernel.release", "6.2.0\n", 8 * DAY);
	leave("git/r1/obj-2/x", "y", 7 * DAY);
	leave("git/r1/obj-1", NULL, 8 * DAY);
	leave("git/r1/obj-2", NULL, 2 * DAY);
	leave("controls/work-i/src", NULL, 5 * DAY);
	leave("controls/work-i", NULL, 5 * DAY);
	leave("controls/i.lock", "", 5 * DAY);
	leave("controls/k/clean.bzImage", "a control", 90 * DAY);
}

static void test_others(void **state)
{
	const struct gc_params nothing = { .keep_days = -1 }, plenty = { 1ull << 40, -1 };
	const struct gc_params recent = { .max_bytes = UINT64_MAX, .keep_days = 6 };
	g_autoptr(matrix) m = matrix_of(yaml);
	g_autoptr(GPtrArray) items = NULL, again = NULL, third = NULL;

	leave_all();
	assert_true(gc_run(&plenty, m, NULL, &items, NULL));
	assert_int_equal(find(items, "downloads/aa.part")->fate, GC_REMOVED);
	assert_string_equal(find(items, "downloads/aa.part")->label, "http://a.example/x.deb");
	assert_int_equal(find(items, "downloads/bb.part")->fate, GC_RECENT);
	assert_string_equal(find(items, "git/r1")->label, "/src/linux/.git");
	assert_string_equal(find(items, "git/r1/obj-1")->label, "6.2.0");
	assert_int_equal(find(items, "git/r1")->fate, GC_KEPT);
	assert_false(exists("downloads/aa.part") || exists("downloads/aa.json"));
	assert_false(exists("kernels/download"));
	assert_true(exists("downloads/bb.part") && exists("downloads/cc.index"));
	/* by age; sources are as young as their youngest objects */
	assert_true(gc_run(&recent, m, NULL, &again, NULL));
	assert_false(exists("git/r1/obj-1"));
	assert_true(exists("git/r1/obj-2") && exists("git/r1/repo.git"));
	assert_true(exists("controls/work-i"));
	assert_true(gc_run(&nothing, m, NULL, &third, NULL));
	assert_false(exists("git/r1") || exists("controls/work-i") || exists("downloads/cc.index"));
	/* what controls were built to is not ours, nor is what somebody may go on with */
	assert_true(exists("controls/k/clean.bzImage") && exists("downloads/bb.part"));
}

/* Whoever works with a thing keeps it, and a build keeps all that builds use. */
static void test_others_in_use(void **state)
{
	static const char *const names[] = { "downloads/aa.part", "git/r1", "git/r1/obj-2",
					     "controls/work-i" };
	static const char *const locks[] = { "downloads/aa.part", "git/r1/lock",
					     "controls/i.lock" };
	const struct gc_params nothing = { .keep_days = -1 };
	g_autoptr(matrix) m = matrix_of(yaml);
	g_autoptr(GPtrArray) items = NULL, again = NULL;
	int fds[G_N_ELEMENTS(locks)], build;

	leave_all();
	for (size_t i = 0; i < G_N_ELEMENTS(locks); i++)
		assert_true((fds[i] = lock(locks[i])) >= 0);
	assert_true(gc_run(&nothing, m, NULL, &items, NULL));
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		assert_int_equal(find(items, names[i])->fate, GC_IN_USE);
		assert_true(exists(names[i]));
	}
	for (size_t i = 0; i < G_N_ELEMENTS(locks); i++)
		close(fds[i]);
	assert_true((build = lock("kernels/lock-build")) >= 0);
	assert_true(gc_run(&nothing, m, NULL, &again, NULL));
	assert_int_equal(find(again, "git/r1")->fate, GC_IN_USE);
	assert_true(exists("git/r1/obj-2") && exists("controls/work-i"));
	assert_false(exists("downloads/aa.part"));
	close(build);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_size),
		cmocka_unit_test_setup_teardown(test_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held, setup, teardown),
		cmocka_unit_test_setup_teardown(test_touch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_others_in_use, setup, teardown),
	};

	return cmocka_run_group_tests_name("gc", tests, NULL, NULL);
}
