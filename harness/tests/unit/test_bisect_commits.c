// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kbisect with builds and a tree: the build, then the commit; and what it says where builds do not lead
 * to commits. git and kbisect are real, images and the make that makes them only pretend.
 */
#include "git_fixture.h"

#include "kernel/identity.h"

#include <jansson.h>

/* As long as the build host that takes its place, and as the number of lines that do. */
#define HOST "hhhhhhh-iiiiiiii"
#define LINES "nnnn"

static const char fake_make[] =
	"#!/bin/sh\n"
	"for a; do [ \"$p\" = -C ] && src=$a; p=$a; case $a in O=*) o=${a#O=};; esac; t=$a; done\n"
	"case $t in\n"
	"allnoconfig) cat \"$KCONFIG_ALLCONFIG\" > \"$o/.config\";;\n"
	"bzImage) n=$(printf n%03d \"$(wc -l < \"$src/init/main.c\")\"); mkdir -p \"$o/arch/x86/boot\"\n"
	"	LC_ALL=C sed \"s/" HOST "/$KBUILD_BUILD_HOST/;s/" LINES "/$n/\" \"$FAKE/template\" \\\n"
	"		> \"$o/arch/x86/boot/bzImage\";;\n"
	"esac\n";

/* Fails with images of trees with 9 lines and more. */
static const char command[] =
	"n=$(LC_ALL=C grep -ao 'n0[0-9][0-9]' \"$KBISECT_IMAGE\" | head -n 1); [ \"${n#n0}\" -lt 9 ]";

static void put_image(const char *name, const char *version)
{
	g_autoptr(GByteArray) image =
		fake_bzimage(&(struct fake_bzimage){ .xloadflags = 1, .version = version });
	g_autofree char *path = g_build_filename(root, name, NULL);

	assert_true(g_file_set_contents(path, (char *)image->data, image->len, NULL));
}

/* v6.1.N has 4 + 3 * N lines. */
static void put_world(void)
{
	g_autofree char *said = NULL, *yaml = NULL;

	put_program("make", fake_make);
	put_image("template", "6.1.0-kbisect (klab@" HOST ") #1 SMP " LINES);
	said = shell("for i in 5 6 7 8 9 10 11 12 13; do echo $i >> init/main.c; git commit -qam \"line $i\"; "
		     "case $i in 7) git tag v6.1.1;; 10) git tag v6.1.2;; 13) git tag v6.1.3;; esac; done");
	put_image("k1", "6.1.1 (b@h) #1 SMP n007");
	put_image("k2", "6.1.2 (b@h) #1 SMP n010");
	put_image("k3", "6.1.3 (b@h) #1 SMP n013");
	put_image("again", "6.1.1 (b@h) #2 SMP n013");
	put_image("ubuntu", "6.1.0-9-generic (buildd@h) #9-Ubuntu SMP n013");
	put_image("untagged", "6.1.77 (b@h) #1 SMP n013");
	yaml = g_strdup_printf("kernels:\n"
			       "  - {id: k1, source: file, path: %s/k1}\n"
			       "  - {id: again, source: file, path: %s/again}\n"
			       "  - {id: k2, source: file, path: %s/k2}\n"
			       "  - {id: k3, source: file, path: %s/k3}\n"
			       "  - {id: ubuntu, source: file, path: %s/ubuntu, vendor: ubuntu}\n"
			       "  - {id: untagged, source: file, path: %s/untagged}\n",
			       root, root, root, root, root, root);
	put("kernels.yaml", yaml);
}

/* Run it in ROOT; what it answers. */
static json_t *kbisect(const char *words, int want)
{
	g_autofree char *line = g_strdup_printf("exec " BUILD_DIR "/kbisect run %s --json 2>err", words);
	const char *const argv[] = { "sh", "-c", line, NULL };
	struct proc_spec spec = { .argv = argv, .cwd = root, .timeout_s = 50 };
	g_autofree char *output = NULL, *err = NULL;
	json_t *json;
	int status;

	assert_true(proc_run(&spec, &output, &status, NULL));
	err = get("err");
	json = json_loads(output, 0, NULL);
	if (status != want || !json)
		fail_msg("%d: %s\n%s", status, output, err);
	return json;
}

static json_t *bisect(const char *kernels, const char *dir, int want)
{
	g_autofree char *words = g_strdup_printf("-c kernels.yaml %s --git repo --out %s "
						 "--cmd 'sh %s/command'", kernels, dir, root);

	put("command", command);
	return kbisect(words, want);
}

