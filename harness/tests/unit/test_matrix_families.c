// SPDX-License-Identifier: GPL-2.0-or-later
/* kernels.yaml: families spelled out, what hides what, and the names that users may say. */

#include "matrix_fixture.h"

static char *ids_of(GPtrArray *specs)
{
	g_autoptr(GString) ids = g_string_new(NULL);

	for (unsigned i = 0; i < specs->len; i++)
		g_string_append_printf(ids, "%s%s", i ? " " : "",
				       ((struct kernel_spec *)specs->pdata[i])->id);
	return g_string_free(g_steal_pointer(&ids), FALSE);
}

#define GIT "families: [{id: m, source: git, remote: r, "
#define RPM "families: [{id: f, source: rpm, repo: r, package: kernel, verify: none, "

static void members_are_spelled_out(void **state)
{
	static const struct {
		const char *text, *ids;
	} rows[] = {
		{ GIT "refs: [v6.2, v6.3-rc1, next/x]}]", "m-6.2 m-6.3-rc1 m-next-x" },
		{ GIT "refs: {from: v5.17, to: v6.2}}]", "m-5.17 m-5.18 m-5.19 m-6.0 m-6.1 m-6.2" },
		{ GIT "refs: {from: v5.8, to: v5.11}}]", "m-5.8 m-5.9 m-5.10 m-5.11" },
		{ GIT "refs: {from: v6.18, to: v7.1}}]", "m-6.18 m-6.19 m-7.0 m-7.1" },
		{ GIT "refs: {from: '6.1', to: '6.1'}}]", "m-6.1" },
		{ GIT "refs: [{from: v6.1, to: v6.2}, v6.2.7]}]", "m-6.1 m-6.2 m-6.2.7" },
		{ GIT "refs: {lts: v6.1, now: {ref: v7.2, compiler: gcc-12}}}]", "m-lts m-now" },
		{ GIT "ids: 'x{name}-{family}', refs: [v6.2]}]", "x6.2-m" },
		{ RPM "versions: [3.10.0-514.el7, '1:2~rc1']}]", "f-3.10.0-514.el7 f-1-2-rc1" },
		{ RPM "versions: {514: 3.10.0-514.el7}}]", "f-514" },
		{ RPM "versions: {from: 6.1.0-8, to: 6.1.0-11}}]",
		  "f-6.1.0-8 f-6.1.0-9 f-6.1.0-10 f-6.1.0-11" },
		{ RPM "versions: {from: 3.10.0-9.el7, to: 3.10.0-10.el7}}]",
		  "f-3.10.0-9.el7 f-3.10.0-10.el7" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(matrix) m = parse(rows[i].text);
		g_autofree char *ids = ids_of(m->kernels);

		if (strcmp(ids, rows[i].ids))
			fail_msg("row %u: '%s'", i, ids);
	}
}

static void errors_of_families_name_their_place(void **state)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{ GIT "refs: v6.2}]",
		  "m.yaml:1:50: 'refs' must be a list, a map of names or {from, to}" },
		{ GIT "refs: [v6.2, [v6.3]]}]",
		  "m.yaml:1:57: a member is a ref or a map of keys, not a list" },
		{ GIT "refs: [v6.2, '']}]", "m.yaml:1:57: a member is empty" },
		{ GIT "refs: [v6.2, v6.2]}]", "m.yaml:1:57: id 'm-6.2' is taken: line 1" },
		{ GIT "refs: [{compiler: gcc-10}]}]", "m.yaml:1:51: 'ref' is missing" },
		{ GIT "refs: {from: v6.2, to: v5.2}}]",
		  "m.yaml:1:50: 'v6.2' to 'v5.2' is no range of mainline: vX.Y to a later vX.Y" },
		{ GIT "refs: {from: v6.2-rc1, to: v6.3}}]",
		  "m.yaml:1:50: 'v6.2-rc1' to 'v6.3' is no range of mainline: vX.Y to a later "
		  "vX.Y" },
		{ GIT "refs: {from: v6.25, to: v7.3}}]",
		  "m.yaml:1:50: 'v6.25' to 'v7.3': mainline has no such row of branches" },
		{ GIT "refs: {from: v5.0, to: v5.99999}}]",
		  "m.yaml:1:50: 'v5.0' to 'v5.99999': mainline has no such row of branches" },
		{ GIT "versions: [1]}]", "m.yaml:1:54: 'versions' has no meaning with source git" },
		{ GIT "refs: [a], versions: [1]}]",
		  "m.yaml:1:12: a family has 'versions' or 'refs', one of the two" },
		{ GIT "ids: '{nmae}', refs: [v6.2]}]",
		  "m.yaml:1:12: '{nmae}' stands for nothing here: {name}, {ref}, {family}" },
		{ GIT "ids: '{', refs: [v6.2]}]",
		  "m.yaml:1:12: '{' stands for nothing here: {name}, {ref}, {family}" },
		{ RPM "versions: {from: 1.2, to: 2.3}}]",
		  "m.yaml:1:83: '1.2' to '2.3' is no range: they differ in one number, which "
		  "grows" },
		{ RPM "versions: {from: 1.1, to: 1.1001}}]",
		  "m.yaml:1:83: '1.1' to '1.1001' are more than 1000" },
		{ RPM "versions: [{version: '1', suite: s}]}]",
		  "m.yaml:1:106: 'suite' has no meaning with source rpm" },
		{ RPM "versions: [{version: '1', source: git}]}]",
		  "m.yaml:1:107: 'source' has no meaning in a family's member" },
		{ "families: [{id: f, source: deb, repo: r, suite: s, package: p, keyring: k, "
		  "versions: [{version: '1', url: u}]}]",
		  "m.yaml:1:12: nothing says how it is verified: 'sha256' or 'verify: none'" },
		{ GIT "refs: [a]}, {id: m, source: git, remote: r, refs: [b]}]",
		  "m.yaml:1:61: another family has the id 'm'" },
		{ "kernels: [{id: m, source: file, path: p}]\n" GIT "refs: [a]}]",
		  "m.yaml:2:17: a kernel has the id 'm' already" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_auto(GStrv) lines = NULL;
		struct matrix *m = NULL;

		if (matrix_parse("m.yaml", rows[i].text, strlen(rows[i].text), &m, &error))
			fail_msg("row %u was accepted", i);
		lines = g_strsplit(error->message, "\n", -1);
		if (!g_strv_contains((const char *const *)lines, rows[i].line))
			fail_msg("row %u: '%s' is not among:\n%s", i, rows[i].line, error->message);
	}
}

