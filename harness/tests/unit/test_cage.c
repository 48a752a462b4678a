// SPDX-License-Identifier: GPL-2.0-or-later
/* The cage, with a shell in place of the engine: who it is, what it can read and write, what is
 * tried in turn when an engine bears less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/fs.h"
#include "guest/cage.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char *dir;

/* A shell script as engine; what klab adds comes as "$@". */
static struct engine *shell(const char *script)
{
	struct engine *e = g_new0(struct engine, 1);
	static unsigned n;

	e->binary = g_strdup_printf("%s/engine-%u", dir, n++);
	assert_true(g_file_set_contents(e->binary, script, -1, NULL));
	assert_int_equal(chmod(e->binary, 0755), 0);
	e->args = g_new0(char *, 1);
	e->env = g_new0(char *, 1);
	return e;
}

/* Run it in the cage, with one argument; its output. */
static char *output_of(struct cage *c, const struct engine *e, const char *arg)
{
	char *argv[] = { (char *)arg, NULL };
	GString *text = g_string_new(NULL);
	int out[2], in[2];
	char buf[512];
	ssize_t n;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in), 0);
	pid = cage_spawn(
		c, &(struct cage_exec){ .engine = e, .argv = argv, .in = in[1], .out = out[1] },
		NULL);
	assert_true(pid > 0);
	close(out[1]);
	while ((n = read(out[0], buf, sizeof(buf))) > 0)
		g_string_append_len(text, buf, n);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(out[0]);
	close(in[0]);
	close(in[1]);
	return g_string_free(text, FALSE);
}

static bool is_root(void)
{
	return geteuid() == 0;
}

/* Root in a user namespace may have nobody else to become: the cage says so, and so do we. */
static bool has_user(const struct cage *c)
{
	if (is_root() && !c->uid)
		print_message("not as root: %s\n", c->text);
	return c->uid != 0;
}

static void test_whole(void **state)
{
	g_autoptr(engine) e = shell("#!/bin/sh\n"
				    "[ \"$1\" = -sandbox ] || { echo no filter; exit 1; }\n"
				    "grep -E '^(Uid|NoNewPrivs|CapEff|Groups):' /proc/self/status\n"
				    "id -u\n");
	g_autoptr(cage) c = cage_open(e, "tcg");
	g_autofree char *text = output_of(c, e, "x");
	g_autofree char *line = g_strdup_printf("\n%u\n", c->uid ? c->uid : geteuid());

	assert_true(c->sandbox);
	assert_non_null(strstr(c->text, "seccomp"));
	assert_non_null(strstr(text, "NoNewPrivs:\t1"));
	assert_non_null(strstr(text, line));
	if (has_user(c)) {
		assert_true(c->whole);
		assert_non_null(strstr(text, "CapEff:\t0000000000000000"));
		assert_true(c->uid >= 61184 && c->uid < 65520);
	}
}

static void test_without_filter(void **state)
{
	g_autoptr(engine) e = shell("#!/bin/sh\n"
				    "[ \"$1\" = -sandbox ] && { echo never heard of it; exit 1; }\n"
				    "exit 0\n");
	g_autoptr(cage) c = cage_open(e, "tcg");

	assert_false(c->sandbox);
	assert_false(c->whole);
	assert_non_null(strstr(c->text, "never heard of it"));
}

static void test_wants_root(void **state)
{
	g_autoptr(engine) e =
		shell("#!/bin/sh\n[ $(id -u) = 0 ] || { echo needs more; exit 1; }\n");
	g_autoptr(cage) c = NULL;

	if (!is_root())
		return; /* then there is nothing to give up */
	c = cage_open(e, "tcg");
	assert_true(c->sandbox);
	assert_int_equal(c->uid, 0);
	assert_false(c->whole);
	assert_non_null(strstr(c->text, "runs as root"));
}

static void test_never_starts(void **state)
{
	g_autoptr(engine) e = shell("#!/bin/sh\necho out of order; exit 3\n");
	g_autoptr(cage) c = cage_open(e, "tcg");

	assert_false(c->whole || c->sandbox || c->uid);
	assert_non_null(strstr(c->text, "out of order"));
}

/* What only we can read, in a folder where only we can go, it reads; and changes nothing. */
static void test_files(void **state)
{
	g_autofree char *folder = g_build_filename(dir, "private", NULL);
	g_autofree char *path = g_build_filename(folder, "image", NULL), *name = NULL, *text = NULL;
	g_autofree char *now = NULL;
	g_autoptr(engine) e = shell("#!/bin/sh\n"
				    "for last; do :; done\n"
				    "[ -e \"$last\" ] || exit 0\n"
				    "cat \"$last\"\n"
				    "(echo spoilt >\"$last\") 2>/dev/null\n"
				    "cat \"$last\"\n");
	static const mode_t modes[] = { 0600, 0644 };

	assert_int_equal(mkdir(folder, 0700), 0);
	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		g_autoptr(cage) c = cage_open(e, "tcg");
		g_autofree char *given = NULL, *said = NULL, *kept = NULL;

		assert_true(g_file_set_contents(path, "kernel\n", -1, NULL));
		assert_int_equal(chmod(path, modes[i]), 0);
		given = cage_file(c, path, NULL);
		assert_non_null(given);
		if (!has_user(c)) {
			assert_string_equal(given, path);
			continue;
		}
		said = output_of(c, e, given);
		assert_string_equal(said, "kernel\nkernel\n");
		assert_true(g_file_get_contents(path, &kept, NULL, NULL));
		assert_string_equal(kept, "kernel\n");
	}
}

static void test_absent_file(void **state)
{
	g_autoptr(engine) e = shell("#!/bin/sh\n");
	g_autoptr(cage) c = cage_open(e, "tcg");
	g_autoptr(GError) error = NULL;

	if (!has_user(c))
		return;
	assert_null(cage_file(c, "/nowhere/image", &error));
	assert_non_null(strstr(error->message, "/nowhere/image"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),      cmocka_unit_test(test_without_filter),
		cmocka_unit_test(test_wants_root), cmocka_unit_test(test_never_starts),
		cmocka_unit_test(test_files),      cmocka_unit_test(test_absent_file),
	};
	int failed;

	dir = g_dir_make_tmp("klab-test-XXXXXX", NULL);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fs_remove(dir, NULL);
	g_free(dir);
	return failed;
}
