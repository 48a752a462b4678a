// SPDX-License-Identifier: GPL-2.0-or-later
/* base/proc: exit codes, output limits, lines, timeouts that end the whole group, death with us. */
#include "base/fs.h"
#include "base/proc.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/wait.h>

#define SH(script) (const char *const[]){ "sh", "-c", script, NULL }

static void test_exit(void **state)
{
	static const struct {
		const char *script;
		bool want_status, ok;
		int status;
		const char *output, *message;	/* part of the error */
	} cases[] = {
		{ "echo out; echo err >&2", false, true, 0, "out\nerr\n", NULL },
		{ "exit 3", true, true, 3, "", NULL },
		{ "echo one; echo two; exit 3", false, false, 0, NULL,
		  "'sh' exited with code 3: 'one / two'" },
		{ "kill -9 $$", false, false, 0, NULL, "'sh' was killed by signal 9" },
		{ "kill -9 $$", true, false, 0, NULL, "'sh' was killed by signal 9" },
		{ "read x; echo \"in=$x.\"", false, true, 0, "in=.\n", NULL },
		{ "exec >&- 2>&-; sleep 0.2; exit 4", true, true, 4, "", NULL },
		{ "printf '\\377\\n'; exit 1", false, false, 0, NULL, "'sh' exited with code 1" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct proc_spec spec = { .argv = SH(cases[i].script), .timeout_s = 20 };
		g_autoptr(GError) error = NULL;
		g_autofree char *output = NULL;
		int status = 0;

		assert_int_equal(proc_run(&spec, &output, cases[i].want_status ? &status : NULL,
					  &error), cases[i].ok);
		assert_int_equal(status, cases[i].status);
		if (cases[i].ok) {
			assert_null(error);
			assert_string_equal(output, cases[i].output);
		} else {
			assert_non_null(strstr(error->message, cases[i].message));
			assert_true(g_utf8_validate(error->message, -1, NULL));
		}
	}
}

static void test_cannot_run(void **state)
{
	static const struct {
		const char *program, *cwd;
		enum lab_error code;
	} cases[] = {
		{ "klab-no-such-program", NULL, LAB_ERROR_UNAVAILABLE },
		{ "/", NULL, LAB_ERROR_INFRA },
		{ "true", "/klab-no-such-folder", LAB_ERROR_INFRA },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct proc_spec spec = { .argv = (const char *const[]){ cases[i].program, NULL },
					  .cwd = cases[i].cwd };
		g_autoptr(GError) error = NULL;

		assert_false(proc_run(&spec, NULL, NULL, &error));
		assert_true(g_error_matches(error, LAB_ERROR, cases[i].code));
		assert_non_null(strstr(error->message, cases[i].program));
	}
}

static void test_env_and_cwd(void **state)
{
	struct proc_spec spec = { .argv = SH("echo $KLAB_A$KLAB_B; pwd"), .cwd = "/",
				  .env = (const char *const[]){ "KLAB_A=1=2", "KLAB_B=x", NULL } };
	g_autofree char *output = NULL;

	assert_true(proc_run(&spec, &output, NULL, NULL));
	assert_string_equal(output, "1=2x\n/\n");
}

static void test_output_keeps_the_tail(void **state)
{
	struct proc_spec spec = { .argv = SH("seq 1 100000"), .output_max = 1000, .timeout_s = 20 };
	g_autofree char *output = NULL;

	assert_true(proc_run(&spec, &output, NULL, NULL));
	assert_int_equal(strlen(output), 1000);
	assert_string_equal(output + 1000 - strlen("99999\n100000\n"), "99999\n100000\n");
}

static void count_line(const char *line, void *user)
{
	g_ptr_array_add(user, g_strdup(line));
}

static void test_lines(void **state)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	struct proc_spec spec = { .argv = SH("printf 'a\\r\\nb'; sleep 0.1; printf 'c\\n\\nlast'"),
				  .on_line = count_line, .user = lines };

	assert_true(proc_run(&spec, NULL, NULL, NULL));
	assert_int_equal(lines->len, 3);
	assert_string_equal(lines->pdata[0], "a");
	assert_string_equal(lines->pdata[1], "bc");
	assert_string_equal(lines->pdata[2], "last");
}

/* Gone, or a zombie that its new parent has not collected yet. */
static bool is_dead(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid), *stat = NULL;

	return !g_file_get_contents(path, &stat, NULL, NULL) || strstr(stat, ") Z ");
}

static bool dies_within_s(pid_t pid, unsigned limit_s)
{
	for (unsigned i = 0; i < limit_s * 100; i++) {
		if (is_dead(pid))
			return true;
		g_usleep(10000);
	}
	return false;
}

static void take_pid(const char *line, void *user)
{
	*(pid_t *)user = g_ascii_strtoll(line, NULL, 10);
}