/* A few bytes of ranges must not become a memory full of kernels. */
static void ranges_cannot_explode(void **state)
{
	g_autoptr(GString) text = g_string_new(RPM "versions: [");
	g_autoptr(GError) error = NULL;
	struct matrix *m = NULL;

	for (unsigned i = 0; i < 5000; i++)
		g_string_append_printf(text, "{from: %u.1, to: %u.1000}, ", i, i);
	g_string_append(text, "]}]\n");
	assert_false(matrix_parse("m", text->str, text->len, &m, &error));
	assert_non_null(strstr(error->message, "more than 65536 kernels"));
}

static void inner_places_hide_outer_ones(void **state)
{
	g_autoptr(matrix) m = parse(
		"defaults: {source: apt, package: p, vendor: debian, suites: [x, y]}\n"
		"families:\n"
		"  - {id: d, suite: z, package: 'linux-{version}-cloud', versions: [6.1.0-9, 10]}\n"
		"  - id: c\n"
		"    source: rpm\n"
		"    repo: https://example.org/{name}\n"
		"    package: kernel\n"
		"    keyring: k.gpg\n"
		"    versions:\n"
		"      7.3: 3.10.0-514.el7\n"
		"      7.4: {version: 3.10.0-693.el7, verify: none}\n"
		"      7.5: {version: 3.10.0-862.el7, url: 'https://example.org/k.rpm',\n"
		"            sha256: "
		"ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789}\n"
		"kernels:\n"
		"  - {id: u, source: deb, repo: r, suites: [s, t/], package: p, keyring: k.gpg}\n");
	const struct kernel_spec *spec = matrix_find(m, "d-6.1.0-9");

	assert_string_equal(spec->suite, "z");
	assert_string_equal(spec->package, "linux-6.1.0-9-cloud");
	assert_string_equal(spec->vendor, "debian");
	assert_string_equal(spec->family, "d");
	assert_null(spec->version); /* the package's name has it */
	assert_string_equal(spec->aliases[0], "6.1.0-9");
	spec = matrix_find(m, "c-7.3");
	assert_string_equal(spec->repo, "https://example.org/7.3");
	assert_string_equal(spec->version, "3.10.0-514.el7");
	assert_string_equal(spec->keyring, "k.gpg");
	assert_null(spec->vendor); /* the defaults are apt's */
	assert_int_equal(spec->line, 10);
	spec = matrix_find(m, "c-7.4");
	assert_true(spec->verify_none);
	assert_null(spec->keyring);
	spec = matrix_find(m, "c-7.5");
	assert_null(spec->repo);
	assert_null(spec->package);
	assert_null(spec->keyring);
	assert_false(spec->verify_none);
	assert_true(g_str_has_prefix(spec->sha256, "abcdef01"));
	assert_string_equal(spec->url, "https://example.org/k.rpm");
	spec = matrix_find(m, "u");
	assert_string_equal(spec->suite, "s,t/");
}

