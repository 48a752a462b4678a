/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests of the git source start from: a repository with a tree that states to be Linux, and a
 * make, a compiler and an spatch that only pretend. git itself is real.
 *
 * FAKE/log gets a line for each call of make: "TARGET HOST LOCALVERSION". FAKE/lost is a pattern of
 * options that the tree does not take, FAKE/fail makes a build fail, FAKE/slow makes it hang.
 */
#ifndef KLAB_TESTS_GIT_FIXTURE_H
#define KLAB_TESTS_GIT_FIXTURE_H

#include "control_fixture.h"
#include "fake_bzimage.h"

#include "base/proc.h"

#include <sys/stat.h>

/* As long as the build host that takes its place: COMMIT-INPUTS. */
#define FAKE_HOST "hhhhhhhhhhhh-iiiiiiii"

static const char git_fake_make[] =
	"#!/bin/sh\n"
	"for a; do case $a in O=*) o=${a#O=};; LOCALVERSION=*) l=${a#*=};; CC=*) cc=${a#*=};;\n"
	"esac; t=$a; done\n"
	"echo \"$t $KBUILD_BUILD_HOST $l\" >> \"$FAKE/log\"; echo \"$cc\" > \"$FAKE/cc\"\n"
	"case $t in\n"
	"allnoconfig) lost='^$'; [ -e \"$FAKE/lost\" ] && read -r lost < \"$FAKE/lost\"\n"
	"	grep -v -e \"$lost\" \"$KCONFIG_ALLCONFIG\" > \"$o/.config\"; :;;\n"
	"bzImage) echo '  CC      init/main.o'; echo object > \"$o/main.o\"\n"
	"	[ -e \"$FAKE/slow\" ] && { touch \"$FAKE/at-work\"; sleep 60; }\n"
	"	[ -e \"$FAKE/fail\" ] && { echo 'init/main.c:1: error: fake'; exit 2; }\n"
	"	[ -d \"$o/arch/x86/boot\" ] || mkdir -p \"$o/arch/x86/boot\"\n"
	"	LC_ALL=C sed \"s/" FAKE_HOST "/$KBUILD_BUILD_HOST/\" \"$FAKE/template\" \\\n"
	"		> \"$o/arch/x86/boot/bzImage\";;\n"
	"esac\n";
/* Changes what FAKE/idle does not forbid, and shows it. */
static const char git_fake_spatch[] =
	"#!/bin/sh\nfor f; do :; done\n[ -e \"$FAKE/idle\" ] && exit 0\n"
	"echo patched >> \"$f\"; echo '+++ b/'$f\n";
static const char git_fake_gcc[] = "#!/bin/sh\necho ${FAKE_GCC:-12}.2.0\n";
static const char git_fake_other[] = "#!/bin/sh\n";

static inline void put_program(const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(root, "bin", name, NULL);
	g_autofree char *relative = g_build_filename("bin", name, NULL);

	put(relative, text);
	assert_int_equal(chmod(path, 0755), 0);
}

static inline void put_template(void)
{
	g_autoptr(GByteArray) image = fake_bzimage(&(struct fake_bzimage){
		.xloadflags = 1, .version = "6.1.0 (klab@" FAKE_HOST ") #1 SMP" });
	g_autofree char *path = g_build_filename(root, "template", NULL);

	assert_true(g_file_set_contents(path, (char *)image->data, image->len, NULL));
}

/* Run a shell's words in ROOT/repo; what they print, without the last newline. */
static inline char *shell(const char *words)
{
	g_autofree char *cwd = g_build_filename(root, "repo", NULL);
	const char *const argv[] = { "sh", "-ec", words, NULL };
	struct proc_spec spec = { .argv = argv, .cwd = cwd, .timeout_s = 60 };
	g_autoptr(GError) error = NULL;
	char *output = NULL;

	if (!proc_run(&spec, &output, NULL, &error))
		fail_msg("%s", error->message);
	return g_strchomp(output);
}

static inline void put_repository(void)
{
	g_autofree char *text = NULL;

	put("repo/Makefile", "# SPDX\nVERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 0\n");
	put("repo/init/main.c", "one\ntwo\nthree\n");
	put("repo/init/Kconfig", "config KNOWN\n\tbool \"x\"\n");
	text = shell("git init -q --template= -b main . && git config user.name T && "
		     "git config user.email t@example.org && git config gc.auto 0 && "
		     "git config maintenance.auto false && git add . && git commit -qm one && "
		     "git tag v6.1 && git tag -a -m x annotated && "
		     "echo four >> init/main.c && git commit -qam two && git tag v6.1.1-test");
}

static char *saved_path, *fakes; /* fakes: what each test's folder is a copy of */

static inline int make_fakes(void **state)
{
	static const char *const others[] = { "ld", "flex", "bison", "bc" };

	if (make_root(state))
		return -1;
	put_program("make", git_fake_make);
	put_program("spatch", git_fake_spatch);
	put_program("gcc", git_fake_gcc);
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
		put_program(others[i], git_fake_other);
	put_template();
	put_repository();
	fakes = g_steal_pointer(&root);
	return 0;
}

static inline int remove_fakes(void **state)
{
	root = g_steal_pointer(&fakes);
	return remove_root(state);
}

static inline int copy_fakes(void **state)
{
	g_autofree char *bin = NULL, *path = NULL, *cache = NULL, *from = NULL;

	saved_path = g_strdup(g_getenv("PATH"));
	if (make_root(state))
		return -1;
	from = g_build_filename(fakes, ".", NULL);
	if (!proc_run(&(struct proc_spec){ .argv = (const char *[]){ "cp", "-a", from, root, NULL },
					   .timeout_s = 60 },
		      NULL, NULL, NULL))
		return -1;
	bin = g_build_filename(root, "bin", NULL);
	path = g_strconcat(bin, ":/usr/bin:/bin", NULL);
	cache = g_build_filename(root, "cache", NULL);
	g_setenv("PATH", path, TRUE);
	g_setenv("FAKE", root, TRUE);
	g_setenv("XDG_CACHE_HOME", cache, TRUE);
	return 0;
}

static inline int drop_fakes(void **state)
{
	g_setenv("PATH", saved_path, TRUE);
	g_clear_pointer(&saved_path, g_free);
	g_unsetenv("FAKE");
	g_unsetenv("FAKE_GCC");
	g_unsetenv("XDG_CACHE_HOME");
	return remove_root(state);
}

#define WITH_FAKES(f) cmocka_unit_test_setup_teardown(f, copy_fakes, drop_fakes)

#endif