/* A timeout ends the grandchild too, even one that ignores SIGTERM, and a flood cannot delay it. */
static void test_timeout_ends_the_group(void **state)
{
	static const char *const scripts[] = {
		"sleep 60 & echo $!; wait",
		"trap '' TERM; sleep 60 & echo $!; wait; wait; sleep 60",
		"sleep 60 & echo $!; yes",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++) {
		pid_t grandchild = 0;
		struct proc_spec spec = { .argv = SH(scripts[i]), .timeout_s = 1,
					  .on_line = i < 2 ? take_pid : NULL, .user = &grandchild };
		g_autoptr(GError) error = NULL;
		int64_t start_us = g_get_monotonic_time();

		assert_false(proc_run(&spec, NULL, NULL, &error));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_TIMEOUT));
		assert_true(g_get_monotonic_time() - start_us < 8 * G_USEC_PER_SEC);
		assert_true(i == 2 || (grandchild > 0 && dies_within_s(grandchild, 5)));
	}
}

/* Hours in microseconds take more than 32 bits: 4295 s would be 33 ms. */
static void test_timeout_of_hours(void **state)
{
	struct proc_spec spec = { .argv = SH("sleep 0.3"), .timeout_s = 4295 };

	assert_true(proc_run(&spec, NULL, NULL, NULL));
}

/* A child that ends leaves nothing of its group behind, and we do not wait for what it left. */
static void test_left_behind(void **state)
{
	pid_t left = 0;
	struct proc_spec spec = { .argv = SH("sleep 60 & echo $!"), .timeout_s = 20,
				  .on_line = take_pid, .user = &left };
	int64_t start_us = g_get_monotonic_time();

	assert_true(proc_run(&spec, NULL, NULL, NULL));
	assert_true(g_get_monotonic_time() - start_us < 10 * G_USEC_PER_SEC);
	assert_true(left > 0 && dies_within_s(left, 5));
}

/* kill -9 of the caller ends the child. */
static void test_dies_with_parent(void **state)
{
	int fds[2];
	pid_t caller, child = 0;

	assert_int_equal(pipe(fds), 0);
	caller = fork();
	if (!caller) {
		g_autofree char *script = g_strdup_printf("echo $$ >&%d; exec sleep 60", fds[1]);
		struct proc_spec spec = { .argv = (const char *const[]){ "sh", "-c", script,
									 NULL } };

		_exit(proc_run(&spec, NULL, NULL, NULL) ? 0 : 1);
	}
	char line[32] = "";
	assert_true(read(fds[0], line, sizeof(line) - 1) > 0);
	child = g_ascii_strtoll(line, NULL, 10);
	assert_true(child > 0 && !is_dead(child));
	kill(caller, SIGKILL);
	assert_int_equal(waitpid(caller, NULL, 0), caller);
	assert_true(dies_within_s(child, 5));
	close(fds[0]);
	close(fds[1]);
}

/* A zombie that nobody has reaped yet has no command line. */
static bool runs(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid), *text = NULL;
	size_t len = 0;

	return g_file_get_contents(path, &text, &len, NULL) && len;
}

static bool is_gone(pid_t pid)
{
	for (int i = 0; i < 1000 && runs(pid); i++)
		g_usleep(10000);
	return !runs(pid);
}

/* A grandchild in a session of its own is one of them, too. */
static void test_end_takes_all(void **state)
{
	static const char script[] = "setsid sh -c 'echo $$; sleep 60 & echo $!; wait' & wait";
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	g_autofree char *dir = g_dir_make_tmp("klab-proc-XXXXXX", NULL), *text = NULL;
	g_autofree char *log = g_build_filename(dir, "log", NULL);
	pid_t pid = proc_start(argv, log, NULL);
	int first = 0, second = 0;

	assert_true(pid > 0);
	for (int i = 0; i < 1000 && sscanf(text ? text : "", "%d\n%d", &first, &second) < 2; i++) {
		g_usleep(10000);
		g_clear_pointer(&text, g_free);
		g_file_get_contents(log, &text, NULL, NULL);
	}
	assert_true(first > 0 && second > 0);
	proc_end(pid);
	assert_true(is_gone(pid) && is_gone(first) && is_gone(second));
	assert_true(fs_remove(dir, NULL));
}

static void test_start_of_nothing(void **state)
{
	const char *const argv[] = { "/nonexistent", NULL };
	int status;
	pid_t pid = proc_start(argv, "/dev/null", NULL);

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 127);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit),
		cmocka_unit_test(test_cannot_run),
		cmocka_unit_test(test_env_and_cwd),
		cmocka_unit_test(test_output_keeps_the_tail),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_timeout_ends_the_group),
		cmocka_unit_test(test_timeout_of_hours),
		cmocka_unit_test(test_left_behind),
		cmocka_unit_test(test_dies_with_parent),
		cmocka_unit_test(test_end_takes_all),
		cmocka_unit_test(test_start_of_nothing),
	};

	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
