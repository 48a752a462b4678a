// SPDX-License-Identifier: GPL-2.0-or-later
/* kernels.yaml: the shipped file, every kind of error with its place, choice by glob and file:. */
#include "base/embed.h"
#include "conf/doc.h"
#include "conf/suggest.h"

#include "matrix_fixture.h"

static void shipped_file_is_good(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(matrix) m = NULL;
	g_autoptr(GPtrArray) chosen = NULL;
	const struct kernel_spec *sid, *bullseye;

	assert_true(matrix_parse("kernels.yaml", embed_kernels_yaml, EMBED_LEN(kernels_yaml), &m,
				 &error));
	assert_true(matrix_select(m, NULL, &chosen, &error));
	assert_int_equal(chosen->len, 4);
	bullseye = g_ptr_array_index(chosen, 0);
	assert_string_equal(bullseye->id, "debian-bullseye");
	assert_string_equal(bullseye->suite, "bullseye-security,bullseye");
	assert_string_equal(bullseye->package, "linux-image-cloud-amd64");
	assert_string_equal(bullseye->vendor, "debian");
	assert_false(bullseye->ignore_valid_until);
	sid = g_ptr_array_index(chosen, 3);
	assert_true(sid->ignore_valid_until);
	assert_true(sid->line > 0);
}

/* What users think of leads to one kernel of the shipped file, or to so many. */
static void shipped_file_has_what_users_name(void **state)
{
	static const struct {
		const char *typed, *id; /* of the first */
		unsigned n;
	} rows[] = {
		{ "debian 12", "debian-bookworm", 1 },
		{ "6.1.0-50-cloud-amd64", "debian-6.1.0-50", 1 },
		{ "5.4.0-150-generic", "ubuntu-5.4.0-150", 1 },
		{ "Ubuntu 22.04", "ubuntu-5.15.0-33", 11 },
		{ "3.10.0-1127.el7", "centos-7-1127", 1 },
		{ "3.10.0-514.el7.x86_64", "centos-7-514", 1 },
		{ "v6.2", "mainline-6.2", 1 },
		{ "mainline-*", "mainline-5.2", 22 },
		{ "ubuntu-mainline-*", "ubuntu-mainline-5.8", 21 },
		{ "5.5.0-050500-generic", "ubuntu-mainline-5.5", 1 },
		{ "centos-7-*", "centos-7-514", 7 },
		{ "rhel-8-*", "rhel-8-80", 7 },
		{ "amazon-*", "amazon-2", 2 },
		{ "opensuse-*", "opensuse-leap-15.6", 3 },
		{ "debian-*", "debian-bullseye", 25 },
	};
	g_autoptr(matrix) m = NULL;

	assert_true(matrix_parse("kernels.yaml", embed_kernels_yaml, EMBED_LEN(kernels_yaml), &m,
				 NULL));
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		const char *const patterns[] = { rows[i].typed, NULL };
		g_autoptr(GPtrArray) chosen = NULL;
		g_autoptr(GError) error = NULL;
		const struct kernel_spec *first;

		if (!matrix_select(m, patterns, &chosen, &error))
			fail_msg("%s", error->message);
		first = chosen->pdata[0];
		if (strcmp(first->id, rows[i].id) || chosen->len != rows[i].n)
			fail_msg("'%s': %u, '%s'", rows[i].typed, chosen->len, first->id);
	}
}

#define K "kernels: [{id: a, source: apt, suite: s, package: p}]\n"

