// SPDX-License-Identifier: GPL-2.0-or-later
/* Journals: what is written comes back, whatever a crash left of it; limits hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/fs.h"
#include "store/journal.h"

#include <string.h>

static char *dir;

static char *fresh_job(void)
{
	static unsigned n;
	char *job = g_strdup_printf("%s/job-%u", dir, n++);
	g_autofree char *spec = g_build_filename(job, "spec.json", NULL);

	assert_true(fs_mkdir(job, NULL));
	assert_true(fs_write(spec, "{}", 2, NULL));
	return job;
}

static struct journal *create(const char *job)
{
	struct journal *j = NULL;

	assert_true(journal_create(job, &j, NULL));
	return j;
}

static void put_end(struct journal *j, const char *how)
{
	assert_true(journal_event(j, 9, "end", json_pack("{s:s}", "end", how), true, NULL));
}

static void test_round_trip(void **state)
{
	g_autofree char *job = fresh_job();
	g_autoptr(journal_view) view = NULL;
	struct journal *j = create(job);

	assert_false(journal_is_finished(job));
	assert_true(journal_stream(j, 5, STREAM_CONSOLE, "ab\0c", 4, NULL, NULL));
	assert_true(journal_stream(j, 6, STREAM_WIRE, "@", 1, NULL, NULL));
	put_end(j, "done");
	journal_free(j);
	assert_true(journal_load(job, &view, NULL));
	assert_true(view->finished && journal_is_finished(job));
	assert_int_equal(json_array_size(view->events), 4);
	assert_int_equal(view->len[STREAM_CONSOLE], 4);
	assert_memory_equal(view->data[STREAM_CONSOLE], "ab\0c", 4);
}

static void test_interrupted_is_open(void **state)
{
	g_autofree char *job = fresh_job();
	struct journal *j = create(job);

	put_end(j, "interrupted");
	journal_free(j);
	assert_false(journal_is_finished(job));
}

/* kill -9 can cut journal.jsonl anywhere: every prefix reads, and only the whole one is finished. */
static void test_every_prefix_reads(void **state)
{
	g_autofree char *job = fresh_job();
	g_autofree char *path = g_build_filename(job, "journal.jsonl", NULL);
	g_autofree char *text = NULL;
	struct journal *j = create(job);
	size_t len;

	put_end(j, "done");
	journal_free(j);
	assert_true(fs_read(path, 4096, &text, &len, NULL));
	for (size_t cut = 0; cut <= len; cut++) {
		g_autoptr(journal_view) view = NULL;

		assert_true(fs_write(path, text, cut, NULL));
		assert_true(journal_load(job, &view, NULL));
		assert_int_equal(view->finished, cut >= len - 1);
	}
}

static void test_attempts_replace_each_other(void **state)
{
	g_autofree char *job = fresh_job();
	struct journal *j = create(job);
	g_autoptr(journal_view) view = NULL;

	assert_true(journal_stream(j, 1, STREAM_CONSOLE, "old", 3, NULL, NULL));
	journal_free(j);
	journal_free(create(job));
	assert_true(journal_load(job, &view, NULL));
	assert_int_equal(view->len[STREAM_CONSOLE], 0);
	assert_int_equal(json_array_size(view->events), 1);
}

static void test_console_limit(void **state)
{
	g_autofree char *job = fresh_job();
	g_autofree char *block = g_malloc0(1 << 20);
	g_autoptr(journal_view) view = NULL;
	struct journal *j = create(job);
	json_t *last;

	for (int i = 0; i < 40; i++)
		assert_true(journal_stream(j, i, STREAM_CONSOLE, block, 1 << 20, NULL, NULL));
	journal_free(j);
	assert_true(journal_load(job, &view, NULL));
	assert_int_equal(view->len[STREAM_CONSOLE], JOURNAL_CONSOLE_MAX);
	/* what was dropped is told, and a flood does not grow the list of events instead */
	last = json_array_get(view->events, json_array_size(view->events) - 1);
	assert_true(json_integer_value(json_object_get(last, "dropped")) > 0);
	assert_int_equal(json_array_size(view->events), 1 + 16 + 1);
}

static void test_digest_is_of_content(void **state)
{
	g_autofree char *a = fresh_job(), *b = fresh_job();
	g_autoptr(journal_view) va = NULL, vb = NULL, vc = NULL;
	struct journal *j;

	journal_free(create(a));
	j = create(b);
	journal_free(j);
	assert_true(journal_load(a, &va, NULL) && journal_load(b, &vb, NULL));
	assert_string_equal(va->digest, vb->digest);
	j = create(b);
	put_end(j, "done");
	journal_free(j);
	assert_true(journal_load(b, &vc, NULL));
	assert_string_not_equal(va->digest, vc->digest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_interrupted_is_open),
		cmocka_unit_test(test_every_prefix_reads),
		cmocka_unit_test(test_attempts_replace_each_other),
		cmocka_unit_test(test_console_limit),
		cmocka_unit_test(test_digest_is_of_content),
	};

	dir = g_dir_make_tmp("klab-test-XXXXXX", NULL);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	fs_remove(dir, NULL);
	g_free(dir);
	return failed;
}
