// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernel source "git": with a real git and a make that pretends; what is built, what is not built
 * again, and what is refused. */
#include "kernel/build.h"
#include "kernel/git_repo.h"
#include "kernel/kernel.h"

#include "git_fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/wait.h>
#include <utime.h>

struct asked {
	struct kernel_spec spec;
	struct kernel *kernel;
	GError *error;
	char *log; /* calls of make */
};

static void asked_clear(struct asked *a)
{
	g_free(a->spec.remote);
	kernel_free(a->kernel);
	g_clear_error(&a->error);
	g_free(a->log);
}
typedef struct asked asked;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(asked, asked_clear)

static void unlog(void)
{
	g_autofree char *path = g_build_filename(root, "log", NULL);

	unlink(path);
}

/* Fetch (pull: ask what the ref is now) into a->kernel or a->error. */
static void ask(struct asked *a, bool pull)
{
	g_clear_pointer(&a->kernel, kernel_free);
	g_clear_error(&a->error);
	g_free(a->log);
	unlog();
	if (!a->spec.remote)
		a->spec.remote = g_build_filename(root, "repo", NULL);
	a->spec.id = (char *)"mine";
	a->spec.source = (char *)"git";
	if (pull)
		kernel_pull(&a->spec, KERNEL_REFRESHED, NULL, &a->kernel, &a->error);
	else
		kernel_fetch(&a->spec, NULL, &a->kernel, &a->error);
	a->log = get("log");
}

static void must(const struct asked *a)
{
	if (!a->kernel)
		fail_msg("%s", a->error ? a->error->message : "no kernel and no error");
}

static void must_fail(const struct asked *a, enum lab_error code, const char *words)
{
	assert_null(a->kernel);
	assert_non_null(a->error);
	if (!g_error_matches(a->error, LAB_ERROR, code) || !strstr(a->error->message, words))
		fail_msg("%d: %s", a->error->code, a->error->message);
}

/* The 12 digits of a commit that stand in names. */
static char *commit(const char *ref)
{
	g_autofree char *words = g_strdup_printf("git rev-parse '%s^{commit}' | cut -c 1-12", ref);

	return shell(words);
}

static void builds_a_tag_once(void **state)
{
	g_auto(asked) a = { .spec = { .ref = (char *)"v6.1" } };
	g_autofree char *id = commit("v6.1"), *host = NULL, *cc = NULL;
	g_autofree char *objects = NULL, *want = NULL;

	ask(&a, false);
	must(&a);
	host = g_strdup_printf("(klab@%s-", id);
	assert_non_null(strstr(a.kernel->version, host));
	assert_non_null(strstr(a.kernel->config, "CONFIG_UNWINDER_ORC=y"));
	assert_null(a.kernel->note);
	/* The tag of the release itself: nothing is appended. */
	assert_non_null(strstr(a.log, "allnoconfig"));
	assert_true(g_str_has_suffix(a.log, " \n"));
	cc = get("cc");
	assert_non_null(strstr(cc, "gcc"));
	ask(&a, false);
	must(&a);
	assert_null(a.log);
	ask(&a, true); /* the tag stands where it stood */
	must(&a);
	assert_null(a.log);
	/* A repository on this host is read, not copied. */
	objects = shell("find ../cache/klab/git/*/repo.git/objects -type f | wc -l; "
			"cat ../cache/klab/git/*/repo.git/objects/info/alternates");
	want = g_strdup_printf("1\n%s/repo/.git/objects", root);
	assert_string_equal(objects, want);
}

/* A candidate's Makefile says "-rc3" itself. */
static void names_a_candidate(void **state)
{
	g_autofree char *none = shell("git tag v6.1-rc3 && git tag v6.1-rc3x");
	g_auto(asked) a = { .spec = { .ref = (char *)"v6.1-rc3" } };
	g_auto(asked) b = { .spec = { .ref = (char *)"v6.1-rc3x" } };

	ask(&a, false);
	must(&a);
	assert_true(g_str_has_suffix(a.log, " \n"));
	ask(&b, true);
	must(&b);
	assert_non_null(strstr(b.log, " -g"));
}