/* Text, and an error line that must be among those reported. */
static void errors_name_their_place(void **state)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{ "", "m.yaml:1:1: 'kernels' is missing" },
		{ "- a\n", "m.yaml:1:1: the file must be a map of keys, not a list" },
		{ "kernel: []\n", "m.yaml:1:9: unknown key 'kernel'; did you mean 'kernels'?" },
		{ "kernels: 7\n", "m.yaml:1:10: 'kernels' must be a list, not a single value" },
		{ "kernels: [7]\n",
		  "m.yaml:1:11: a kernel must be a map of keys, not a single value" },
		{ "kernels: [{source: apt, suite: s, package: p}]\n",
		  "m.yaml:1:11: 'id' is missing" },
		{ "kernels: [{id: a/b, source: apt, suite: s, package: p}]\n",
		  "m.yaml:1:16: 'a/b' is no id: letters, digits and . _ + - only, at most 64, a "
		  "letter "
		  "or digit first" },
		{ "kernels: [{id: ../x, source: file, path: p}]\n",
		  "m.yaml:1:16: '../x' is no id: letters, digits and . _ + - only, at most 64, a "
		  "letter "
		  "or digit first" },
		{ "kernels: [{id: a, suite: s, package: p}]\n",
		  "m.yaml:1:11: 'source' is missing" },
		{ "kernels: [{id: a, source: atp, suite: s, package: p}]\n",
		  "m.yaml:1:27: unknown source 'atp'; did you mean 'apt'?" },
		{ "kernels: [{id: a, source: apt, package: p}]\n",
		  "m.yaml:1:11: 'suite' is missing: source apt needs one" },
		{ "kernels: [{id: a, source: apt, suite: s}]\n",
		  "m.yaml:1:11: 'package' is missing: source apt needs one" },
		{ "kernels: [{id: a, source: deb, url: 'http://h/a.deb'}]\n",
		  "m.yaml:1:11: nothing says how it is verified: 'sha256' or 'verify: none'" },
		{ "kernels: [{id: a, source: rpm, repo: 'http://h/r', package: kernel}]\n",
		  "m.yaml:1:11: nothing says how it is verified: 'keyring', 'sha256' or "
		  "'verify: none'" },
		{ "kernels: [{id: a, source: rpm, verify: none}]\n",
		  "m.yaml:1:11: 'url' or 'repo' is missing: source rpm needs one" },
		{ "kernels: [{id: a, source: rpm, url: u, repo: r, verify: none, package: k}]\n",
		  "m.yaml:1:37: 'url' and 'repo' exclude each other" },
		{ "kernels: [{id: a, source: deb, url: u, verify: no}]\n",
		  "m.yaml:1:48: unknown verify 'no': it is 'none' or not there" },
		{ "kernels: [{id: a, source: deb, url: u, verify: gpg}]\n",
		  "m.yaml:1:48: unknown verify 'gpg': it is 'none' or not there" },
		{ "kernels: [{id: a, source: deb, url: u, sha256: abc}]\n",
		  "m.yaml:1:48: 'abc' is no sha256: 64 hex digits" },
		{ "kernels: [{id: a, source: deb, url: u, keyring: k}]\n",
		  "m.yaml:1:49: 'keyring' has no meaning with 'url'" },
		{ "kernels: [{id: a, source: deb, url: u, verify: none, version: 7}]\n",
		  "m.yaml:1:63: 'version' has no meaning with 'url'" },
		{ "kernels: [{id: a, source: deb, url: u, verify: none, suites: [s, t]}]\n",
		  "m.yaml:1:62: 'suites' has no meaning with 'url'" },
		{ "kernels: [{id: a, source: deb, repo: u, verify: none, keyring: k}]\n",
		  "m.yaml:1:64: 'keyring' and 'verify' exclude each other" },
		{ "kernels: [{id: a, source: deb, repo: u, keyring: k}]\n",
		  "m.yaml:1:11: 'package' is missing: 'repo' needs one" },
		{ "kernels: [{id: a, source: deb, repo: u, keyring: k}]\n",
		  "m.yaml:1:11: 'suite' is missing: 'repo' needs one" },
		{ "kernels: [{id: a, source: rpm, repo: 'ftp://h/r', package: k, verify: none}]\n",
		  "m.yaml:1:38: 'ftp://h/r' is no repo: http://, https:// or a path" },
		{ "kernels: [{id: a, source: git, ref: v6.2}]\n",
		  "m.yaml:1:11: 'remote' is missing: source git needs one" },
		{ "kernels: [{id: a, source: git, remote: r}]\n",
		  "m.yaml:1:11: 'ref' is missing: source git needs one" },
		{ "kernels: [{id: a, source: git, remote: --upload-pack=x, ref: v6.2}]\n",
		  "m.yaml:1:40: '--upload-pack=x' is no remote: it looks like an option" },
		{ "kernels: [{id: a, source: git, remote: r, ref: -x}]\n",
		  "m.yaml:1:48: '-x' is no ref" },
		{ "kernels: [{id: a, source: git, remote: r, ref: v6.2, compiler: gcc 10}]\n",
		  "m.yaml:1:64: 'gcc 10' is no compiler" },
		{ "kernels: [{id: a, source: git, remote: r, ref: v6.2, patches: [ok, '-x']}]\n",
		  "m.yaml:1:63: '-x' is no patch: it looks like an option" },
		{ "kernels: [{id: a, source: git, remote: \"r\\e[m\", ref: v6.2}]\n",
		  "m.yaml:1:40: 'r\033[m' is no remote: it holds bytes that do not print" },
		{ "kernels: [{id: a, source: dir}]\n",
		  "m.yaml:1:11: 'path' is missing: source dir needs one" },
		{ "kernels: [{id: a, source: dir, path: p, aliases: ['b c']}]\n",
		  "m.yaml:1:50: 'b c' is no alias" },
		{ "kernels: [{id: a, source: file, path: p, refs: [v1.0]}]\n",
		  "m.yaml:1:48: 'refs' has no meaning in a kernel" },
		{ "defaults: {source: rpm}\nfamilies: [{id: f, repo: r, package: k}]\n",
		  "m.yaml:2:12: a family has 'versions' or 'refs', one of the two" },
		{ "families: [7]\n",
		  "m.yaml:1:12: a family must be a map of keys, not a single value" },
		{ "kernels: [{id: a, source: apt, suite: s, package: p, path: x}]\n",
		  "m.yaml:1:60: 'path' has no meaning with source apt" },
		{ "kernels: [{id: a, source: apt, suite: 's x', package: p}]\n",
		  "m.yaml:1:39: 's x' is no suite" },
		{ "kernels: [{id: a, source: apt, suite: s, suites: [t], package: p}]\n",
		  "m.yaml:1:39: 'suite' and 'suites' exclude each other" },
		{ "kernels: [{id: a, source: apt, suite: s, package: '-o'}]\n",
		  "m.yaml:1:51: '-o' is no package" },
		{ "kernels: [{id: a, source: file}]\n",
		  "m.yaml:1:11: 'path' is missing: source file needs one" },
		{ "kernels: [{id: a, source: file, path: p, version: 7}]\n",
		  "m.yaml:1:51: 'version' has no meaning with source file" },
		{ "kernels: [{id: a, source: file, path: p, vendor: debain}]\n",
		  "m.yaml:1:50: unknown vendor 'debain'; did you mean 'debian'?" },
		{ "kernels: [{id: a, source: apt, suite: s, package: p, check-valid-until: "
		  "maybe}]\n",
		  "m.yaml:1:73: 'check-valid-until' must be yes or no, not 'maybe'" },
		{ "kernels: [{id: a, source: file, path: ''}]\n", "m.yaml:1:39: 'path' is empty" },
		{ "kernels:\n  - {id: a, source: file, path: p}\n  - {id: a, source: file, path: "
		  "q}\n",
		  "m.yaml:3:5: id 'a' is taken: line 2" },
		{ K "default: [b]\n", "m.yaml:2:11: no kernel has the id 'b'; did you mean 'a'?" },
		{ K "default: [a, a]\n", "m.yaml:2:14: 'a' stands here twice" },
		{ K K, "m.yaml:2:1: key 'kernels' stands here twice" },
		{ "defaults: {id: x}\n" K, "m.yaml:1:16: 'id' has no meaning in 'defaults'" },
		{ "a: &x 1\n", "m.yaml:1:4: aliases, anchors and tags are not taken here" },
		{ "a: *x\n", "m.yaml:1:4: aliases, anchors and tags are not taken here" },
		{ "a: !!str 1\n", "m.yaml:1:4: aliases, anchors and tags are not taken here" },
		{ "? [a]\n: b\n", "m.yaml:1:3: a key must be a plain word" },
		{ K "---\nb: 1\n", "m.yaml:2:1: a second document begins here" },
		{ "a: \"x\\0y\"\n", "m.yaml:1:4: a value must not hold a NUL" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_auto(GStrv) lines = NULL;
		struct matrix *m = NULL;

		assert_false(
			matrix_parse("m.yaml", rows[i].text, strlen(rows[i].text), &m, &error));
		assert_null(m);
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_USAGE));
		lines = g_strsplit(error->message, "\n", -1);
		if (!g_strv_contains((const char *const *)lines, rows[i].line))
			fail_msg("row %u: '%s' is not among:\n%s", i, rows[i].line, error->message);
	}
}

