// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The apt source of kernels: reading apt's source lists (goldens), and the private root at work on
 * a repository that the test makes in a temporary folder (no network).
 */
#include "base/fs.h"
#include "base/proc.h"
#include "kernel/aptroot.h"
#include "kernel/aptsources.h"
#include "kernel/kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glib/gstdio.h>
#include <time.h>
#include <utime.h>

#include "fake_bzimage.h"

/* ---- source lists ---- */

static const char deb822[] =
	"Types: deb deb-src\n"
	"# a comment within\n"
	"URIs: http://mirror.example/debian\n"
	"Suites: bookworm bookworm-updates\n"
	"Components: main non-free-firmware\n"
	"Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
	"\n"
	"Types: deb\n"
	"URIs: http://mirror.example/debian-security\n"
	"Suites: bookworm-security\n"
	"Components: main\n"
	"Signed-By:\n"
	" -----BEGIN PGP PUBLIC KEY BLOCK-----\n"
	" .\n"
	" mDMEY\n"
	" -----END PGP PUBLIC KEY BLOCK-----\n"
	"\n"
	"Types: deb\n"
	"Enabled: no\n"
	"URIs: http://off.example/debian\n"
	"Suites: bookworm\n"
	"Components: main\n"
	"\n"
	"Types: deb-src\n"
	"URIs: http://source.example/debian\n"
	"Suites: bookworm\n"
	"Components: main\n";

static const char one_line[] =
	"# deb http://off.example/debian bookworm main\n"
	"deb [ arch=amd64 signed-by=/usr/share/keyrings/docker.gpg ] "
	"https://docker.example/linux/debian"
	" bookworm stable\n"
	"deb https://php.example/packages bookworm main\n"
	"deb http://mirror.example/debian/ bookworm main contrib # why\n"
	"deb\thttp://mirror.example/debian-security/\tbookworm-security\tmain\n"
	"deb-src http://mirror.example/debian bookworm main\n"
	"deb [trusted=yes] file:/srv/repo ./\n"
	"deb http://short.example\n";

static void test_sources(void **state)
{
	static const struct {
		const char *name, *text, *suite;
		const char *want;	/* the stanza, NULL: none leads there */
	} cases[] = {
		{ "a.sources", deb822, "bookworm-updates",
		  "Types: deb\nArchitectures: amd64\nURIs: http://mirror.example/debian\n"
		  "Suites: bookworm-updates\nComponents: main\n"
		  "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n" },
		{ "a.sources", deb822, "sid",
		  "Types: deb\nArchitectures: amd64\nURIs: http://mirror.example/debian\n"
		  "Suites: sid\nComponents: main\n"
		  "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n" },
		{ "a.sources", deb822, "bullseye-security",
		  "Types: deb\nArchitectures: amd64\nURIs: http://mirror.example/debian-security\n"
		  "Suites: bullseye-security\nComponents: main\n"
		  "Signed-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEY\n"
		  " -----END PGP PUBLIC KEY BLOCK-----\n" },
		{ "a.sources", deb822, "noble", NULL },
		{ "a.list", one_line, "bookworm",
		  "Types: deb\nArchitectures: amd64\nURIs: http://mirror.example/debian/\n"
		  "Suites: bookworm\nComponents: main\n" },
		{ "a.list", one_line, "trixie-backports",
		  "Types: deb\nArchitectures: amd64\nURIs: http://mirror.example/debian/\n"
		  "Suites: trixie-backports\nComponents: main\n" },
		{ "a.list", one_line, "buster/updates",
		  "Types: deb\nArchitectures: amd64\nURIs: http://mirror.example/debian-security/\n"
		  "Suites: buster/updates\nComponents: main\n" },
		{ "a.list", one_line, "./",
		  "Types: deb\nArchitectures: amd64\nURIs: file:/srv/repo\nSuites: ./\n"
		  "Trusted: yes\n" },
		{ "a.list", "deb http://m.example/debian stable main\n", "trixie-security",
		  "Types: deb\nArchitectures: amd64\nURIs: http://m.example/debian-security\n"
		  "Suites: trixie-security\nComponents: main\n" },
		{ "a.list", "deb http://archive.example/ubuntu noble main universe\n", "bookworm",
		  NULL },
		{ "a.list", "deb http://archive.example/ubuntu noble main universe\n", "noble",
		  "Types: deb\nArchitectures: amd64\nURIs: http://archive.example/ubuntu\n"
		  "Suites: noble\nComponents: main\n" },
		{ "a.list", "", "bookworm", NULL },
		{ "a.sources", ":\n \n\t\nURIs\n", "bookworm", NULL },
		{ "a.sources",
		  "Types: deb\r\nURIs: mirror+file:/etc/apt/mirrors/debian.list\r\n"
		  "Suites: bookworm\r\nComponents: main\r\n",
		  "bookworm-backports",
		  "Types: deb\nArchitectures: amd64\n"
		  "URIs: mirror+file:/etc/apt/mirrors/debian.list\nSuites: bookworm-backports\n"
		  "Components: main\n" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GPtrArray) sources =
			g_ptr_array_new_with_free_func((GDestroyNotify)apt_source_free);
		g_autofree char *stanza = NULL;
		struct apt_source *source = NULL;

		apt_sources_parse(sources, cases[i].name, cases[i].text);
		assert_int_equal(apt_sources_find(sources, cases[i].suite, &source),
				 cases[i].want != NULL);
		if (!cases[i].want)
			continue;
		stanza = apt_source_format(source, true);
		assert_string_equal(stanza, cases[i].want);
		apt_source_free(source);
	}
}

