// SPDX-License-Identifier: GPL-2.0-or-later
/* git bisect's log, both ways, as stock git writes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "bisect/gitlog.h"

#include <string.h>

static const char plain[] =
	"git bisect start\n"
	"# status: waiting for both good and bad commits\n"
	"# bad: [1111] a subject: git bisect good 9999\n"
	"git bisect bad 1111\n"
	"# good: [2222] another\n"
	"git bisect good 2222\r\n"
	"# skip: [3333] broken\n"
	"git bisect skip 3333\n"
	"git bisect good 4444 5555\n"
	"# first bad commit: [1111] a subject\n";

static struct gitlog *parse(const char *text)
{
	struct gitlog *log = NULL;

	assert_true(gitlog_parse(text, strlen(text), &log, NULL));
	return log;
}

static void is_line(const struct gitlog *log, guint i, enum gitlog_verdict verdict, const char *id)
{
	const struct gitlog_line *line = &g_array_index(log->lines, struct gitlog_line, i);

	assert_true(i < log->lines->len);
	assert_int_equal(line->verdict, verdict);
	assert_string_equal(line->id, id);
}

static void the_log_of_git_is_read(void **unused)
{
	g_autoptr(gitlog) log = parse(plain);

	(void)unused;
	assert_int_equal(log->lines->len, 5);
	is_line(log, 0, GITLOG_NEW, "1111");
	is_line(log, 1, GITLOG_OLD, "2222");
	is_line(log, 2, GITLOG_SKIP, "3333");
	is_line(log, 4, GITLOG_OLD, "5555");
}

static void the_ends_may_stand_in_the_start(void **unused)
{
	g_autoptr(gitlog) log = parse("git bisect start '--term-new=fixed' '--term-old=broken' 'aa' "
				      "'bb' 'cc' '--' 'kernel/'\ngit bisect broken dd\n"
				      "git bisect fixed ee\n");

	(void)unused;
	assert_string_equal(log->term_new, "fixed");
	assert_int_equal(log->lines->len, 5);
	is_line(log, 0, GITLOG_NEW, "aa");
	is_line(log, 2, GITLOG_OLD, "cc");
	is_line(log, 3, GITLOG_OLD, "dd");
	is_line(log, 4, GITLOG_NEW, "ee");
}

static void what_we_write_we_read(void **unused)
{
	for (int fix = 0; fix < 2; fix++) {
		g_autoptr(GString) out = g_string_new(NULL);
		g_autoptr(gitlog) log = NULL;

		gitlog_start(out, fix);
		gitlog_add(out, fix, GITLOG_NEW, "abcdef", "it's \"quoted\" $(x)");
		gitlog_add(out, fix, GITLOG_OLD, "123456", NULL);
		gitlog_add(out, fix, GITLOG_SKIP, "777777", "");
		log = parse(out->str);
		assert_int_equal(log->lines->len, 3);
		is_line(log, 0, GITLOG_NEW, "abcdef");
		is_line(log, 1, GITLOG_OLD, "123456");
		is_line(log, 2, GITLOG_SKIP, "777777");
	}
	(void)unused;
}

static void other_files_are_refused(void **unused)
{
	static const char *const texts[] = { "", "hello\n", "# git bisect start\n", "git bisect\n",
					     "git log start x\n", "git bisect start 'open\n" };

	(void)unused;
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;
		struct gitlog *log = NULL;

		assert_false(gitlog_parse(texts[i], strlen(texts[i]), &log, &error));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_log_of_git_is_read),
		cmocka_unit_test(the_ends_may_stand_in_the_start),
		cmocka_unit_test(what_we_write_we_read),
		cmocka_unit_test(other_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