static void users_name_kernels_as_they_think_of_them(void **state)
{
	static const char text[] =
		"kernels:\n"
		"  - {id: bookworm, source: apt, suite: s, package: p, aliases: [debian-12]}\n"
		"  - {id: focal, source: deb, repo: r, suite: s, package: "
		"linux-image-5.4.0-150-generic, keyring: k}\n"
		"  - {id: arch, source: deb, verify: none, url: "
		"'http://h/linux-image-unsigned-6.2.0-060200-generic_6.2.0-060200.1_amd64.deb'}\n"
		"  - {id: vault, source: rpm, verify: none, url: "
		"'http://h/kernel-3.10.0-862.el7.x86_64.rpm'}\n"
		"families:\n"
		"  - {id: centos-7, source: rpm, repo: r, package: kernel, verify: none,\n"
		"     versions: {1127: 3.10.0-1127.el7}}\n"
		"  - {id: linux, ids: 'vanilla-{name}', source: git, remote: r, refs: [v6.2, "
		"v6.3]}\n";
	static const struct {
		const char *typed, *ids;
	} rows[] = {
		{ "debian 12", "bookworm" },
		{ "Debian-12", "bookworm" },
		{ "5.4.0-150-generic", "focal" },
		{ "5.4.0-*", "focal" },
		{ "3.10.0-1127.el7", "centos-7-1127" },
		{ "3.10.0-1127.el7.x86_64", "centos-7-1127" },
		{ "3.10.0-862.el7", "vault" },
		{ "3.10.0-862.el7.x86_64", "vault" },
		{ "3.10.0-*", "vault centos-7-1127" },
		{ "v6.2", "vanilla-6.2" },
		{ "6.3", "vanilla-6.3" },
		{ "linux", "vanilla-6.2 vanilla-6.3" },
		{ "CentOS 7", "centos-7-1127" },
		{ "6.2.0-060200-generic", "arch" },
		{ "v*", "vault vanilla-6.2 vanilla-6.3" }, /* ids come first */
		{ "./bzImage", "bzImage" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		const char *const patterns[] = { rows[i].typed, NULL };
		g_autoptr(matrix) m = parse(text);
		g_autoptr(GPtrArray) chosen = NULL;
		g_autoptr(GError) error = NULL;
		g_autofree char *ids = NULL;

		if (!matrix_select(m, patterns, &chosen, &error))
			fail_msg("'%s': %s", rows[i].typed, error->message);
		ids = ids_of(chosen);
		if (strcmp(ids, rows[i].ids))
			fail_msg("'%s': '%s'", rows[i].typed, ids);
	}
}

static void paths_say_what_they_are(void **state)
{
	static const char *const patterns[] = { "./a.deb", "./b.rpm", "/", "./c", NULL };
	static const char *const sources[] = { "deb", "rpm", "dir", "file" };
	g_autoptr(matrix) m = parse("kernels: []");
	g_autoptr(GPtrArray) chosen = NULL;

	assert_true(matrix_select(m, patterns, &chosen, NULL));
	for (unsigned i = 0; i < G_N_ELEMENTS(sources); i++) {
		const struct kernel_spec *spec = chosen->pdata[i];

		assert_string_equal(spec->source, sources[i]);
		assert_string_equal(i < 2 ? spec->url : spec->path, patterns[i]);
		assert_int_equal(spec->verify_none, i < 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_spelled_out),
		cmocka_unit_test(errors_of_families_name_their_place),
		cmocka_unit_test(ranges_cannot_explode),
		cmocka_unit_test(inner_places_hide_outer_ones),
		cmocka_unit_test(users_name_kernels_as_they_think_of_them),
		cmocka_unit_test(paths_say_what_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