static void test_valid_until_is_in_the_stanza(void **state)
{
	struct apt_source source = { .uri = (char *)"file:/r", .suite = (char *)"s",
				     .components = (char *)"main" };
	g_autofree char *stanza = apt_source_format(&source, false);

	assert_non_null(strstr(stanza, "Check-Valid-Until: no\n"));
}

/* ---- a repository of our own ---- */

struct repo {
	char *dir;
	GString *packages;	/* the index */
};

static void write_text(const char *dir, const char *name, const char *text, gssize len)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	g_autofree char *folder = g_path_get_dirname(path);
	g_autoptr(GError) error = NULL;

	if (!fs_mkdir(folder, &error) || !fs_write(path, text, len < 0 ? strlen(text) : (size_t)len,
						   &error))
		fail_msg("%s", error->message);
}

/* Build the package from its tree and list it. */
static void repo_add(struct repo *repo, const char *tree, const char *name, const char *version,
		     const char *depends)
{
	g_autofree char *control = NULL, *file = g_strdup_printf("%s_%s_amd64.deb", name, version);
	g_autofree char *path = g_build_filename(repo->dir, file, NULL), *sum = NULL, *data = NULL;
	struct proc_spec spec = { .argv = (const char *const[]){ "dpkg-deb", "--root-owner-group",
								 "--build", tree, path, NULL } };
	g_autoptr(GError) error = NULL;
	size_t len;

	control = g_strdup_printf("Package: %s\nVersion: %s\nArchitecture: amd64\n"
				  "Maintainer: Nobody <nobody@example.org>\n%s%s%s"
				  "Description: a test\n", name, version,
				  depends ? "Depends: " : "", depends ? depends : "",
				  depends ? "\n" : "");
	write_text(tree, "DEBIAN/control", control, -1);
	if (!proc_run(&spec, NULL, NULL, &error) || !fs_read(path, 1u << 24, &data, &len, &error))
		fail_msg("%s", error->message);
	sum = fs_sha256_bytes(data, len);
	g_string_append_printf(repo->packages, "%sFilename: %s\nSize: %zu\nSHA256: %s\n\n", control,
			       file, len, sum);
}

static void repo_publish(const struct repo *repo, const char *valid_until)
{
	g_autofree char *sum = fs_sha256_bytes(repo->packages->str, repo->packages->len);
	g_autofree char *release =
		g_strdup_printf("Suite: test-suite\nCodename: test-suite\nArchitectures: amd64\n"
				"Components: main\nDate: Sat, 01 Feb 2025 10:00:00 UTC\n%s%s%s"
				"SHA256:\n %s %zu main/binary-amd64/Packages\n",
				valid_until ? "Valid-Until: " : "", valid_until ? valid_until : "",
				valid_until ? "\n" : "", sum, repo->packages->len);

	write_text(repo->dir, "dists/test-suite/Release", release, -1);
	write_text(repo->dir, "dists/test-suite/main/binary-amd64/Packages", repo->packages->str,
		   -1);
}

