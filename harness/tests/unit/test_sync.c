// SPDX-License-Identifier: GPL-2.0-or-later
/* What a catalogue leaves room for: packages that would be members of its families, further files,
 * rows as they are written; and the state that a sync leaves. */
#include "kernel/sync.h"

#include "matrix_fixture.h"

#define APT "families: [{id: f, source: apt, suite: s, "

static void families_take_packages_in(void **state)
{
	static const struct {
		const char *family, *package, *version, *name, *id;
	} rows[] = {
		{ "package: 'linux-image-{version}-generic'", "linux-image-5.4.0-150-generic", "1",
		  "5.4.0-150", "f-5.4.0-150" },
		{ "ids: 'u-{version}', package: 'linux-image-{version}-generic'",
		  "linux-image-5.4.0-150-generic", "1", "5.4.0-150", "u-5.4.0-150" },
		{ "ids: '{family}.{name}.{version}', package: 'linux-image-{name}-x'",
		  "linux-image-1+b-x", "1", "1+b", "f.1+b.1+b" },
		{ "package: '{family}-{version}'", "f-1~2", "1", "1~2", "f-1-2" },
		{ "package: 'linux-image-{version}-generic'", "linux-image-generic", "1", NULL,
		  NULL },
		{ "package: 'linux-image-{version}-generic'",
		  "linux-image-unsigned-5.4.0-150-generic", "1", NULL, NULL },
		{ "package: 'linux-image-{version}-generic'", "linux-image-5.4.0-150-generic-dbg",
		  "1", NULL, NULL },
		{ "package: 'linux-image-{version}-generic'", "linux-image-5.4.0/x-generic", "1",
		  NULL, NULL },
		{ "package: 'linux-image-{version}-generic'", "linux-image--generic", "1", NULL,
		  NULL },
		{ "package: 'linux-image-{version}-generic'", "linux-image-generic-generic", "1",
		  NULL, NULL },
		{ "package: 'a-{version}-{name}'", "a-1-1", "1", NULL, NULL },
		{ "package: kernel", "kernel", "1:3.10.0-514.el7", "1:3.10.0-514.el7",
		  "f-1-3.10.0-514.el7" },
		{ "package: kernel", "kernel-devel", "3.10", NULL, NULL },
		{ "package: kernel", "kernel", "3.10 beta", NULL, NULL },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *text =
			g_strdup_printf(APT "%s, versions: ['1']}]", rows[i].family);
		g_autoptr(matrix) m = parse(text);
		const struct matrix_family *f = m->families->pdata[0];
		g_autofree char *name = matrix_family_name(f, rows[i].package, rows[i].version);
		g_autofree char *id = name ? matrix_family_id(f, name) : NULL;

		if (g_strcmp0(name, rows[i].name) || g_strcmp0(id, rows[i].id))
			fail_msg("row %u: '%s' is '%s'", i, name, id);
	}
}

static void ids_that_are_none_are_refused(void **state)
{
	g_autoptr(matrix) m = parse(APT "package: 'p-{version}', versions: ['1']}]");
	g_autofree char *name = g_strnfill(63, '1');

	assert_null(matrix_family_id(m->families->pdata[0], name));
}

static void families_of_refs_are_not_kept(void **state)
{
	g_autoptr(matrix) m = parse("families: [{id: g, source: git, remote: r, refs: [v6.2]},\n"
				    "{id: u, source: deb, url: 'x{version}', verify: none, "
				    "versions: ['1']}]");
	const struct matrix_family *f;

	assert_int_equal(m->families->len, 1);
	f = m->families->pdata[0];
	assert_string_equal(f->id, "u");
	assert_null(f->package);
	assert_null(matrix_family_name(f, "linux-image-1", "1"));
}

static void rows_read_as_they_were_written(void **state)
{
	static const char text[] =
		"kernels:\n"
		"  - {id: a, source: apt, vendor: debian, suites: [x, y-security], package: p-1, "
		"check-valid-until: no, aliases: [b, c]}\n"
		"  - {id: d, source: deb, repo: \"http://h:1/p?q=\\\"\\\\\", suite: s/, component: "
		"main, package: p, version: \"1:2~3\", keyring: \"/k y.gpg\"}\n"
		"  - {id: r, source: rpm, repo: \"/srv/r\", package: kernel, verify: none}\n";
	g_autoptr(matrix) m = parse(text), again = NULL;
	g_autoptr(GString) out = g_string_new("kernels:\n"), twice = g_string_new("kernels:\n");

	for (unsigned i = 0; i < 3; i++) {
		g_autofree char *item = matrix_item(m->kernels->pdata[i]);

		g_string_append(out, item);
	}
	assert_string_equal(out->str, text);
	again = parse(out->str);
	for (unsigned i = 0; i < 3; i++) {
		g_autofree char *item = matrix_item(again->kernels->pdata[i]);

		g_string_append(twice, item);
	}
	assert_string_equal(twice->str, text);
}

