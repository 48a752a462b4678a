// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest/engine and run/engine_get on fake QEMUs (shell scripts): versions, binaries that are none,
 * accelerator probes that answer, complain and hang. The probe on a real QEMU is e2e's.
 */
#include "base/fs.h"
#include "guest/accel_guest.h"
#include "guest/engine.h"
#include "run/engine_get.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glib/gstdio.h>
#include <sys/stat.h>

static char *dir;

static int setup(void **state)
{
	g_autofree char *cache = NULL;

	dir = g_dir_make_tmp("klab-engine-XXXXXX", NULL);
	cache = g_build_filename(dir, "cache", NULL);
	g_setenv("XDG_CACHE_HOME", cache, TRUE);
	g_unsetenv("KLAB_QEMU");
	return 0;
}

static int teardown(void **state)
{
	bool ok = fs_remove(dir, NULL);

	g_clear_pointer(&dir, g_free);
	return ok ? 0 : -1;
}

#define VERSION_LINE(v)                                                                            \
	"[ \"$1\" = --version ] && { echo 'QEMU emulator version " v "'; exit 0; }\n"

static char *write_qemu_at(const char *folder, const char *script)
{
	char *path = g_build_filename(folder, "qemu-system-x86_64", NULL);
	g_autofree char *text = g_strconcat("#!/bin/sh\n", script, NULL);

	assert_true(fs_mkdir(folder, NULL));
	assert_true(fs_write(path, text, strlen(text), NULL));
	assert_int_equal(chmod(path, 0755), 0);
	return path;
}

static void test_versions(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		unsigned major, minor, micro;
		const char *version;
		bool sound;
	} cases[] = {
		{ "QEMU emulator version 10.0.2 (Debian "
		  "1:10.0.2+ds-2+deb13u1~bpo12+1)\nCopyright\n",
		  true, 10, 0, 2, "10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)", true },
		{ "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\n", true, 7, 2, 22,
		  "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", false },
		{ "QEMU emulator version 9.2.94 (v10.0.0-rc4)", true, 9, 2, 94,
		  "9.2.94 (v10.0.0-rc4)", false },
		{ "warning: x\nQEMU emulator version 11.1.0", true, 11, 1, 0, "11.1.0", true },
		{ "QEMU emulator version ten", false },
		{ "qemu-img version 10.0.2", false },
		{ "", false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct engine e = { 0 };

		assert_int_equal(engine_version_parse(cases[i].text, &e), cases[i].ok);
		if (!cases[i].ok)
			continue;
		assert_int_equal(e.major, cases[i].major);
		assert_int_equal(e.minor, cases[i].minor);
		assert_int_equal(e.micro, cases[i].micro);
		assert_string_equal(e.version, cases[i].version);
		assert_int_equal(engine_is_sound(&e), cases[i].sound);
		g_free(e.version);
	}
}

static void test_unusable(void **state)
{
	static const struct {
		const char *script, *want;
	} cases[] = {
		{ NULL, "is not there, or not executable" },
		{ "echo something else\n", "is no QEMU: '--version' says 'something else'" },
		{ "echo lib missing >&2; exit 127\n", "exited with code 127: 'lib missing'" },
		{ "kill -9 $$\n", "was killed by signal 9" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = cases[i].script ? write_qemu_at(dir, cases[i].script) :
							  g_build_filename(dir, "absent", NULL);
		struct engine_request req = { .qemu = path };
		g_autoptr(engine) e = NULL;
		g_autoptr(GError) error = NULL;

		assert_false(engine_get(&req, NULL, &e, &error));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_UNAVAILABLE));
		if (!strstr(error->message, cases[i].want))
			fail_msg("'%s' lacks '%s'", error->message, cases[i].want);
	}
}