/* A kernel package; its image says the version. */
static void repo_add_kernel(struct repo *repo, const char *name, const char *version)
{
	g_autofree char *tree = g_build_filename(repo->dir, "tree", NULL);
	g_autofree char *text = g_strdup_printf("%s-test (b@h) #1 SMP Debian %s", version, version);
	g_autoptr(GByteArray) img =
		fake_bzimage(&(struct fake_bzimage){ .version = text, .xloadflags = 1 });
	g_autofree char *vmlinuz = g_strdup_printf("boot/vmlinuz-%s-test", version);
	g_autofree char *config = g_strdup_printf("boot/config-%s-test", version);

	write_text(tree, vmlinuz, (const char *)img->data, img->len);
	write_text(tree, config, "CONFIG_SMP=y\nCONFIG_X=\"a b\"\n# CONFIG_Y is not set\n", -1);
	repo_add(repo, tree, name, version, NULL);
	assert_true(fs_remove(tree, NULL));
}

static void repo_add_meta(struct repo *repo, const char *name, const char *version,
			  const char *depends)
{
	g_autofree char *tree = g_build_filename(repo->dir, "tree", NULL);

	repo_add(repo, tree, name, version, depends);
	assert_true(fs_remove(tree, NULL));
}

static struct repo repo;

/* apt links to the lists of a file: repository and keeps its own of a copy: one. */
static void use_repo(const char *method)
{
	g_autofree char *line = g_strdup_printf("deb [trusted=yes] %s:%s test-suite main\n", method,
						repo.dir);

	write_text(repo.dir, "sources.list", line, -1);
}

static int setup(void **state)
{
	static const char *const tools[] = { "apt-get", "apt-config", "dpkg-deb" };
	g_autofree char *sources = NULL, *cache = NULL;

	repo.dir = g_dir_make_tmp("klab-apt-XXXXXX", NULL);
	repo.packages = g_string_new(NULL);
	sources = g_build_filename(repo.dir, "sources.list", NULL);
	cache = g_build_filename(repo.dir, "cache", NULL);
	use_repo("file");
	g_setenv("KLAB_APT_SOURCES", sources, TRUE);
	g_setenv("XDG_CACHE_HOME", cache, TRUE);
	*state = NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(tools); i++) {
		g_autofree char *path = g_find_program_in_path(tools[i]);

		if (!path)
			*state = (void *)tools[i];
	}
	return 0;
}

static int teardown(void **state)
{
	bool ok = fs_remove(repo.dir, NULL);

	g_clear_pointer(&repo.dir, g_free);
	g_string_free(repo.packages, TRUE);
	return ok ? 0 : -1;
}

static void need_apt(void **state)
{
	if (!*state)
		return;
	print_message("skipped: '%s' is not installed\n", (const char *)*state);
	skip();
}

static struct kernel_spec test_spec(void)
{
	return (struct kernel_spec){ .id = (char *)"test", .source = (char *)"apt",
				     .suite = (char *)"test-suite",
				     .package = (char *)"linux-image-test", .line = 1 };
}

static void assert_unavailable(const struct kernel_spec *spec, const char *want)
{
	g_autoptr(kernel) k = NULL;
	g_autoptr(GError) error = NULL;

	assert_false(kernel_pull(spec, KERNEL_REFRESHED, NULL, &k, &error));
	if (!g_error_matches(error, LAB_ERROR, LAB_ERROR_UNAVAILABLE) ||
	    !strstr(error->message, want))
		fail_msg("%d '%s' is not unavailable with '%s'", error->code, error->message, want);
}

/* A metapackage, split in two as in newer suites, leads to the image; the cache serves without the
 * repository; a newer build is found when the lists are refreshed. */