static void further_files_come_behind(void **state)
{
	static const char more[] = "defaults: {source: file}\n"
				   "kernels: [{id: a, path: other}, {id: b, path: p}]\n"
				   "default: [b]\n";
	static const char twice[] = "kernels: [{id: c, source: file, path: p},\n"
				    "{id: c, source: file, path: q}]\n";
	g_autoptr(matrix) m = parse("kernels: [{id: a, source: file, path: p}]\ndefault: [a]");
	g_autoptr(GError) error = NULL;

	assert_true(matrix_add(m, "more.yaml", more, strlen(more), &error));
	assert_int_equal(m->kernels->len, 2);
	assert_string_equal(matrix_find(m, "a")->path, "p");
	assert_true(matrix_find(m, "b")->in_default);
	assert_int_equal(matrix_find(m, "b")->file, 1);
	assert_true(matrix_add(m, "empty.yaml", "kernels:\n", strlen("kernels:\n"), &error));
	assert_false(matrix_add(m, "twice.yaml", twice, strlen(twice), &error));
	assert_non_null(strstr(error->message, "twice.yaml:2:1: id 'c' is taken: line 1"));
}

/* ---- indexes ---- */

static void packages_are_scanned(void **state)
{
	static const char text[] =
		"Package: bash\nVersion: 5\n\n"
		"Package: linux-image-1\nVersion: 2\nDepends: linux-binary-1 (= 2)\n\n"
		"Version: 3\nPackage: linux-image-2\n\n"
		"Package: linux-image-3\n\n"
		"Package: linux-image-4;x\nVersion: 1\n\n"
		"Package: linux-image-5\nVersion: 1 2\n\n"
		"Package: kernel\nVersion: 6\n\n"
		"Description: x\n Package: linux-image-6\nVersion: 1\n\n"
		"Package: linux-image-7\nVersion: 7";
	g_autoptr(GPtrArray) packages =
		g_ptr_array_new_with_free_func((GDestroyNotify)sync_package_free);
	g_autoptr(GPtrArray) prefixes = g_ptr_array_new();
	g_autoptr(GString) found = g_string_new(NULL);
	struct sync_wanted wanted = { prefixes };

	g_ptr_array_add(prefixes, (char *)"kern");
	sync_index_scan(packages, &wanted, text, strlen(text));
	for (unsigned i = 0; i < packages->len; i++) {
		const struct sync_package *p = packages->pdata[i];

		g_string_append_printf(found, "%s=%s;", p->name, p->version);
	}
	assert_string_equal(found->str,
			    "linux-image-1=2;linux-image-2=3;kernel=6;linux-image-7=7;");
	assert_string_equal(((struct sync_package *)packages->pdata[0])->depends,
			    "linux-binary-1 (= 2)");
}

/* ---- states ---- */

static struct sync_watch new_watch(void)
{
	return (struct sync_watch){
		.name = (char *)"w",
		.known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
		.places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
	};
}

static void clear_watch(struct sync_watch *watch)
{
	g_hash_table_unref(watch->known);
	g_hash_table_unref(watch->places);
	g_free(watch->since);
}

static void states_come_back(void **state)
{
	struct sync_watch a = new_watch(), b = new_watch();
	g_autofree char *text = NULL, *again = NULL;
	g_autoptr(GError) error = NULL;

	g_hash_table_insert(a.known, g_strdup("p 1"), g_strdup("2026-01-02T03:04:05Z"));
	g_hash_table_insert(a.known, g_strdup("p 2~\"x"), g_strdup("2026-01-02T03:04:06Z"));
	g_hash_table_add(a.places, g_strdup("s of http://h"));
	text = sync_state_text(&a, "2026-02-03T04:05:06Z");
	if (!sync_state_parse(&b, text, strlen(text), &error))
		fail_msg("%s", error->message);
	assert_string_equal(b.since, "2026-02-03T04:05:06Z");
	assert_string_equal(g_hash_table_lookup(b.known, "p 1"), "2026-01-02T03:04:05Z");
	again = sync_state_text(&b, b.since);
	assert_string_equal(text, again);
	clear_watch(&a);
	clear_watch(&b);
}

static void damaged_states_leave_nothing(void **state)
{
#define HEAD "{\"schema\":1,\"synced\":\"2026-01-02T03:04:05Z\","
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		HEAD,
		HEAD "\"builds\":{},\"indexes\":{}}",
		HEAD "\"builds\":[],\"indexes\":[]}",
		HEAD "\"builds\":{\"\":\"2026-01-02T03:04:05Z\"},\"indexes\":[]}",
		HEAD
		"\"builds\":{\"a 1\":\"2026-01-02T03:04:05Z\",\"b 1\":\"now\"},\"indexes\":[]}",
		HEAD "\"builds\":{\"a 1\":\"2026-01-02T03:04:05Z\"},\"indexes\":[\"x\",1]}",
		HEAD "\"builds\":{},\"builds\":{},\"indexes\":[]}",
		"{\"schema\":2,\"synced\":\"2026-01-02T03:04:05Z\",\"builds\":{},\"indexes\":[]}",
		"{\"schema\":1,\"builds\":{},\"indexes\":[]}",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct sync_watch watch = new_watch();
		g_autoptr(GError) error = NULL;

		if (sync_state_parse(&watch, bad[i], strlen(bad[i]), &error))
			fail_msg("row %u was accepted", i);
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
		assert_int_equal(g_hash_table_size(watch.known) + g_hash_table_size(watch.places),
				 0);
		assert_null(watch.since);
		clear_watch(&watch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_take_packages_in),
		cmocka_unit_test(ids_that_are_none_are_refused),
		cmocka_unit_test(families_of_refs_are_not_kept),
		cmocka_unit_test(rows_read_as_they_were_written),
		cmocka_unit_test(further_files_come_behind),
		cmocka_unit_test(packages_are_scanned),
		cmocka_unit_test(states_come_back),
		cmocka_unit_test(damaged_states_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
