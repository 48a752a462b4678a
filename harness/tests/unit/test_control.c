// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Control kernels: unpacking source packages, the config check, and the whole build with a fake
 * make, compiler and spatch: cached, resumed, refused. The patches are in test_control_patches.c.
 */
#include "base/embed.h"
#include "base/fs.h"
#include "conf/hazards.h"
#include "conf/probes.h"
#include "kernel/control.h"
#include "kernel/control_tree.h"
#include "kernel/source_tree.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include "control_fixture.h"

static bool exists(const char *name)
{
	g_autofree char *path = g_build_filename(root, name, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* ---- archives ---- */

struct member {
	const char *name, *text; /* text NULL: a symbolic link to /etc/passwd */
	size_t len;              /* of text, 0: a string */
};

/* An archive of one of libarchive's formats at ROOT/name. */
static char *pack(const char *name, const char *format, const struct member *members)
{
	char *path = g_build_filename(root, name, NULL);
	struct archive *a = archive_write_new();

	assert_int_equal(archive_write_set_format_by_name(a, format), ARCHIVE_OK);
	if (g_str_has_suffix(name, "z"))
		archive_write_add_filter_gzip(a);
	assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
	for (; members->name; members++) {
		struct archive_entry *entry = archive_entry_new();
		size_t len = members->len    ? members->len
			     : members->text ? strlen(members->text)
					     : 0;

		archive_entry_set_pathname(entry, members->name);
		archive_entry_set_filetype(entry, members->text ? AE_IFREG : AE_IFLNK);
		archive_entry_set_perm(entry, 0644);
		archive_entry_set_size(entry, len);
		if (!members->text)
			archive_entry_set_symlink(entry, "/etc/passwd");
		assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
		if (members->text)
			assert_int_equal(archive_write_data(a, members->text, len), len);
		archive_entry_free(entry);
	}
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	return path;
}

static const char makefile[] =
	"# SPDX\nVERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 192\nEXTRAVERSION =\n";

static const struct member tree_members[] = {
	{ "linux-source-6.1/Makefile", makefile },
	{ "linux-source-6.1/mm/usercopy.c", "usercopy\n" },
	{ "linux-source-6.1/arch/x86/kernel/alternative.c", "alternative\n" },
	{ "linux-source-6.1/kernel/bpf/queue_stack_maps.c", "queue\n" },
	{ "linux-source-6.1/kernel/trace/bpf_trace.c", "trace\n" },
	{ "linux-source-6.1/arch/x86/include/asm/text-patching.h", "poking\n" },
	{ "linux-source-6.1/arch/x86/kernel/kprobes/core.c", "kprobes\n" },
	{ "linux-source-6.1/fs/eventfd.c", "eventfd\n" },
	{ "linux-source-6.1/kernel/futex/futex.h", "futex\n" },
	{ "linux-source-6.1/arch/arm/kernel/smp.c", "arm\n" },
	{ "linux-source-6.1/Documentation/Kconfig", "config\n" },
	{ "linux-source-6.1/Documentation/admin.rst", "docs\n" },
	{ "linux-source-6.1/link", NULL },
	{ NULL },
};

/* The package as Debian makes it: ar of tar.gz of tar.gz. */
static char *pack_deb(const struct member *members)
{
	g_autofree char *inner = pack("tree.tar.gz", "ustar", members), *data = NULL, *text = NULL;
	struct member outer[] = { { "./usr/share/doc/x", "doc" },
				  { "./usr/src/linux-source-6.1.tar.gz", NULL },
				  { NULL } };
	struct member deb[] = { { "debian-binary", "2.0\n" },
				{ "control.tar.gz", "none" },
				{ "data.tar.gz", NULL },
				{ NULL } };
	char *data_text = NULL, *path;

	assert_true(fs_read(inner, 1 << 20, &text, &outer[1].len, NULL));
	outer[1].text = text;
	data = pack("data.tar.gz", "ustar", outer);
	assert_true(fs_read(data, 1 << 20, &data_text, &deb[2].len, NULL));
	deb[2].text = data_text;
	path = pack("linux-source-6.1_6.1.192-2_all.deb", "arbsd", deb);
	g_free(data_text);
	return path;
}

static void unpacks_a_package(void **state)
{
	g_autofree char *deb = pack_deb(tree_members), *dest = g_build_filename(root, "src", NULL);
	g_autofree char *text = NULL, *version = NULL;
	g_autoptr(GError) error = NULL;

	assert_true(source_tree_unpack(deb, dest, NULL, &error));
	text = get("src/mm/usercopy.c");
	assert_string_equal(text, "usercopy\n");
	assert_true(exists("src/Documentation/Kconfig"));
	assert_false(exists("src/Documentation/admin.rst"));
	assert_false(exists("src/arch/arm/kernel/smp.c"));
	assert_false(exists("src/link"));
	version = source_tree_version(dest, &error);
	assert_string_equal(version, "6.1.192");
}

static void refuses_bad_archives(void **state)
{
	static const struct {
		const char *name, *says;
	} rows[] = {
		{ "linux/../../evil", "bad name" },
		{ "../evil", "bad name" },
		{ "/etc/evil", "bad name" },
		{ "linux/..", "bad name" },
	};
	g_autofree char *dest = g_build_filename(root, "src", NULL);
	g_autofree char *text = g_strdup("no archive at all\n");
	g_autofree char *plain = NULL, *deb = NULL, *wrong = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct member members[] = { { rows[i].name, "evil" }, { NULL } };
		g_autofree char *path = pack("evil.tar.gz", "ustar", members);
		g_autoptr(GError) error = NULL;

		assert_false(source_tree_unpack(path, dest, NULL, &error));
		assert_non_null(strstr(error->message, rows[i].says));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
		assert_false(exists("evil") || exists("src/evil"));
	}
	put("plain.tar", text);
	plain = g_build_filename(root, "plain.tar", NULL);
	assert_false(source_tree_unpack(plain, dest, NULL, NULL));
	wrong = pack("wrong.deb", "arbsd",
		     (const struct member[]){ { "debian-binary", "2" }, { NULL } });
	assert_false(source_tree_unpack(wrong, dest, NULL, NULL));
	assert_false(source_tree_unpack("/nonexistent.deb", dest, NULL, NULL));
}

/* Wherever a package is cut off, it is never taken for whole. */
static void refuses_cut_packages(void **state)
{
	g_autofree char *deb = pack_deb(tree_members), *dest = g_build_filename(root, "src", NULL);
	g_autofree char *data = NULL;
	size_t len;

	assert_true(fs_read(deb, 1 << 20, &data, &len, NULL));
	/* The last bytes are tar and gzip trailers of the archives around the tree. */
	for (size_t cut = 0; cut + 120 < len; cut += 7) {
		g_autoptr(GError) error = NULL;

		assert_true(fs_write(deb, data, cut, NULL));
		if (source_tree_unpack(deb, dest, NULL, &error))
			fail_msg("taken when cut to %zu of %zu bytes", cut, len);
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
	}
}

static void wants(void **state)
{
	static const struct {
		const char *name;
		bool want;
	} rows[] = {
		{ "Makefile", true },
		{ "mm/usercopy.c", true },
		{ "arch/Kconfig", true },
		{ "arch/x86/kernel/alternative.c", true },
		{ "arch/x86_other/x.c", false },
		{ "arch/arm64/Kconfig", true },
		{ "arch/arm64/mm/fault.c", false },
		{ "drivers/gpu/drm/Kconfig.debug", true },
		{ "drivers/gpu/drm/drm.c", false },
		{ "drivers/tty/serial/8250/8250.c", true },
		{ "sound/core/Makefile", true },
		{ "tools/objtool/check.c", true },
		{ "tools/testing/x.c", false },
		{ "drivers/net/loopback.c", true },
		{ "drivers/net/ethernet/intel/e1000/e1000_main.c", false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (source_tree_wants(rows[i].name) != rows[i].want)
			fail_msg("%s", rows[i].name);
}

static void config_check(void **state)
{
	static const char fragment[] = "# comment\nCONFIG_SMP=y\nCONFIG_VT=n\nCONFIG_NR_CPUS=64\n"
				       "CONFIG_LOCALVERSION=\"-x\"\n";
	g_autoptr(GError) error = NULL;

	assert_true(control_config_check(fragment,
					 "CONFIG_NR_CPUS=64\nCONFIG_LOCALVERSION=\"-x\"\n"
					 "# CONFIG_VT is not set\nCONFIG_SMP=y\n",
					 NULL));
	assert_false(control_config_check(fragment,
					  "CONFIG_NR_CPUS=640\nCONFIG_SMP=yes\nCONFIG_VT=y\n"
					  "XCONFIG_LOCALVERSION=\"-x\"\n",
					  &error));
	assert_string_equal(error->message,
			    "the source tree does not take these options: 'CONFIG_SMP=y' "
			    "'CONFIG_VT=n' 'CONFIG_NR_CPUS=64' 'CONFIG_LOCALVERSION=\"-x\"'");
}

/* ---- the table ---- */

static const struct probe_info *probe_named(const GPtrArray *probes, const char *name)
{
	for (guint i = 0; i < probes->len; i++)
		if (!strcmp(((struct probe_info *)probes->pdata[i])->name, name))
			return probes->pdata[i];
	fail_msg("no probe '%s'", name);
	return NULL;
}

static const struct hazard *hazard_named(const struct hazard_set *hazards, const char *id)
{
	const struct hazard *hazard = hazard_set_find(hazards, id);

	if (!hazard || !hazard->signatures->len)
		fail_msg("no signature of hazard '%s'", id);
	return hazard;
}

/* Every bug has a signature to be known by and is looked for by the probe that must find it; no
 * probe must find two in one control, as a failure would not tell which it was. */
static void bugs_are_known(void **state)
{
	g_autoptr(hazard_set) hazards = NULL;
	g_autoptr(GPtrArray) probes = NULL;

	assert_true(hazard_set_parse("hazards", embed_hazards_yaml, EMBED_LEN(hazards_yaml),
				     &hazards, NULL));
	assert_true(probes_parse(embed_probes_json, EMBED_LEN(probes_json), &probes, NULL));
	for (const struct control_bug *bug = control_bugs; bug->hazard; bug++) {
		const struct probe_info *probe = probe_named(probes, bug->probe);

		assert_true(!bug->patch == !bug->file);
		assert_ptr_equal(control_bug_for(bug->control, probe->name), bug);
		/* What no kernel had is known to nobody, and looked for where it is asked for. */
		if (bug->is_fixture) {
			assert_null(hazard_set_find(hazards, bug->hazard));
			assert_true(probe->by_name && !probe->hazards[0]);
			continue;
		}
		hazard_named(hazards, bug->hazard);
		if (!g_strv_contains((const char *const *)probe->hazards, bug->hazard))
			fail_msg("'%s' does not look for '%s'", probe->name, bug->hazard);
	}
	assert_null(control_bug_for(CONTROL_BAD, "nothing"));
}

/* ---- the whole build, with fake tools ---- */

static const char fake_make[] = "#!/bin/sh\n"
				"for a; do case $prev in -C) src=$a;; esac; case $a in O=*) "
				"o=${a#O=};; esac; prev=$a; done\n"
				"echo \"$prev $KBUILD_BUILD_HOST\" >> \"$FAKE/log\"\n"
				"case $prev in\n"
				"allnoconfig) cp \"$KCONFIG_ALLCONFIG\" \"$o/.config\";;\n"
				"bzImage) echo '  CC      mm/usercopy.o'\n"
				"	[ -e \"$FAKE/fail-$KBUILD_BUILD_HOST\" ] && { echo "
				"'mm/x.c:1: error: fake'; yes noise | head -n 100; exit 2; }\n"
				"	mkdir -p \"$o/arch/x86/boot\"\n"
				"	(cat \"$FAKE/template\"; cd \"$src\"; cat mm/usercopy.c "
				"arch/x86/kernel/alternative.c \\\n"
				"	kernel/bpf/queue_stack_maps.c kernel/trace/bpf_trace.c \\\n"
				"	arch/x86/include/asm/text-patching.h "
				"arch/x86/kernel/kprobes/core.c \\\n"
				"	fs/eventfd.c kernel/futex/futex.h) \\\n"
				"		> \"$o/arch/x86/boot/bzImage\"\n"
				"	echo ffffffff81000000 T _text > \"$o/System.map\";;\n"
				"esac\n";
static const char fake_spatch[] = "#!/bin/sh\nfor f; do :; done\n[ -e \"$FAKE/idle\" ] && exit 0\n"
				  "echo patched >> \"$f\"; echo +patched\n";
static const char fake_gcc[] = "#!/bin/sh\necho gcc 12.0 fake\n";
static const char fake_other[] = "#!/bin/sh\n";

static void put_program(const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(root, "bin", name, NULL);
	g_autofree char *relative = g_build_filename("bin", name, NULL);

	put(relative, text);
	assert_int_equal(chmod(path, 0755), 0);
}

/* The smallest thing that has a setup header: see Documentation/arch/x86/boot.rst. */
static void put_template(void)
{
	g_autofree char *path = g_build_filename(root, "template", NULL);
	uint8_t image[2048] = { 0 };

	image[0x1f1] = 1;  /* setup sectors after the first */
	image[0x1f4] = 64; /* 64 * 16 bytes follow them */
	image[0x1fe] = 0x55;
	image[0x1ff] = 0xaa;
	memcpy(image + 0x202, "HdrS", 4);
	image[0x206] = 0x0f; /* protocol 2.15 */
	image[0x207] = 0x02;
	image[0x20f] = 1;  /* version at 0x200 + 0x100 */
	image[0x236] = 1;  /* 64-bit */
	image[0x24c] = 64; /* payload bytes */
	memcpy(image + 0x300, "6.1.192-fake (klab@control) #1 SMP", 35);
	assert_true(fs_write(path, image, sizeof(image), NULL));
}

static void put_fakes(void)
{
	static const char *const others[] = { "ld", "flex", "bison", "bc" };
	g_autofree char *bin = g_build_filename(root, "bin", NULL);
	g_autofree char *path = g_strconcat(bin, ":/usr/bin:/bin", NULL);
	g_autofree char *cache = g_build_filename(root, "cache", NULL);

	put_program("make", fake_make);
	put_program("spatch", fake_spatch);
	put_program("gcc", fake_gcc);
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
		put_program(others[i], fake_other);
	put_template();
	g_setenv("PATH", path, TRUE);
	g_setenv("FAKE", root, TRUE);
	g_setenv("XDG_CACHE_HOME", cache, TRUE);
}

static char *saved_path;

static int make_fakes(void **state)
{
	saved_path = g_strdup(g_getenv("PATH"));
	if (make_root(state))
		return -1;
	put_fakes();
	return 0;
}

static int remove_fakes(void **state)
{
	g_setenv("PATH", saved_path, TRUE);
	g_clear_pointer(&saved_path, g_free);
	g_unsetenv("FAKE");
	g_unsetenv("XDG_CACHE_HOME");
	return remove_root(state);
}

static void put_flag(const char *name, bool on)
{
	g_autofree char *path = g_build_filename(root, name, NULL);

	if (on)
		put(name, "");
	else
		unlink(path);
}

struct built {
	struct kernel *kernels[CONTROL__COUNT];
	GError *error;
	char *log; /* what make was called for since the last build */
};

static void built_clear(struct built *b)
{
	for (unsigned i = 0; i < CONTROL__COUNT; i++)
		kernel_free(b->kernels[i]);
	g_clear_error(&b->error);
	g_free(b->log);
}
typedef struct built built;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(built, built_clear)

static built build(const char *source)
{
	struct control_params params = { .source = source, .jobs = 1 };
	built b = { 0 };

	put_flag("log", false);
	if (!control_build(&params, NULL, b.kernels, &b.error))
		assert_non_null(b.error);
	b.log = get("log");
	return b;
}

static const char whole[] = "allnoconfig config\nbzImage clean\nbzImage bad\nbzImage bad-2\n"
			    "bzImage bad-3\nbzImage races\n";
static const char untouched[] = "usercopy\nalternative\nqueue\ntrace\npoking\nkprobes\n"
				"eventfd\nfutex\n";

/* What follows the setup header in an image: the files that it was made of. */
static void assert_made_of(const struct kernel *k, const char *want)
{
	g_autofree char *image = NULL;
	size_t len;

	assert_true(fs_read(k->image, 1 << 20, &image, &len, NULL));
	assert_true(len > 2048);
	assert_string_equal(image + 2048, want);
}

static void builds_once(void **state)
{
	g_autofree char *deb = pack_deb(tree_members);
	g_auto(built) first = build(deb), second = build(deb), third = { 0 };
	struct kernel **made = first.kernels;

	assert_null(first.error);
	assert_string_equal(first.log, whole);
	assert_string_equal(made[CONTROL_BAD]->id, "control-bad");
	assert_string_equal(made[CONTROL_BAD_3]->id, "control-bad-3");
	assert_string_equal(made[CONTROL_CLEAN]->release, "6.1.192-fake");
	assert_string_equal(made[CONTROL_CLEAN]->package_version,
			    "linux-source-6.1_6.1.192-2_all.deb");
	assert_non_null(strstr(made[CONTROL_BAD]->config, "CONFIG_HARDENED_USERCOPY=y"));
	/* Each has its own bugs, and nothing of the one before. */
	assert_made_of(made[CONTROL_CLEAN], untouched);
	assert_made_of(made[CONTROL_BAD], "usercopy\npatched\nalternative\npatched\nqueue\ntrace\n"
					  "poking\nkprobes\neventfd\nfutex\n");
	assert_made_of(made[CONTROL_BAD_2],
		       "usercopy\nalternative\nqueue\npatched\ntrace\npatched\n"
		       "patched\npoking\npatched\nkprobes\neventfd\nfutex\n");
	assert_made_of(made[CONTROL_BAD_3], "usercopy\nalternative\nqueue\ntrace\npatched\npoking\n"
					    "kprobes\npatched\neventfd\nfutex\n");
	assert_made_of(made[CONTROL_RACES], "usercopy\nalternative\nqueue\ntrace\npoking\nkprobes\n"
					    "eventfd\npatched\nfutex\npatched\n");

	/* Cached: no make, and the same images. */
	assert_null(second.error);
	assert_null(second.log);
	assert_string_equal(second.kernels[CONTROL_BAD]->sha256, made[CONTROL_BAD]->sha256);

	/* An image that is not what was built is never used: it is built anew. */
	assert_true(fs_write(made[CONTROL_BAD]->image, "other", 5, NULL));
	third = build(deb);
	assert_null(third.error);
	assert_string_equal(third.log, whole);
	assert_string_equal(third.kernels[CONTROL_BAD]->sha256, made[CONTROL_BAD]->sha256);
}

static void goes_on_after_a_failure(void **state)
{
	g_autofree char *deb = pack_deb(tree_members);
	g_auto(built) failed = { 0 }, after = { 0 };

	put_flag("fail-bad", true);
	failed = build(deb);
	assert_non_null(failed.error);
	assert_true(g_error_matches(failed.error, LAB_ERROR, LAB_ERROR_INFRA));
	assert_non_null(strstr(failed.error->message, "control kernel 'bad': building"));
	assert_non_null(strstr(failed.error->message, "code 2: 'mm/x.c:1: error: fake'"));
	/* The tree was left patched: the clean kernel of the next attempt must not be. */
	put_flag("fail-bad", false);
	after = build(deb);
	assert_null(after.error);
	assert_made_of(after.kernels[CONTROL_CLEAN], untouched);
}

static void refuses(void **state)
{
	static const struct member other[] = {
		{ "linux-5.10/Makefile", "#\nVERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = 3\n" },
		{ NULL }
	};
	g_autofree char *deb = pack_deb(tree_members),
			*old = pack("linux-5.10.tar.gz", "ustar", other);
	g_auto(built) idle = { 0 }, wrong = build(old), none = build("/nonexistent/linux.tar.xz");

	put_flag("idle", true);
	idle = build(deb);
	assert_non_null(strstr(idle.error->message, "finds nothing to change"));
	assert_true(g_error_matches(idle.error, LAB_ERROR, LAB_ERROR_INPUT));
	assert_non_null(strstr(wrong.error->message, "the source is Linux 5.10.3"));
	assert_non_null(strstr(none.error->message, "/nonexistent/linux.tar.xz"));
}

static void names_missing_tools(void **state)
{
	g_autofree char *deb = pack_deb(tree_members), *bin = g_build_filename(root, "bin", NULL);
	g_autofree char *flex = g_build_filename(bin, "flex", NULL), *missing = NULL;
	g_auto(built) b = { 0 };

	unlink(flex);
	g_setenv("PATH", bin, TRUE);
	b = build(deb);
	assert_true(g_error_matches(b.error, LAB_ERROR, LAB_ERROR_UNAVAILABLE));
	assert_non_null(
		strstr(b.error->message, "these packages: flex util-linux\nhint: apt-get install"));
	missing = control_missing_packages();
	assert_string_equal(missing, "flex util-linux");
}

int main(void)
{
#define WITH_FAKES(f) cmocka_unit_test_setup_teardown(f, make_fakes, remove_fakes)
	static const struct CMUnitTest tests[] = {
		WITH_ROOT(unpacks_a_package),
		WITH_ROOT(refuses_bad_archives),
		WITH_ROOT(refuses_cut_packages),
		cmocka_unit_test(wants),
		cmocka_unit_test(config_check),
		cmocka_unit_test(bugs_are_known),
		WITH_FAKES(builds_once),
		WITH_FAKES(goes_on_after_a_failure),
		WITH_FAKES(refuses),
		WITH_FAKES(names_missing_tools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