static void test_pull(void **state)
{
	struct kernel_spec spec = test_spec();
	g_autoptr(GError) error = NULL;
	g_autoptr(kernel) k = NULL, cached = NULL, again = NULL, newer = NULL;
	g_autofree char *smp = NULL, *text = NULL, *unset = NULL;

	need_apt(state);
	repo_add_meta(&repo, "linux-image-test", "6.1-1",
		      "linux-base, linux-image-6.1-test (= 6.1-1) | other");
	repo_add_meta(&repo, "linux-image-6.1-test", "6.1-1",
		      "linux-binary-6.1-test (= 6.1-1), linux-base-6.1-test (= 6.1-1)");
	repo_add_kernel(&repo, "linux-binary-6.1-test", "6.1-1");
	repo_publish(&repo, NULL);

	assert_true(kernel_cached(&spec, &cached, NULL));
	assert_null(cached);
	if (!kernel_fetch(&spec, NULL, &k, &error))
		fail_msg("%s", error->message);
	assert_string_equal(k->release, "6.1-1-test");
	assert_string_equal(k->version, "(b@h) #1 SMP Debian 6.1-1");
	assert_string_equal(k->package, "linux-binary-6.1-test");
	assert_string_equal(k->package_version, "6.1-1");
	assert_null(k->note);
	smp = kernel_config_get(k, "CONFIG_SMP");
	text = kernel_config_get(k, "CONFIG_X");
	unset = kernel_config_get(k, "CONFIG_Y");
	assert_string_equal(smp, "y");
	assert_string_equal(text, "a b");
	assert_null(unset);

	repo_add_meta(&repo, "linux-image-test", "6.2-1", "linux-image-6.2-test (= 6.2-1)");
	repo_add_kernel(&repo, "linux-image-6.2-test", "6.2-1");
	repo_publish(&repo, NULL);
	assert_true(kernel_fetch(&spec, NULL, &again, NULL));
	assert_string_equal(again->release, "6.1-1-test");
	if (!kernel_pull(&spec, KERNEL_REFRESHED, NULL, &newer, &error))
		fail_msg("%s", error->message);
	assert_string_equal(newer->package_version, "6.2-1");
	spec.version = (char *)"6.1-1";
	g_clear_pointer(&newer, kernel_free);
	assert_true(kernel_pull(&spec, KERNEL_NEWEST, NULL, &newer, NULL));
	assert_string_equal(newer->release, "6.1-1-test");
}

static void test_unavailable(void **state)
{
	struct kernel_spec spec = test_spec();
	g_autofree char *release = g_build_filename(repo.dir, "dists/test-suite/Release", NULL);
	g_autoptr(kernel) k = NULL;
	g_autoptr(GError) error = NULL;

	need_apt(state);
	assert_unavailable(&spec, "test-suite");	/* nothing published at all */
	repo_add_kernel(&repo, "linux-image-test", "6.1-1");
	repo_add_meta(&repo, "linux-image-loop", "1", "linux-image-1loop");
	repo_add_meta(&repo, "linux-image-1loop", "1", "linux-image-2loop");
	repo_add_meta(&repo, "linux-image-2loop", "1", "linux-image-1loop");
	repo_add_meta(&repo, "empty", "1", NULL);
	repo_publish(&repo, NULL);
	spec.suite = (char *)"gone";
	assert_unavailable(&spec, "no entry of this host's apt sources leads to it");
	spec.suite = (char *)"test-suite";
	spec.package = (char *)"absent";
	assert_unavailable(&spec, "'absent' is not in test-suite");
	spec.package = (char *)"empty";
	assert_unavailable(&spec, "holds no kernel image");
	spec.package = (char *)"linux-image-loop";
	assert_unavailable(&spec, "leads through more than");
	spec.package = (char *)"linux-image-test";
	spec.version = (char *)"9.9";
	assert_unavailable(&spec, "'linux-image-test=9.9' is not in test-suite");
	spec.version = NULL;
	spec.package = (char *)"--simulate";
	assert_false(kernel_pull(&spec, KERNEL_NEWEST, NULL, &k, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_USAGE));
}

static void age_stamps(unsigned days)
{
	g_autofree char *stamps = fs_cache_dir("apt/stamps", NULL);
	g_autoptr(GDir) d = g_dir_open(stamps, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(d))) {
		g_autofree char *path = g_build_filename(stamps, name, NULL);
		struct utimbuf times = { 0, time(NULL) - days * 24 * 3600 - 60 };

		assert_int_equal(g_utime(path, &times), 0);
	}
}