static void all_errors_come_at_once_in_order(void **state)
{
	static const char text[] = "kernels:\n"
				   "  - {id: a, source: atp, suite: s, package: p}\n"
				   "  - {id: b, sorce: apt, suite: s, package: p}\n"
				   "default: [c]\n";
	g_autoptr(GError) error = NULL;
	struct matrix *m = NULL;

	assert_false(matrix_parse("m.yaml", text, strlen(text), &m, &error));
	assert_string_equal(error->message,
			    "m.yaml:2:21: unknown source 'atp'; did you mean 'apt'?\n"
			    "    2 |   - {id: a, source: atp, suite: s, package: p}\n"
			    "      |                     ^\n"
			    "m.yaml:3:5: 'source' is missing\n"
			    "    3 |   - {id: b, sorce: apt, suite: s, package: p}\n"
			    "      |     ^\n"
			    "m.yaml:3:20: unknown key 'sorce'; did you mean 'source'?\n"
			    "    3 |   - {id: b, sorce: apt, suite: s, package: p}\n"
			    "      |                    ^\n"
			    "m.yaml:4:11: no kernel has the id 'c'; did you mean 'a'?\n"
			    "    4 | default: [c]\n"
			    "      |           ^");
}

static void broken_yaml_is_refused(void **state)
{
	static const char *const texts[] = { "a: [",         "a: b: c", "\t",      "a: \"",
					     "\xff\xfe\x00", "%",       "{a: 1}}", "a: 'b\n" };

	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;
		struct matrix *m = NULL;

		assert_false(matrix_parse("m.yaml", texts[i], strlen(texts[i]), &m, &error));
		assert_true(g_str_has_prefix(error->message, "m.yaml:"));
	}
}