/* Named by option, by environment; found in PATH if sound; a private copy; none. */
static void test_choice(void **state)
{
	g_autofree char *bin = g_build_filename(dir, "bin", NULL), *old_path = NULL;
	g_autofree char *root = fs_cache_dir("engine", NULL);
	g_autofree char *copy_bin = g_build_filename(root, "qemu-10.0.2-abc", "usr", "bin", NULL);
	g_autofree char *newer_bin = g_build_filename(root, "qemu-10.1.0-abc", "usr", "bin", NULL);
	g_autofree char *broken_bin = g_build_filename(root, "qemu-11.0.0-abc", "usr", "bin", NULL);
	g_autofree char *old = write_qemu_at(bin, VERSION_LINE("7.2.1"));
	g_autofree char *copy = NULL, *newer = NULL, *broken = NULL;
	struct engine_request named = { .qemu = old }, offline = { .offline = true };
	g_autoptr(engine) e = NULL;
	g_autoptr(GError) error = NULL;

	old_path = g_strdup(g_getenv("PATH"));
	g_setenv("PATH", bin, TRUE);
	assert_true(engine_get(&named, NULL, &e, NULL));
	assert_false(engine_is_sound(e));
	g_clear_pointer(&e, engine_free);

	assert_false(engine_get(&offline, NULL, &e, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_UNAVAILABLE));
	assert_non_null(
		strstr(error->message, "no QEMU 10 or newer: the system's is '7.2.1'\nhint"));

	copy = write_qemu_at(copy_bin, VERSION_LINE("10.0.2"));
	newer = write_qemu_at(newer_bin, VERSION_LINE("10.1.0"));
	broken = write_qemu_at(broken_bin, "exit 1\n");
	assert_true(engine_get(&offline, NULL, &e, NULL));
	assert_string_equal(e->binary, newer);
	assert_string_equal(e->args[0], "-L");
	assert_non_null(strstr(e->env[0], "/qemu-10.1.0-abc/usr/lib/x86_64-linux-gnu"));
	g_clear_pointer(&e, engine_free);

	g_free(write_qemu_at(bin, VERSION_LINE("10.0.0")));
	assert_true(engine_get(&offline, NULL, &e, NULL));
	assert_string_equal(e->binary, old);
	assert_null(e->args[0]);
	assert_null(e->env[0]);
	g_clear_pointer(&e, engine_free);

	g_setenv("KLAB_QEMU", copy, TRUE);
	assert_true(engine_get(&offline, NULL, &e, NULL));
	assert_string_equal(e->binary, copy);
	g_setenv("PATH", old_path, TRUE);
}

static struct engine *probe_script(const char *script)
{
	g_autofree char *text = g_strconcat(VERSION_LINE("10.0.0"), script, NULL);
	g_autofree char *path = write_qemu_at(dir, text);
	struct engine *e = NULL;

	assert_true(engine_probe(path, NULL, &e, NULL));
	return e;
}

/* The token and the exit code together are the proof; each alone is not. */
static void test_accel(void **state)
{
	static const struct {
		const char *script;
		bool works;
		const char *why;
	} cases[] = {
		{ "echo klab-long-mode; exit 85\n", true, NULL },
		{ "echo klab-long-mode; exit 0\n", false, "64-bit code did not run" },
		{ "exit 85\n", false, "64-bit code did not run" },
		{ "echo 'qemu-system-x86_64: warning: w'; echo 'qemu-system-x86_64: no such "
		  "accel'; exit 1\n",
		  false, "qemu-system-x86_64: no such accel" },
		{ "kill -6 $$\n", false, "was killed by signal 6" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(engine) e = probe_script(cases[i].script);

		/* The second answer comes from the cache. */
		for (int again = 0; again < 2; again++) {
			g_autofree char *why = NULL;

			assert_int_equal(engine_accel_works(e, "test", &why), cases[i].works);
			if (cases[i].works)
				assert_null(why);
			else
				assert_non_null(strstr(why, cases[i].why));
		}
	}
}

/* An accelerator that hangs, in a QEMU that ignores SIGTERM, costs seconds, and only once. */
static void test_accel_hangs(void **state)
{
	g_autoptr(engine) e = probe_script("trap '' TERM; while :; do sleep 1; done\n");
	g_autofree char *why = NULL, *again = NULL;
	int64_t start_us = g_get_monotonic_time();

	assert_false(engine_accel_works(e, "test", &why));
	assert_true(g_get_monotonic_time() - start_us < 15 * G_USEC_PER_SEC);
	assert_non_null(strstr(why, "did not end within 3 s"));
	start_us = g_get_monotonic_time();
	assert_false(engine_accel_works(e, "test", &again));
	assert_true(g_get_monotonic_time() - start_us < G_USEC_PER_SEC);
	assert_string_equal(why, again);
}

/* The image is what -kernel takes: a multiboot header whose fields add up and fit the image. */
static void test_accel_guest_image(void **state)
{
	uint32_t header[8];

	memcpy(header, accel_guest, sizeof(header));
	assert_int_equal(header[0], 0x1badb002);
	assert_int_equal((uint32_t)(header[0] + header[1] + header[2]), 0);
	assert_int_equal(header[3], header[4]);
	assert_int_equal(header[5] - header[4], ACCEL_GUEST_LEN);
	assert_true(header[7] > header[4] && header[7] < header[5]);
	assert_non_null(memmem(accel_guest, ACCEL_GUEST_LEN, ACCEL_GUEST_TOKEN,
			       strlen(ACCEL_GUEST_TOKEN)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test_setup_teardown(test_unusable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_choice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_accel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_accel_hangs, setup, teardown),
		cmocka_unit_test(test_accel_guest_image),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
