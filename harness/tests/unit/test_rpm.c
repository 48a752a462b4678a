// SPDX-License-Identifier: GPL-2.0-or-later
/* rpm packages and the metadata of their repositories: what is read, and what is refused. */
#include "base/fs.h"
#include "kernel/rpm.h"
#include "kernel/rpmrepo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glib/gstdio.h>

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* ---- packages ---- */

struct tag {
	uint32_t tag, type, count;
	const char *data;
	size_t len;
};
#define STRING(tag, text)                                                                          \
	{                                                                                          \
		tag, 6, 1, text, sizeof(text)                                                      \
	}

static void put32(GByteArray *out, uint32_t value)
{
	value = GUINT32_TO_BE(value);
	g_byte_array_append(out, (guint8 *)&value, 4);
}

static void put_header(GByteArray *out, const struct tag *tags, unsigned n)
{
	static const guint8 magic[] = { 0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0 };
	uint32_t offset = 0;

	while (out->len % 8)
		g_byte_array_append(out, (const guint8 *)"", 1);
	g_byte_array_append(out, magic, sizeof(magic));
	for (unsigned i = 0; i < n; i++)
		offset += tags[i].len;
	put32(out, n);
	put32(out, offset);
	offset = 0;
	for (unsigned i = 0; i < n; i++) {
		put32(out, tags[i].tag);
		put32(out, tags[i].type);
		put32(out, offset);
		put32(out, tags[i].count);
		offset += tags[i].len;
	}
	for (unsigned i = 0; i < n; i++)
		g_byte_array_append(out, (const guint8 *)tags[i].data, tags[i].len);
}

static GByteArray *make_rpm(const struct tag *tags, unsigned n)
{
	static const struct tag signature = { 1002, 7, 5, "sign!", 5 };
	GByteArray *out = g_byte_array_new();
	guint8 lead[96] = { 0xed, 0xab, 0xee, 0xdb, 3 };

	g_byte_array_append(out, lead, sizeof(lead));
	put_header(out, &signature, 1);
	put_header(out, tags, n);
	g_byte_array_append(out, (const guint8 *)"archive", 7);
	return out;
}

static void test_package(void **state)
{
	static const struct tag tags[] = {
		STRING(1000, "kernel"),        STRING(1001, "3.10.0"), STRING(1002, "1127.el7"),
		{ 1003, 4, 1, "\0\0\0\2", 4 }, STRING(1022, "x86_64"),
	};
	g_autoptr(GByteArray) rpm = make_rpm(tags, G_N_ELEMENTS(tags));
	g_auto(rpm_facts) facts = { 0 };

	assert_true(rpm_parse(rpm->data, rpm->len, &facts, NULL));
	assert_string_equal(facts.name, "kernel");
	assert_string_equal(facts.version, "2:3.10.0-1127.el7");
	assert_string_equal(facts.arch, "x86_64");
	assert_memory_equal(rpm->data + facts.sig_all.at, "sign!", 5);
	assert_int_equal(facts.sig_all.len, 5);
	assert_int_equal(facts.sig_head.len, 0);
	assert_memory_equal(rpm->data + facts.payload, "archive", 7);
	assert_int_equal(facts.header.at % 8, 0);
	assert_int_equal(facts.header.at + facts.header.len, facts.payload);
	assert_null(facts.payload_sha256);
}

/* Cut anywhere within its headers, it is no package; one byte off, it does no harm. */
static void test_damaged_package(void **state)
{
	static const struct tag tags[] = { STRING(1000, "k"), STRING(1001, "1"),
					   STRING(1002, "2") };
	g_autoptr(GByteArray) rpm = make_rpm(tags, G_N_ELEMENTS(tags));

	for (size_t len = 0; len < rpm->len - 7; len++) {
		g_autofree guint8 *cut = g_memdup2(rpm->data, len);
		g_auto(rpm_facts) facts = { 0 };

		assert_false(rpm_parse(cut, len, &facts, NULL));
	}
	for (size_t i = 0; i < rpm->len; i++) {
		g_auto(rpm_facts) facts = { 0 };

		rpm->data[i] ^= 0xff;
		rpm_parse(rpm->data, rpm->len, &facts, NULL);
		rpm->data[i] ^= 0xff;
	}
}