static void limits_hold(void **state)
{
	g_autofree char *deep = g_strnfill(DOC_DEPTH_MAX + 1, '[');
	g_autofree char *large = g_strnfill(DOC_BYTES_MAX + 1, ' ');
	g_autoptr(GString) many = g_string_new("kernels: [");
	g_autoptr(GString) keys = g_string_new(NULL);
	const char *texts[4];
	static const char *const said[] = { "nested too deep", "more than 8388608",
					    "too many nodes", "too many keys" };

	for (unsigned i = 0; i <= DOC_NODES_MAX; i++)
		g_string_append(many, "a,");
	for (unsigned i = 0; i <= DOC_KEYS_MAX; i++)
		g_string_append_printf(keys, "k%u: 1\n", i);
	texts[0] = deep;
	texts[1] = large;
	texts[2] = many->str;
	texts[3] = keys->str;
	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;
		struct matrix *m = NULL;

		assert_false(matrix_parse("m", texts[i], strlen(texts[i]), &m, &error));
		assert_non_null(strstr(error->message, said[i]));
	}
}

static void very_many_errors_are_cut(void **state)
{
	g_autoptr(GString) text = g_string_new("kernels:\n");
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) lines = NULL;
	struct matrix *m = NULL;

	for (unsigned i = 0; i < 300; i++)
		g_string_append(text, "- 7\n");
	assert_false(matrix_parse("m", text->str, text->len, &m, &error));
	lines = g_strsplit(error->message, "\n", -1);
	assert_int_equal(g_strv_length(lines), 3 * DOC_ERRORS_MAX + 1);
	assert_string_equal(lines[3 * DOC_ERRORS_MAX], "m: 200 more errors");
}

static const char three[] = "defaults: {source: apt, package: p, suites: [x, y]}\n"
			    "kernels:\n"
			    "  - {id: debian-a}\n"
			    "  - {id: debian-b, suite: z, version: '6.1.27-1'}\n"
			    "  - {id: own, source: file, path: /boot/vmlinuz}\n"
			    "default: [debian-b, own]\n";