static void names_what_is_no_release(void **state)
{
	static const char *const refs[] = { "v6.1.1-test", "annotated", "main" };

	for (size_t i = 0; i < G_N_ELEMENTS(refs); i++) {
		g_auto(asked) a = { .spec = { .ref = (char *)refs[i] } };
		g_autofree char *id = commit(refs[i]), *want = g_strdup_printf(" -g%s\n", id);

		ask(&a, false);
		must(&a);
		if (!g_str_has_suffix(a.log, want))
			fail_msg("%s: %s", refs[i], a.log);
	}
}

/* A file that two refs have alike keeps its date: make need not build it again. */
static void second_ref_leaves_files_alone(void **state)
{
	g_auto(asked) a = { .spec = { .ref = (char *)"v6.1" } };
	g_auto(asked) b = { .spec = { .ref = (char *)"v6.1.1-test" } };
	static const char when[] = "cd ../cache/klab/git/*/src && stat -c '%y %i' ";
	g_autofree char *same = g_strconcat(when, "Makefile init/Kconfig", NULL);
	g_autofree char *changed = g_strconcat(when, "init/main.c", NULL);
	g_autofree char *same_before = NULL, *same_after = NULL;
	g_autofree char *changed_before = NULL, *changed_after = NULL;

	ask(&a, false);
	must(&a);
	same_before = shell(same);
	changed_before = shell(changed);
	ask(&b, false);
	must(&b);
	same_after = shell(same);
	changed_after = shell(changed);
	assert_string_equal(same_before, same_after);
	assert_string_not_equal(changed_before, changed_after);
	assert_string_not_equal(a.kernel->sha256, b.kernel->sha256);
}

static void branch_moves_at_a_pull_only(void **state)
{
	g_auto(asked) a = { .spec = { .ref = (char *)"main" } };
	g_autofree char *none = NULL, *id = NULL;

	ask(&a, false);
	must(&a);
	none = shell("echo five >> init/main.c && git commit -qam three");
	ask(&a, false);
	must(&a);
	assert_null(a.log);
	ask(&a, true);
	must(&a);
	id = commit("main");
	assert_non_null(strstr(a.kernel->version, id));
}

/* A commit that is no tag and no branch, by its number, over git's own protocol. */
static void fetches_from_a_url(void **state)
{
	g_auto(asked) a = { .spec = { .ref = (char *)"annotated" } };
	g_auto(asked) gone = { .spec = { .ref = (char *)"v9" } };
	g_autofree char *url = g_strdup_printf("file://%s/repo", root), *id = commit("v6.1");
	g_autofree char *depth = NULL, *none = NULL;

	a.spec.remote = g_strdup(url);
	ask(&a, false);
	must(&a);
	assert_non_null(strstr(a.kernel->version, id));
	depth = shell("git --git-dir=$(echo ../cache/klab/git/*/repo.git) rev-list --count --all");
	assert_string_equal(depth, "1");
	/* What is here is not fetched again, and serves without the remote. */
	none = shell("mv ../repo ../elsewhere; mkdir ../repo");
	ask(&a, true);
	must(&a);
	assert_non_null(strstr(a.kernel->note, "taken from the cache"));
	gone.spec.remote = g_strdup(url);
	ask(&gone, false);
	must_fail(&gone, LAB_ERROR_UNAVAILABLE, "git says");
}

static void refs_that_are_not_there(void **state)
{
	g_auto(asked) a = { .spec = { .ref = (char *)"v6.9" } };
	g_auto(asked) b = { .spec = { .ref = (char *)"--upload-pack=id" } };
	g_auto(asked) c = { .spec = { .ref = (char *)"v6.1" } };

	ask(&a, false);
	must_fail(&a, LAB_ERROR_UNAVAILABLE, "has no tag, branch or commit 'v6.9'");
	ask(&b, false);
	must_fail(&b, LAB_ERROR_USAGE, "is no tag, branch or commit");
	c.spec.remote = g_strdup("ext::sh -c id");
	ask(&c, false);
	must_fail(&c, LAB_ERROR_USAGE, "is no path and no URL");
	g_free(c.spec.remote);
	c.spec.remote = g_strdup("/nowhere/linux");
	ask(&c, false);
	must_fail(&c, LAB_ERROR_UNAVAILABLE, "there is no folder '/nowhere/linux'");
}

/* ---- patches ---- */

static const char good_patch[] = "--- a/init/main.c\n+++ b/init/main.c\n@@ -1,3 +1,3 @@\n one\n"
				 "-two\n+TWO\n three\n";

