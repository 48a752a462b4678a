// SPDX-License-Identifier: GPL-2.0-or-later
/* A journal on a disk that fails at any of its writes: what is left is a prefix of what happened,
 * it is never finished unless it is whole, and the error is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/fs.h"
#include "store/journal.h"
#include "tests/faults.h"

#include <string.h>

static char *dir;
static struct journal_view *whole; /* what a sound disk keeps */

static char *fresh_job(void)
{
	static unsigned n;
	char *job = g_strdup_printf("%s/job-%u", dir, n++);
	g_autofree char *spec = g_build_filename(job, "spec.json", NULL);

	assert_true(fs_mkdir(job, NULL));
	assert_true(fs_write(spec, "{}", 2, NULL));
	return job;
}

/* A short life; each step is tried even if the one before failed. *ret_ok: all went well. After the
 * first failure each must fail. */
static void live(const char *job, bool *ret_ok, GError **error)
{
	g_autoptr(journal) j = NULL;
	bool ok = journal_create(job, &j, error);

	for (int i = 0; j && i < 9; i++) {
		GError **to = ok ? error : NULL;
		bool step = i % 3 == 0 ? journal_event(j, i, "hello", json_pack("{s:i}", "i", i),
						       i == 3, to)
			    : i % 3 == 1
				    ? journal_stream(j, i, STREAM_CONSOLE, "console\n", 8, NULL, to)
				    : journal_stream(j, i, STREAM_STATUS, "\1\2\3\4", 4, NULL, to);

		assert_false(step && !ok);
		ok = step;
	}
	if (j) {
		bool step = journal_event(j, 9, "end", json_pack("{s:s}", "end", "done"), true,
					  ok ? error : NULL);

		assert_false(step && !ok);
		ok = step;
	}
	*ret_ok = ok;
}

static void check_prefix(const struct journal_view *view)
{
	assert_true(json_array_size(view->events) <= json_array_size(whole->events));
	for (size_t i = 0; i < json_array_size(view->events); i++)
		assert_true(json_equal(json_array_get(view->events, i),
				       json_array_get(whole->events, i)));
	for (int i = 0; i < STREAM__COUNT; i++) {
		assert_true(view->len[i] <= whole->len[i]);
		assert_memory_equal(view->data[i], whole->data[i], view->len[i]);
	}
}

/* Finished is only who is whole: the fault was in the last sync then, behind the last byte. */
static void check_left(const char *job, bool ok)
{
	g_autoptr(journal_view) view = NULL;

	if (!journal_load(job, &view, NULL)) {
		assert_false(ok || journal_is_finished(job));
		return;
	}
	check_prefix(view);
	assert_int_equal(view->finished, journal_is_finished(job));
	if (ok || view->finished)
		assert_string_equal(view->digest, whole->digest);
	assert_true(view->finished || !ok);
}

static void test_every_fault(void **state)
{
	for (int kind = 0; kind < FAULT__COUNT; kind++) {
		bool fired = true;
		unsigned n;

		for (n = 1; fired; n++) {
			g_autofree char *job = fresh_job();
			g_autoptr(GError) error = NULL;
			bool ok;

			fault_set(kind, n);
			live(job, &ok, &error);
			fired = fault.fired;
			fault_set(kind, 0);
			check_left(job, ok);
			assert_int_equal(ok, error == NULL);
			assert_int_equal(ok, !fired || kind == FAULT_SIGNAL);
			if (error)
				assert_int_equal(error->code, kind == FAULT_IO
								      ? LAB_ERROR_INFRA
								      : LAB_ERROR_NO_SPACE);
		}
		assert_true(n > 20); /* there were points to fail at */
	}
}

/* The host crashed: the events are on the disk, bytes that they tell of are not. */
static void test_torn_streams(void **state)
{
	static const char *const files[] = { "console.log", "status.bin" };

	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *job = fresh_job(), *path = g_build_filename(job, files[i], NULL);
		g_autofree char *data = NULL;
		g_autoptr(journal_view) view = NULL;
		size_t len;
		bool ok;

		live(job, &ok, NULL);
		assert_true(ok && journal_is_finished(job));
		assert_true(fs_read(path, 1 << 20, &data, &len, NULL));
		assert_true(fs_write(path, data, len - 1, NULL));
		assert_false(journal_is_finished(job));
		assert_true(journal_load(job, &view, NULL));
		assert_true(view->torn && !view->finished);
	}
}

static int setup(void **state)
{
	g_autofree char *job = NULL;
	bool ok;

	dir = g_dir_make_tmp("klab-test-XXXXXX", NULL);
	job = fresh_job();
	live(job, &ok, NULL);
	return !ok || !journal_load(job, &whole, NULL) || !whole->finished;
}

static int teardown(void **state)
{
	bool ok = fs_remove(dir, NULL);

	journal_view_free(whole);
	g_free(dir);
	return ok ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_fault),
		cmocka_unit_test(test_torn_streams),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