static void kernels_are_selected(void **state)
{
	static const struct {
		const char *patterns[4];
		const char *ids; /* or the beginning of the error */
		bool good;
	} rows[] = {
		{ { NULL }, "debian-b own", true },
		{ { "*" }, "debian-a debian-b own", true },
		{ { "debian-*" }, "debian-a debian-b", true },
		{ { "own", "debian-a", "o*" }, "own debian-a", true },
		{ { "file:/x/bzImage,id=mine" }, "mine", true },
		{ { "file:/x/bz Image" }, "bz-Image", true },
		{ { "file:/x/bzImage,id=mine", "file:/x/bzImage,id=mine", "mine" }, "mine", true },
		{ { "file:/a,b,id=c" }, "c", true },
		{ { "debain-a" },
		  "no kernel matches 'debain-a'; did you mean 'debian-a'?\n"
		  "hint: there are: debian-a, debian-b, own",
		  false },
		{ { "./bzImage" }, "bzImage", true },
		{ { "./no/such.deb,id=x", "x" }, "x", true },
		{ { "/" }, "k", true },
		{ { "deb:l.deb", "rpm:k.rpm", "dir:build" }, "l.deb k.rpm build", true },
		{ { "6.1.27-1" }, "debian-b", true },
		{ { "6.1.*" }, "debian-b", true },
		{ { "Debian B" }, "debian-b", true },
		{ { "6.1.28-1" }, "no kernel matches '6.1.28-1'; did you mean '6.1.27-1'?", false },
		{ { "Debian Q" }, "no kernel matches 'Debian Q'; did you mean 'debian-a'?", false },
		{ { "file:" }, "'file:' names no file", false },
		{ { "file:,id=x" }, "'file:,id=x' names no file", false },
		{ { "file:/x,id=a/b" }, "'file:/x,id=a/b': 'a/b' is no id", false },
		{ { "file:/x,id=own" }, "'file:/x,id=own': the id 'own' is taken", false },
		{ { "file:/x,id=m", "file:/y,id=m" },
		  "'file:/y,id=m': the id 'm' is taken",
		  false },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(matrix) m = parse(three);
		g_autoptr(GPtrArray) chosen = NULL;
		g_autoptr(GString) ids = g_string_new(NULL);
		g_autoptr(GError) error = NULL;

		if (matrix_select(m, rows[i].patterns, &chosen, &error) != rows[i].good)
			fail_msg("row %u: %s", i, error ? error->message : "was accepted");
		if (!rows[i].good) {
			assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_USAGE));
			if (!g_str_has_prefix(error->message, rows[i].ids))
				fail_msg("row %u: %s", i, error->message);
			continue;
		}
		for (unsigned j = 0; j < chosen->len; j++)
			g_string_append_printf(
				ids, "%s%s", j ? " " : "",
				((struct kernel_spec *)g_ptr_array_index(chosen, j))->id);
		assert_string_equal(ids->str, rows[i].ids);
	}
}

static void defaults_reach_silent_entries_only(void **state)
{
	g_autoptr(matrix) m = parse(three);
	const struct kernel_spec *a = g_ptr_array_index(m->kernels, 0);
	const struct kernel_spec *b = g_ptr_array_index(m->kernels, 1);
	const struct kernel_spec *own = g_ptr_array_index(m->kernels, 2);

	assert_string_equal(a->suite, "x,y");
	assert_null(a->version);
	assert_string_equal(b->suite, "z");
	assert_string_equal(b->version, "6.1.27-1");
	assert_null(own->suite);
	assert_null(own->package);
	assert_string_equal(own->path, "/boot/vmlinuz");
}

static void near_words_are_suggested(void **state)
{
	static const char *const words[] = { "kernels", "default", "text-poke", NULL };
	static const struct {
		const char *typed, *expected;
	} rows[] = { { "kernel", "kernels" },
		     { "defualt", "default" },
		     { "text_poke", "text-poke" },
		     { "zebra", NULL },
		     { "", NULL } };

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		const char *got = suggest(rows[i].typed, words);

		if (g_strcmp0(got, rows[i].expected))
			fail_msg("'%s': '%s'", rows[i].typed, got ? got : "nothing");
	}
	assert_int_equal(suggest_distance("kitten", "sitting"), 3);
	assert_int_equal(suggest_distance("ab", "ba"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shipped_file_is_good),
		cmocka_unit_test(shipped_file_has_what_users_name),
		cmocka_unit_test(errors_name_their_place),
		cmocka_unit_test(all_errors_come_at_once_in_order),
		cmocka_unit_test(broken_yaml_is_refused),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(very_many_errors_are_cut),
		cmocka_unit_test(kernels_are_selected),
		cmocka_unit_test(defaults_reach_silent_entries_only),
		cmocka_unit_test(near_words_are_suggested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