static void patch_by_patch(void **state)
{
	g_autofree char *plain = g_build_filename(root, "a.patch", NULL), *text = NULL;
	g_autofree char *semantic = g_build_filename(root, "b.cocci", NULL), *first = NULL;
	char *patches[] = { plain, semantic, NULL };
	g_auto(asked) a = { .spec = { .ref = (char *)"v6.1", .patches = patches } };

	put("a.patch", good_patch);
	put("b.cocci", "// Files: init/main.c\n@@ @@\n");
	ask(&a, false);
	must(&a);
	assert_non_null(strstr(a.log, "-dirty\n"));
	text = shell("cat ../cache/klab/git/*/src/init/main.c");
	assert_string_equal(text, "one\nTWO\nthree\npatched");
	ask(&a, false);
	assert_null(a.log);
	/* Edited: another kernel, though the spec is the same. */
	first = g_strdup(a.kernel->version);
	put("b.cocci", "// Files: init/main.c\n@@ @@ // more\n");
	ask(&a, false);
	must(&a);
	assert_non_null(a.log);
	assert_string_not_equal(a.kernel->version, first);
}

static void patches_that_do_nothing(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} rows[] = {
		{ "a.patch",
		  "--- a/init/main.c\n+++ b/init/main.c\n@@ -1,3 +1,3 @@\n one\n-zwei\n"
		  "+drei\n three\n",
		  "does not apply" },
		{ "a.patch", "just words\n", "it has no hunk" },
		/* what --fuzz would forgive */
		{ "a.patch",
		  "--- a/init/main.c\n+++ b/init/main.c\n@@ -1,3 +1,3 @@\n ONE\n-two\n"
		  "+TWO\n three\n",
		  "does not apply" },
		{ "a.patch",
		  "--- a/../../../../escape\n+++ b/../../../../escape\n@@ -0,0 +1 @@\n+x\n",
		  "does not apply" },
		{ "b.cocci", "// Files: init/gone.c\n", "which is no file of the tree" },
		{ "b.cocci", "// Files: ../bin/gcc\n", "which is no file of the tree" },
		{ "b.cocci", "// Files: init/main.c\n", "finds nothing to change" },
	};

	g_autofree char *src = g_build_filename(root, "repo", NULL);

	put("idle", "");
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_build_filename(root, rows[i].name, NULL);
		g_autoptr(GError) error = NULL;

		put(rows[i].name, rows[i].text);
		assert_false(build_patch(src, path, NULL, &error));
		if (!g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT) ||
		    !strstr(error->message, rows[i].want) || !strstr(error->message, rows[i].name))
			fail_msg("%zu: %d: %s", i, error->code, error->message);
	}
}

/* Nothing is built of it. */
static void patch_that_does_not_apply(void **state)
{
	g_autofree char *path = g_build_filename(root, "b.cocci", NULL);
	char *patches[] = { path, NULL };
	g_auto(asked) a = { .spec = { .ref = (char *)"v6.1", .patches = patches } };

	put("idle", "");
	put("b.cocci", "// Files: init/main.c\n");
	ask(&a, false);
	must_fail(&a, LAB_ERROR_INPUT, "b.cocci': it finds nothing to change");
	assert_null(a.log);
}

/* ---- config and compiler ---- */

static void user_config_on_top(void **state)
{
	g_autofree char *path = g_build_filename(root, "my.config", NULL);
	g_auto(asked) a = { .spec = { .ref = (char *)"v6.1", .config = path } };

	put("my.config", "CONFIG_NR_CPUS=8\nCONFIG_KASAN=y\n");
	ask(&a, false);
	must(&a);
	assert_non_null(strstr(a.kernel->config, "CONFIG_NR_CPUS=8\n"));
	assert_non_null(strstr(a.kernel->config, "CONFIG_KASAN=y\n"));
	put("my.config", "CONFIG_NR_CPUS=8\nnonsense\n");
	ask(&a, false);
	must_fail(&a, LAB_ERROR_INPUT, "my.config:2: 'nonsense'");
	unlink(path);
	ask(&a, false);
	must_fail(&a, LAB_ERROR_INFRA, "my.config");
}

