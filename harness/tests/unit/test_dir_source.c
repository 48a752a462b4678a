// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernel source "dir": a build tree or a folder with one kernel; two are refused by name. */
#include "kernel/kernel.h"

#include "control_fixture.h"
#include "fake_bzimage.h"

#define RELEASE "6.1.0-fake"

static int setup(void **state)
{
	g_autofree char *cache = NULL;

	if (make_root(state))
		return -1;
	cache = g_build_filename(root, "cache", NULL);
	g_setenv("XDG_CACHE_HOME", cache, TRUE);
	return 0;
}

static int teardown(void **state)
{
	g_unsetenv("XDG_CACHE_HOME");
	return remove_root(state);
}

static void put_image(const char *name, const char *version)
{
	g_autoptr(GByteArray) image =
		fake_bzimage(&(struct fake_bzimage){ .xloadflags = 1, .version = version });
	g_autofree char *path = g_build_filename(root, name, NULL);

	put(name, ""); /* with its folders */
	assert_true(fs_write(path, image->data, image->len, NULL));
}

static struct kernel *fetch(GError **error)
{
	g_autofree char *path = g_build_filename(root, "k", NULL);
	struct kernel_spec spec = { .id = (char *)"x", .source = (char *)"dir", .path = path };
	struct kernel *k = NULL;

	kernel_fetch(&spec, NULL, &k, error);
	return k;
}

static void refused(const char *words)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(kernel) k = fetch(&error);

	assert_null(k);
	if (!g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT) || !strstr(error->message, words))
		fail_msg("%s", error->message);
}

static void build_tree(void **state)
{
	g_autoptr(kernel) k = NULL;

	put_image("k/arch/x86/boot/bzImage", RELEASE " (b@h) #1 SMP");
	put("k/.config", "CONFIG_OF_TREE=y\n");
	put("k/vmlinux", "not looked at");
	put("k/include/config/kernel.release", RELEASE "\n");
	k = fetch(NULL);
	assert_non_null(k);
	assert_string_equal(k->release, RELEASE);
	assert_string_equal(k->config, "CONFIG_OF_TREE=y\n");
	assert_string_equal(k->source, "dir");
	/* Configured or updated since, and not yet built. */
	put("k/include/config/kernel.release", "6.1.1-fake\n");
	refused("is a build tree of Linux 6.1.1-fake with an image of " RELEASE);
}

static void installed(void **state)
{
	g_autofree char *link = g_build_filename(root, "k/vmlinuz", NULL);
	g_autoptr(kernel) k = NULL;

	put_image("k/vmlinuz-" RELEASE, NULL);
	put("k/config-" RELEASE, "CONFIG_BESIDE=y\n");
	put("k/config-other", "CONFIG_OTHER=y\n");
	put("k/System.map", "x");
	/* A link to it is not a second kernel. */
	assert_int_equal(symlink("vmlinuz-" RELEASE, link), 0);
	k = fetch(NULL);
	assert_non_null(k);
	assert_string_equal(k->config, "CONFIG_BESIDE=y\n");
}

static void several(void **state)
{
	put_image("k/vmlinuz-6.1", NULL);
	put_image("k/vmlinuz-6.2", "6.2.0 (b@h) #1");
	refused("holds 2 kernels: 'vmlinuz-6.1', 'vmlinuz-6.2'\nhint: name one, as source 'file'");
	put_image("k/arch/x86/boot/bzImage", NULL);
	refused("holds 3 kernels: 'arch/x86/boot/bzImage', 'vmlinuz-6.1', 'vmlinuz-6.2'");
}

static void none(void **state)
{
	refused("No such file or directory");
	put("k/README", "x");
	put("k/vmlinuz.d/x", "x");
	refused("holds no kernel");
	put("k/vmlinuz", "MZ, but not much more");
	refused("'vmlinuz'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(build_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(installed, setup, teardown),
		cmocka_unit_test_setup_teardown(several, setup, teardown),
		cmocka_unit_test_setup_teardown(none, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