static const char *text_of(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static void from_the_build_to_the_commit(void **unused)
{
	json_t *json, *again;
	g_autofree char *culprit = NULL, *report = NULL, *inner = NULL, *said = NULL;
	const json_t *commits;

	put_world();
	json = bisect("--kernels 'k?'", "deep", 0);
	commits = json_object_get(json, "commits");
	culprit = shell("git log --format=%H --grep '^line 9$'");
	assert_string_equal(text_of(json, "change"), "k2");
	assert_string_equal(text_of(commits, "answer"), "found");
	assert_string_equal(text_of(commits, "change"), culprit);
	report = get("deep/report.md");
	inner = get("deep/commits/report.md");
	assert_non_null(strstr(report, "(commits/report.md)"));
	assert_non_null(strstr(inner, "(../report.md)"));
	/* through the first one it goes on with both */
	again = kbisect("--resume deep", 0);
	assert_string_equal(text_of(json_object_get(again, "commits"), "change"), culprit);
	said = shell(BUILD_DIR "/kbisect status ../deep && rm ../deep/commits/range.json");
	assert_non_null(strstr(said, "deep/commits"));
	json_decref(again);
	/* killed while the second one was made: that is made anew */
	again = kbisect("--resume deep", 0);
	assert_string_equal(text_of(json_object_get(again, "commits"), "change"), culprit);
	json_decref(again);
	json_decref(json);
}

/* The builds fail, and none of what upstream has between their releases does. */
static void what_is_not_upstream_is_said(void **unused)
{
	g_autofree char *said = NULL;
	json_t *json;

	put_world();
	put_image("k2", "6.1.2 (b@h) #1 SMP n099");
	put_image("k3", "6.1.3 (b@h) #1 SMP n099");
	put("kernels.txt", "k1\nk2\n");
	said = shell("git tag -f v6.1.1 HEAD~6; git tag -f v6.1.2 HEAD~5");
	json = bisect("--list kernels.txt", "own", 4);
	assert_string_equal(text_of(json, "change"), "k2");
	assert_string_equal(text_of(json_object_get(json, "commits"), "answer"), "too-rare");
	assert_non_null(strstr(text_of(json_object_get(json, "commits"), "said"), "no commit of the tree"));
	json_decref(json);
}

static void builds_that_do_not_lead_to_commits(void **unused)
{
	static const struct {
		const char *list, *says;
	} cases[] = {
		{ "k1\nagain\n", "both builds are made of v6.1.1" },
		{ "k1\nubuntu\n", "does not tell which release" },
		{ "k1\nuntagged\n", "has no tag v6.1.77" },
	};

	put_world();
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *dir = g_strdup_printf("case%zu", i);
		json_t *json, *commits;

		put("kernels.txt", cases[i].list);
		json = bisect("--list kernels.txt", dir, 0);
		commits = json_object_get(json, "commits");
		assert_null(text_of(commits, "answer"));
		if (!strstr(text_of(commits, "said"), cases[i].says))
			fail_msg("%s", text_of(commits, "said"));
		json_decref(json);
	}
}

static void builds_tell_their_tag(void **unused)
{
	static const struct {
		const char *release, *version, *vendor, *want;
	} cases[] = {
		{ "6.1.77", "(b@h) #1 SMP", NULL, "v6.1.77" },
		{ "6.2.0", "(b@h) #1 SMP", NULL, "v6.2" },
		{ "6.2.0-rc3", "(b@h) #1 SMP", NULL, "v6.2-rc3" },
		{ "6.1.0-47-cloud-amd64", "#1 SMP Debian 6.1.140-1 (2025-05-22)", "debian", "v6.1.140" },
		{ "6.1.0-0.deb11.7-amd64", "#1 SMP Debian 6.1.20-2~bpo11+1 (2023)", "debian", "v6.1.20" },
		{ "6.12.9+deb13-amd64", "#1 SMP Debian 6.12.9-1 (2025)", "debian", "v6.12.9" },
		{ "6.1.0-47-cloud-amd64", "", "debian", NULL },
		{ "5.4.0-150-generic", "(buildd@h) #167-Ubuntu SMP", "ubuntu", NULL },
		{ "4.18.0-513.el8.x86_64", "#1 SMP", "rhel8", NULL },
	};

	(void)unused;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct kernel k = { .release = (char *)cases[i].release,
				    .version = (char *)cases[i].version,
				    .vendor = (char *)cases[i].vendor };
		g_autofree char *tag = kernel_upstream_tag(&k);

		if (g_strcmp0(tag, cases[i].want))
			fail_msg("%s: %s", cases[i].release, tag);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKES(from_the_build_to_the_commit),
		WITH_FAKES(what_is_not_upstream_is_said),
		WITH_FAKES(builds_that_do_not_lead_to_commits),
		cmocka_unit_test(builds_tell_their_tag),
	};

	return cmocka_run_group_tests(tests, make_fakes, remove_fakes);
}