static void options_that_do_not_stick(void **state)
{
	g_autofree char *path = g_build_filename(root, "my.config", NULL);
	g_auto(asked) a = { .spec = { .ref = (char *)"v6.1", .config = path } };
	g_auto(asked) b = { .spec = { .ref = (char *)"v6.1" } };

	put("my.config", "CONFIG_KNOWN=y\nCONFIG_UNHEARD=y\n");
	put("lost", "KNOWN\\|UNHEARD\\|SCHEDSTATS\n");
	ask(&a, false);
	must_fail(
		&a, LAB_ERROR_INPUT,
		"'CONFIG_KNOWN=y' (what it depends on is not met), 'CONFIG_UNHEARD=y' (there is no "
		"such option)");
	/* One of ours that a release does not have is passed over, but not the console. */
	ask(&b, false);
	must(&b);
	put("lost", "SERIAL_8250_CONSOLE\n");
	b.spec.ref = (char *)"main";
	ask(&b, false);
	must_fail(&b, LAB_ERROR_INPUT, "'CONFIG_SERIAL_8250_CONSOLE=y'");
}

static void compilers(void **state)
{
	g_auto(asked) a = { .spec = { .ref = (char *)"v6.1" } };
	g_auto(asked) b = { .spec = { .ref = (char *)"v6.1", .compiler = (char *)"clang" } };
	g_auto(asked) c = { .spec = { .ref = (char *)"v6.1", .compiler = (char *)"gcc-99" } };

	ask(&b, false);
	must_fail(&b, LAB_ERROR_UNSUPPORTED, "'clang' is none");
	ask(&c, false);
	must_fail(&c, LAB_ERROR_UNAVAILABLE, "gcc-99");
	/* Newer than is known: taken, and told. */
	put_program("gcc-98", "#!/bin/sh\necho 98.1.0\n");
	c.spec.compiler = (char *)"gcc-98";
	ask(&c, false);
	must(&c);
	assert_non_null(strstr(c.kernel->note, "built with gcc 98; Linux 6.1 is known"));
	ask(&a, false);
	must(&a);
	assert_null(a.kernel->note);
}

static void no_compiler_for_an_old_kernel(void **state)
{
	g_auto(asked) a = { .spec = { .ref = (char *)"old" } };
	g_autofree char *none = shell("sed -i 's/= 6/= 4/;s/= 1$/= 9/' Makefile && "
				      "git commit -qam old && git tag old");

	g_setenv("FAKE_GCC", "98", TRUE);
	ask(&a, false);
	/* A host may have a gcc of that age beside the fake one. */
	if (a.kernel)
		return;
	must_fail(&a, LAB_ERROR_UNAVAILABLE, "Linux 4.9 is known to build with gcc 3.2 to gcc 5");
}

/* ---- builds that do not end well ---- */

static void failure_names_the_error(void **state)
{
	g_auto(asked) a = { .spec = { .ref = (char *)"v6.1" } };
	g_autofree char *flag = g_build_filename(root, "fail", NULL);

	put("fail", "");
	ask(&a, false);
	must_fail(&a, LAB_ERROR_INFRA, "init/main.c:1: error: fake");
	unlink(flag);
	ask(&a, false);
	must(&a);
}

static bool wait_for(const char *name)
{
	g_autofree char *path = g_build_filename(root, name, NULL);

	for (unsigned i = 0; i < 3000; i++) {
		if (g_file_test(path, G_FILE_TEST_EXISTS))
			return true;
		g_usleep(10000);
	}
	return false;
}

/* kill -9 in the middle of make: what it was writing goes, the next attempt gets the kernel. */
static void killed_while_it_builds(void **state)
{
	g_auto(asked) a = { .spec = { .ref = (char *)"v6.1" } };
	g_autofree char *flag = g_build_filename(root, "slow", NULL), *left = NULL, *old = NULL;
	pid_t pid;

	put("slow", "");
	pid = fork();
	if (!pid) {
		ask(&a, false);
		_exit(0);
	}
	assert_true(wait_for("at-work"));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* As from a build before: it was long done when the other one was killed. */
	old = shell("cd ../cache/klab/git/*/obj-*/ && echo half > half.o && echo done > done.o && "
		    "touch -d '1 hour ago' done.o && echo lock > ../repo.git/index.lock && "
		    "echo half > ../src/init/main.c && echo x > ../src/stray && ls klab-building");
	assert_string_equal(old, "klab-building");
	unlink(flag);
	ask(&a, false);
	must(&a);
	left = shell("cd ../cache/klab/git/*/obj-*/ && ls *.o && test ! -e klab-building && "
		     "test ! -e ../src/stray && cat ../src/init/main.c");
	assert_string_equal(left, "done.o\nmain.o\none\ntwo\nthree");
}