/* The repository vanishes: the lists at hand serve, and once they are old the note says so. */
static void test_offline(void **state)
{
	struct kernel_spec spec = test_spec();
	g_autofree char *dists = g_build_filename(repo.dir, "dists", NULL);
	g_autoptr(kernel) k = NULL, again = NULL;

	need_apt(state);
	use_repo("copy");
	repo_add_meta(&repo, "linux-image-test", "6.1-1", "linux-image-6.1-test (= 6.1-1)");
	repo_add_kernel(&repo, "linux-image-6.1-test", "6.1-1");
	repo_publish(&repo, NULL);
	assert_true(kernel_pull(&spec, KERNEL_NEWEST, NULL, &k, NULL));
	assert_null(k->note);
	assert_true(fs_remove(dists, NULL));
	assert_true(kernel_pull(&spec, KERNEL_REFRESHED, NULL, &again, NULL));
	assert_string_equal(again->sha256, k->sha256);
	assert_null(again->note);
	g_clear_pointer(&again, kernel_free);
	age_stamps(3);
	assert_true(kernel_pull(&spec, KERNEL_REFRESHED, NULL, &again, NULL));
	assert_string_equal(again->sha256, k->sha256);
	assert_non_null(again->note);
	assert_non_null(strstr(again->note, "lists of 'test-suite' are 3 days old: "));
}

/* The lists are lost too: the kernel that is cached serves, and the note says why. */
static void test_fall_back(void **state)
{
	struct kernel_spec spec = test_spec();
	g_autofree char *dists = g_build_filename(repo.dir, "dists", NULL);
	g_autoptr(kernel) k = NULL, again = NULL;

	need_apt(state);
	repo_add_kernel(&repo, "linux-image-test", "6.1-1");
	repo_publish(&repo, NULL);
	assert_true(kernel_pull(&spec, KERNEL_NEWEST, NULL, &k, NULL));
	assert_true(fs_remove(dists, NULL));
	assert_true(kernel_pull(&spec, KERNEL_REFRESHED, NULL, &again, NULL));
	assert_string_equal(again->sha256, k->sha256);
	assert_non_null(again->note);
	assert_true(g_str_has_prefix(again->note, "taken from the cache, as "));
}

/* An expired Release is refused, unless the spec accepts it, and then the user is told. */
static void test_expired(void **state)
{
	struct kernel_spec spec = test_spec();
	g_autoptr(kernel) k = NULL;

	need_apt(state);
	repo_add_kernel(&repo, "linux-image-test", "6.1-1");
	repo_publish(&repo, "Sat, 08 Feb 2025 10:00:00 UTC");
	assert_unavailable(&spec, "expired");
	spec.ignore_valid_until = true;
	assert_true(kernel_pull(&spec, KERNEL_NEWEST, NULL, &k, NULL));
	assert_non_null(k->note);
	assert_non_null(strstr(k->note, "expired on Sat, 08 Feb 2025"));
	spec.ignore_valid_until = false;
	assert_unavailable(&spec, "expired");
}

/* What the index promises and the file does not hold is refused by apt. */
static void test_tampered_package(void **state)
{
	struct kernel_spec spec = test_spec();
	g_autofree char *path =
		g_build_filename(repo.dir, "linux-image-test_6.1-1_amd64.deb", NULL);
	g_autofree char *data = NULL;
	size_t len;

	need_apt(state);
	repo_add_kernel(&repo, "linux-image-test", "6.1-1");
	repo_publish(&repo, NULL);
	assert_true(fs_read(path, 1u << 24, &data, &len, NULL));
	data[len / 2] ^= 1;
	assert_true(fs_write(path, data, len, NULL));
	assert_unavailable(&spec, "downloading");
}

/* Damage in the cache is found and repaired from the source. */
static void test_damaged_cache(void **state)
{
	struct kernel_spec spec = test_spec();
	g_autoptr(kernel) k = NULL, cached = NULL, again = NULL;
	g_autofree char *data = NULL;
	size_t len;

	need_apt(state);
	repo_add_kernel(&repo, "linux-image-test", "6.1-1");
	repo_publish(&repo, NULL);
	assert_true(kernel_fetch(&spec, NULL, &k, NULL));
	assert_true(fs_read(k->image, 1u << 24, &data, &len, NULL));
	data[len - 1] ^= 1;
	assert_true(fs_write(k->image, data, len, NULL));
	assert_true(kernel_cached(&spec, &cached, NULL));
	assert_null(cached);
	assert_true(kernel_fetch(&spec, NULL, &again, NULL));
	assert_string_equal(again->sha256, k->sha256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_valid_until_is_in_the_stanza),
		cmocka_unit_test_setup_teardown(test_pull, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unavailable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fall_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expired, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tampered_package, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_cache, setup, teardown),
	};

	return cmocka_run_group_tests_name("apt", tests, NULL, NULL);
}