static void test_package_without_a_version(void **state)
{
	static const struct tag tags[] = { STRING(1000, "k"), STRING(1001, "1") };
	g_autoptr(GByteArray) rpm = make_rpm(tags, G_N_ELEMENTS(tags));
	g_auto(rpm_facts) facts = { 0 };
	g_autoptr(GError) error = NULL;

	assert_false(rpm_parse(rpm->data, rpm->len, &facts, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
}

/* ---- repomd.xml ---- */

#define REPOMD "<?xml version=\"1.0\"?><repomd xmlns=\"http://linux.duke.edu/metadata/repo\">"
#define DATA(type, sum, href)                                                                      \
	"<data type=\"" type "\"><checksum type=\"sha256\">" sum "</checksum>"                     \
	"<open-checksum type=\"sha256\">" B64 "</open-checksum><location href=\"" href             \
	"\"/></data>"

static void test_repomd(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ REPOMD DATA("filelists", B64, "repodata/f.xml.gz")
			  DATA("primary", A64, "repodata/p.xml.gz") "</repomd>",
		  "repodata/p.xml.gz" },
		{ REPOMD DATA("filelists", B64, "repodata/f.xml.gz") "</repomd>", NULL },
		{ REPOMD DATA("primary", "abc", "repodata/p.xml.gz") "</repomd>", NULL },
		{ REPOMD DATA("primary", A64, "../p.xml.gz") "</repomd>", NULL },
		{ REPOMD DATA("primary", A64, "http://evil.example/p") "</repomd>", NULL },
		{ REPOMD DATA("primary", A64 B64, "repodata/p.xml.zst") "</repomd>",
		  "repodata/p.xml.zst" }, /* sha512 */
		{ REPOMD
		  "<data type=\"primary\"><checksum type=\"sha\">aaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaa</checksum><location href=\"p\"/></data></repomd>",
		  NULL },
		{ REPOMD DATA("filelists", B64, "f"), NULL },
		{ "", NULL },
		{ "<repomd", NULL },
		{ "<!DOCTYPE r [<!ENTITY e \"x\">]>" REPOMD DATA("primary", A64, "p") "</repomd>",
		  NULL },
		{ "<!DOCTYPE repomd SYSTEM \"file:///etc/passwd\"><repomd>" DATA("primary", A64,
										 "p") "</repomd>",
		  NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(rpm_entry) entry = { 0 };
		g_autoptr(GError) error = NULL;
		bool ok = rpm_repomd_parse(cases[i].text, strlen(cases[i].text), &entry, &error);

		assert_int_equal(ok, cases[i].want != NULL);
		if (ok)
			assert_string_equal(entry.href, cases[i].want);
		else
			assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
	}
}

/* ---- primary.xml ---- */

#define PRIMARY                                                                                    \
	"<?xml version=\"1.0\"?><metadata xmlns=\"http://linux.duke.edu/metadata/common\" "        \
	"xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">"
#define PACKAGE(name, arch, epoch, ver, rel, href)                                                 \
	"<package type=\"rpm\"><name>" name "</name><arch>" arch "</arch>"                         \
	"<version epoch=\"" epoch "\" ver=\"" ver "\" rel=\"" rel "\"/>"                           \
	"<checksum type=\"sha256\" pkgid=\"YES\">" A64 "</checksum><summary>name</summary>"        \
	"<location href=\"" href "\"/><format><rpm:provides><rpm:entry name=\"" name               \
	"\" ver=\"99\"/></rpm:provides><rpm:version ver=\"7\"/></format></package>"

static bool find_in(const char *text, const struct rpm_query *query, struct rpm_entry *ret,
		    GError **error)
{
	g_autofree char *dir = g_dir_make_tmp("klab-rpm-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "primary.xml", NULL);
	bool ok;

	assert_true(fs_write(path, text, strlen(text), NULL));
	ok = rpm_primary_find(path, query, ret, error);
	assert_true(fs_remove(dir, NULL));
	return ok;
}

static void test_primary(void **state)
{
	static const char text[] = PRIMARY PACKAGE("kernel", "x86_64", "0", "3.10.0", "957.el7",
						   "Packages/a.rpm")
		PACKAGE("kernel", "x86_64", "0", "3.10.0", "1127.el7", "Packages/b.rpm") PACKAGE(
			"kernel", "x86_64", "0", "3.10.0", "1062.el7", "Packages/c.rpm")
			PACKAGE("kernel", "i686", "0", "3.10.0", "2000.el7", "Packages/d.rpm")
				PACKAGE("kernel-debug", "x86_64", "0", "3.10.0", "1160.el7",
					"Packages/e.rpm") PACKAGE("kernel", "x86_64", "0", "9", "9",
								  "../../../etc/passwd")
					PACKAGE("other", "x86_64", "3", "1", "1", "Packages/f.rpm")
						PACKAGE("other", "x86_64", "0", "2", "1",
							"Packages/g.rpm") "</metadata>";
	static const struct {
		const char *name, *version, *href, *found;
	} cases[] = {
		{ "kernel", NULL, "Packages/b.rpm", "3.10.0-1127.el7" },
		{ "kernel", "3.10.0-957.el7", "Packages/a.rpm", "3.10.0-957.el7" },
		{ "other", NULL, "Packages/f.rpm", "3:1-1" },
		{ "kernel", "3.10.0-958.el7", NULL, NULL },
		{ "kernel-core", NULL, NULL, NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct rpm_query query = { cases[i].name, cases[i].version };
		g_auto(rpm_entry) entry = { 0 };
		g_autoptr(GError) error = NULL;
		bool ok = find_in(text, &query, &entry, &error);

		assert_int_equal(ok, cases[i].href != NULL);
		if (!ok) {
			assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_UNAVAILABLE));
			continue;
		}
		assert_string_equal(entry.href, cases[i].href);
		assert_string_equal(entry.version, cases[i].found);
	}
}

static void test_damaged_primary(void **state)
{
	static const char *const bad[] = {
		"",
		"<metadata><package>",
		"hello",
		"<!DOCTYPE m [<!ENTITY a \"b\">]><metadata/>",
		PRIMARY "<package>&unknown;</package></metadata>",
		PRIMARY PACKAGE("kernel", "x86_64", "0", "1", "1", "a.rpm"),
	};
	const struct rpm_query query = { "kernel", NULL };

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_auto(rpm_entry) entry = { 0 };
		g_autoptr(GError) error = NULL;

		assert_false(find_in(bad[i], &query, &entry, &error));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_package),
		cmocka_unit_test(test_damaged_package),
		cmocka_unit_test(test_package_without_a_version),
		cmocka_unit_test(test_repomd),
		cmocka_unit_test(test_primary),
		cmocka_unit_test(test_damaged_primary),
	};

	return cmocka_run_group_tests_name("rpm", tests, NULL, NULL);
}