static void forgets_what_is_recent(void **state)
{
	static const struct {
		const char *name;
		int age_s;
		bool stays;
	} rows[] = {
		{ "o/a.o", 0, false },       { "o/deep/b.o", 100, false },
		{ "o/deep/c.o", 200, true }, { "o/d.o", 100000, true },
		{ "o/klab-mark", 0, true },
	};
	g_autofree char *dir = g_build_filename(root, "o", NULL);
	time_t now = time(NULL) - 5000; /* the newest file is what counts, not the clock */

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_build_filename(root, rows[i].name, NULL);
		struct utimbuf at = { now - rows[i].age_s, now - rows[i].age_s };

		put(rows[i].name, "x");
		assert_int_equal(g_utime(path, &at), 0);
	}
	assert_true(build_forget_recent(dir, 120, NULL));
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_build_filename(root, rows[i].name, NULL);

		if (g_file_test(path, G_FILE_TEST_EXISTS) != rows[i].stays)
			fail_msg("%s", rows[i].name);
	}
}

/* ---- git's answers ---- */

#define C1 "1111111111111111111111111111111111111111"
#define C2 "2222222222222222222222222222222222222222"

static void finds_refs(void **state)
{
	static const struct {
		const char *text, *ref, *commit, *name;
		bool is_tag;
	} rows[] = {
		{ C1 "\trefs/tags/v1\n", "v1", C1, "refs/tags/v1", true },
		{ C1 "\trefs/tags/v1\n" C2 "\trefs/tags/v1^{}\n", "v1", C2, "refs/tags/v1", true },
		{ C1 "\trefs/heads/v1\n" C2 "\trefs/tags/v1\n", "v1", C2, "refs/tags/v1", true },
		{ "warning: x\n" C1 "\trefs/heads/main\n", "main", C1, "refs/heads/main", false },
		{ C1 "\trefs/heads/main\n", "refs/heads/main", C1, "refs/heads/main", false },
		{ C1 "\tHEAD\n", "HEAD", C1, "HEAD", false },
		{ C1 "\trefs/tags/v10\n", "v1", NULL },
		{ "11\trefs/tags/v1\n", "v1", NULL },
		{ "\t\n\trefs/tags/v1", "v1", NULL },
		{ "", "v1", NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_auto(git_ref) ref = { 0 };
		bool found = git_refs_find(rows[i].text, rows[i].ref, &ref);

		if (found != !!rows[i].commit || g_strcmp0(ref.commit, rows[i].commit) ||
		    g_strcmp0(ref.name, rows[i].name) || ref.is_tag != rows[i].is_tag)
			fail_msg("%zu: %s %s", i, ref.commit, ref.name);
	}
}

static void remotes(void **state)
{
	static const char *const good[] = { "https://example.org/linux.git", "git://x/y",
					    "git@example.org:linux.git", "ssh://h/p" };
	static const char *const bad[] = { "", "-x", "ext::id", "fd::3", "a b://c", "c:" };

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autofree char *path = NULL;

		assert_true(git_remote_check(good[i], &path, NULL));
		assert_null(path);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *path = NULL;

		if (git_remote_check(bad[i], &path, NULL))
			fail_msg("'%s'", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKES(builds_a_tag_once),
		WITH_FAKES(names_a_candidate),
		WITH_FAKES(names_what_is_no_release),
		WITH_FAKES(second_ref_leaves_files_alone),
		WITH_FAKES(branch_moves_at_a_pull_only),
		WITH_FAKES(fetches_from_a_url),
		WITH_FAKES(refs_that_are_not_there),
		WITH_FAKES(patch_by_patch),
		WITH_FAKES(patches_that_do_nothing),
		WITH_FAKES(patch_that_does_not_apply),
		WITH_FAKES(user_config_on_top),
		WITH_FAKES(options_that_do_not_stick),
		WITH_FAKES(compilers),
		WITH_FAKES(no_compiler_for_an_old_kernel),
		WITH_FAKES(failure_names_the_error),
		WITH_FAKES(killed_while_it_builds),
		WITH_ROOT(forgets_what_is_recent),
		cmocka_unit_test(finds_refs),
		cmocka_unit_test(remotes),
	};

	return cmocka_run_group_tests(tests, make_fakes, remove_fakes);
}
