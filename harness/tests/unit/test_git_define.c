// SPDX-License-Identifier: GPL-2.0-or-later
/* What a failure names, found in a tree of a few files, and the commits that touch it; the log of a
 * bisection that says so. */
#include "git_fixture.h"

#include "cmd/bisect.h"
#include "kernel/git_define.h"

static char *repo_of(void)
{
	return g_build_filename(root, "repo", NULL);
}

static void put_tree(void)
{
	g_autofree char *said = NULL;

	put("repo/mm/find.c", "int find_area(int x);\nstatic struct area *\nfind_area(int x)\n{\n"
			      "\tcall_area(x);\n}\n");
	put("repo/mm/other.c", "int other_area(int x)\n{\n\treturn find_area(x);\n}\n");
	put("repo/include/area.h", "int find_area(int x);\nstatic inline int inline_area(int x)\n{\n}\n");
	put("repo/arch/x86/entry.S", "SYM_CODE_START(asm_area)\n\tcall find_area\n");
	put("repo/arch/arm64/find.c", "int find_area(int x)\n{\n}\n");
	put("repo/arch/xtensa/find.c", "int find_area(int x)\n{\n}\n");
	put("repo/tools/find.c", "int find_area(int x)\n{\n}\n");
	for (char c = 'a'; c < 'f'; c++) {
		g_autofree char *name = g_strdup_printf("repo/lib/%c.c", c);

		put(name, "static int many_area(int x)\n{\n}\n");
	}
	said = shell("git add . && git commit -qm tree && git tag tree");
}

static char *define(const char *names)
{
	g_auto(GStrv) functions = g_strsplit(names, " ", -1), files = NULL;
	g_autofree char *repo = repo_of();
	g_autoptr(GError) error = NULL;

	if (!git_define(repo, "tree", (const char *const *)functions, &files, &error))
		fail_msg("%s", error->message);
	return g_strjoinv(" ", files);
}

static void definitions_are_found(void **unused)
{
	static const struct {
		const char *names, *want;
	} cases[] = {
		{ "find_area", "mm/find.c" },
		{ "inline_area", "include/area.h" },
		{ "asm_area other_area", "arch/x86/entry.S mm/other.c" },
		{ "call_area", "" },
		{ "many_area", "" },
		{ "no_such_area", "" },
	};

	put_tree();
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *found = define(cases[i].names);

		assert_string_equal(found, cases[i].want);
	}
}

static void any_text_is_read(void **unused)
{
	static const char *const functions[] = { "f", "g", NULL };
	g_auto(GStrv) files = git_define_parse("c:a.c:int f(int x)\n:::\n\nc:b.c\nc::f(\nc:d.c:EXPORT(f)\nc:h.h:f(x)\n"
					       "c:i.h:void g(void)\nc:a.c:f(", functions);
	g_autofree char *all = g_strjoinv(" ", files);

	(void)unused;
	assert_string_equal(all, "a.c i.h");
}

/* --- of a bisection ----------------------------------------------------------------------------- */

static bool note(struct bisect_session *s, const char *text)
{
	return bisect_session_log(s, json_loads(text, 0, NULL), NULL);
}

static void the_log_names_the_suspects(void **unused)
{
	g_autofree char *repo = NULL, *dir = NULL, *said = NULL;
	struct bisect_request req = { .confidence = 0.99, .jobs = 1 };
	struct bisect_range *range = NULL;
	g_autoptr(bisect_session) s = NULL, again = NULL;

	put_tree();
	repo = repo_of();
	dir = g_build_filename(root, "session", NULL);
	said = shell("for f in init/main.c mm/find.c mm/other.c init/main.c; do echo >> $f; "
		     "git commit -qam $f; done; git tag new");
	req.git = g_strdup(repo);
	req.good = g_strdup("tree");
	req.bad = g_strdup("new");
	req.command = g_strdup("true");
	assert_true(bisect_range_of_commits(&req, &range, NULL));
	assert_true(bisect_session_create(dir, &req, range, &s, NULL));
	assert_true(bisect_suspect(s, NULL) && !s->state->functions);	/* nothing failed yet */
	assert_true(note(s, "{\"ev\":\"start\",\"test\":0,\"node\":3,\"length\":1}") &&
		    note(s, "{\"ev\":\"end\",\"test\":0,\"outcome\":\"failed\",\"title\":\"deadlock: "
			    "find_area <- schedule\"}"));
	assert_true(bisect_suspect(s, NULL) && bisect_suspect(s, NULL));
	assert_int_equal(s->state->suspects, 1);
	assert_string_equal(s->state->files[0], "mm/find.c");
	assert_true(s->state->belief->w[1] > 7 * s->state->belief->w[0]);
	/* the log alone says it again */
	g_clear_pointer(&s, bisect_session_free);
	assert_true(bisect_session_open(dir, false, &again, NULL));
	assert_int_equal(again->state->suspects, 1);
}

/* As git tells it: the subject is whole, a "Fixes:" counts where trailers stand. */
static void fixes_are_seen(void **unused)
{
	g_autofree char *said = NULL, *repo = repo_of();
	struct history_params params = { .path = repo, .from = "v6.1.1-test", .to = "main" };
	g_autoptr(history) h = NULL;

	said = shell("printf 'a b\\n\\ntext\\n\\nFixes: 123456789012 (\"x\")\\nCc: y\\n' >m && "
		     "git commit -q --allow-empty -F m && git commit -q --allow-empty -m 'Fixes: none' && "
		     "echo z >z && git add z && git commit -qm c");
	assert_true(git_history(&params, NULL, &h, NULL));
	assert_int_equal(h->n, 3);
	assert_string_equal(h->commits[0].subject, "a b");
	assert_string_equal(h->commits[1].subject, "Fixes: none");
	assert_true(h->commits[0].fixes && !h->commits[1].fixes && !h->commits[2].fixes);
	assert_string_equal(h->commits[2].files[0], "z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKES(definitions_are_found),
		cmocka_unit_test(any_text_is_read),
		WITH_FAKES(the_log_names_the_suspects),
		WITH_FAKES(fixes_are_seen),
	};

	return cmocka_run_group_tests(tests, make_fakes, remove_fakes);
}
