// SPDX-License-Identifier: GPL-2.0-or-later
/* kernel/: the file source and the content store: good images, every bad one, and what is kept. */
#include "kernel/kernel.h"
#include "kernel/source.h"
#include "kernel/store.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

#include "cache_fixture.h"
#include "fake_bzimage.h"

static struct kernel_spec file_spec(char *path)
{
	return (struct kernel_spec){ .id = (char *)"x", .source = (char *)"file", .path = path };
}

/* The image is copied by content: a job keeps its kernel when the user builds the next one. */
static void test_file(void **state)
{
	g_autoptr(GByteArray) first = fake_bzimage(&(struct fake_bzimage){ .xloadflags = 1 });
	g_autoptr(GByteArray) next =
		fake_bzimage(&(struct fake_bzimage){ .xloadflags = 1, .version = "6.2.0 next" });
	g_autofree char *path = write_file("bzImage", first->data, first->len), *sum = NULL;
	struct kernel_spec spec = file_spec(path);
	g_autoptr(kernel) a = NULL, b = NULL, cached = NULL;

	assert_true(kernel_fetch(&spec, NULL, &a, NULL));
	assert_string_equal(a->id, "x");
	assert_string_equal(a->source, "file");
	assert_string_equal(a->release, "6.1.0-fake");
	assert_null(a->package);
	assert_null(a->config);
	g_free(write_file("bzImage", next->data, next->len));
	assert_true(kernel_fetch(&spec, NULL, &b, NULL));
	assert_string_equal(b->release, "6.2.0");
	assert_string_not_equal(a->image, b->image);
	sum = fs_sha256(a->image, NULL);
	assert_string_equal(sum, a->sha256);
	assert_true(kernel_cached(&spec, &cached, NULL));
	assert_string_equal(cached->sha256, b->sha256);
}

/* From within the image, else from config-RELEASE beside it; another release's is not taken. */
static void test_config(void **state)
{
	static const struct {
		const char *inside, *beside, *beside_name, *want;
	} cases[] = {
		{ NULL, NULL, NULL, NULL },
		{ "CONFIG_X=inside\n", NULL, NULL, "inside" },
		{ NULL, "CONFIG_X=beside\n", "config-6.1.0-fake", "beside" },
		{ "CONFIG_X=inside\n", "CONFIG_X=beside\n", "config-6.1.0-fake", "inside" },
		{ NULL, "CONFIG_X=beside\n", "config-6.2.0", NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GByteArray) img = fake_bzimage(&(struct fake_bzimage){
			.xloadflags = 1, .config = cases[i].inside, .ballast = i });
		g_autofree char *path = NULL, *value = NULL;
		struct kernel_spec spec;
		g_autoptr(kernel) k = NULL;

		assert_int_equal(setup(state), 0);
		path = write_file("vmlinuz", img->data, img->len);
		spec = file_spec(path);
		if (cases[i].beside)
			g_free(write_file(cases[i].beside_name, cases[i].beside,
					  strlen(cases[i].beside)));
		assert_true(kernel_fetch(&spec, NULL, &k, NULL));
		value = kernel_config_get(k, "CONFIG_X");
		if (cases[i].want)
			assert_string_equal(value, cases[i].want);
		else
			assert_null(value);
		assert_int_equal(teardown(state), 0);
	}
}

static void assert_input_error(char *path, const char *want)
{
	struct kernel_spec spec = file_spec(path);
	g_autoptr(kernel) k = NULL, cached = NULL;
	g_autoptr(GError) error = NULL;

	assert_false(kernel_fetch(&spec, NULL, &k, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
	if (!strstr(error->message, want) || !strstr(error->message, path))
		fail_msg("'%s' lacks '%s' or '%s'", error->message, want, path);
	assert_true(kernel_cached(&spec, &cached, NULL));
	assert_null(cached);
}

static void test_bad_files(void **state)
{
	g_autoptr(GByteArray) img = fake_bzimage(&(struct fake_bzimage){ .xloadflags = 1 });
	g_autofree char *whole = write_file("whole", img->data, img->len);
	g_autofree char *cut = write_file("cut", img->data, img->len - 16);
	g_autofree char *empty = write_file("empty", "", 0);
	g_autofree char *text = write_file("text", "hello\n", 6);
	g_autofree char *absent = g_build_filename(dir, "absent", NULL);
	g_autofree char *fifo = g_build_filename(dir, "fifo", NULL);
	struct kernel_spec spec = file_spec(whole);
	g_autoptr(kernel) k = NULL;

	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_input_error(cut, "truncated: has ");
	assert_input_error(empty, "the file is empty");
	assert_input_error(text, "not a kernel");
	assert_input_error(absent, "No such file");
	assert_input_error(dir, "not a regular file");
	assert_input_error(fifo, "not a regular file");
	/* None of these has spoiled the store for the whole one. */
	assert_true(kernel_fetch(&spec, NULL, &k, NULL));
}

/* A folder that a killed klab left half-filled under the final name is replaced. */
static void test_half_folder(void **state)
{
	g_autoptr(GByteArray) img = fake_bzimage(&(struct fake_bzimage){ .xloadflags = 1 });
	g_autofree char *path = write_file("bzImage", img->data, img->len);
	g_autofree char *sum = fs_sha256_bytes(img->data, img->len);
	g_autofree char *root = fs_cache_dir("kernels", NULL);
	g_autofree char *half = g_build_filename(root, sum, NULL);
	g_autofree char *image = g_build_filename(half, "bzImage", NULL);
	struct kernel_spec spec = file_spec(path);
	g_autoptr(kernel) k = NULL;

	assert_true(fs_mkdir(half, NULL));
	assert_true(fs_write(image, img->data, 1000, NULL));
	assert_true(kernel_fetch(&spec, NULL, &k, NULL));
	assert_string_equal(k->sha256, sum);
	assert_string_equal(k->image, image);
}

static void test_index(void **state)
{
	static const char *const damage[] = { "", "{", "[]", "{\"schema\": 2}",
					      "{\"schema\": 1, \"sha256\": \"../../etc\"}",
					      "{\"schema\": 1, \"sha256\": 7}" };
	g_autoptr(GByteArray) img = fake_bzimage(&(struct fake_bzimage){ .xloadflags = 1 });
	struct kernel_found found = { .image = (char *)img->data, .image_len = img->len };
	struct kernel_spec spec = { .id = (char *)"i", .source = (char *)"apt",
				    .suite = (char *)"s", .package = (char *)"p" };
	g_autofree char *index = fs_cache_dir("kernels/index", NULL), *path = NULL;
	g_autoptr(kernel) k = NULL, got = NULL;
	g_autoptr(GDir) entries = NULL;

	assert_true(kernel_store_put(&found, &k, NULL));
	k->package = g_strdup("p-1");
	assert_int_equal(kernel_store_age_s(&spec), UINT64_MAX);
	assert_true(kernel_store_index(&spec, k, NULL));
	assert_true(kernel_store_age_s(&spec) < 60);
	assert_true(kernel_store_find(&spec, &got, NULL));
	assert_string_equal(got->package, "p-1");
	assert_null(got->package_version);
	g_clear_pointer(&got, kernel_free);
	entries = g_dir_open(index, 0, NULL);
	path = g_build_filename(index, g_dir_read_name(entries), NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(damage); i++) {
		assert_true(fs_write(path, damage[i], strlen(damage[i]), NULL));
		assert_true(kernel_store_find(&spec, &got, NULL));
		assert_null(got);
	}
}

/* Why a row of a file could not be had is known until it was; a file on the command line keeps none,
 * and what lies on this host is looked at anew. */
static void test_refusal(void **state)
{
	struct kernel_spec spec = { .id = (char *)"u", .source = (char *)"deb", .line = 3,
				    .url = (char *)"/nonexistent/x.deb", .verify_none = true };
	struct kernel_spec local = file_spec((char *)"/nonexistent/bzImage");
	g_autoptr(GByteArray) img = fake_bzimage(&(struct fake_bzimage){ .xloadflags = 1 });
	struct kernel_found found = { .image = (char *)img->data, .image_len = img->len };
	g_autofree char *reason = NULL, *again = NULL, *gone = NULL, *named = NULL, *near = NULL;
	g_autoptr(kernel) k = NULL;
	int64_t at_s = 0;

	gone = kernel_refusal(&spec, &at_s);
	assert_null(gone);
	assert_false(kernel_fetch(&spec, NULL, &k, NULL));
	reason = kernel_refusal(&spec, &at_s);
	assert_string_equal(reason, "'/nonexistent/x.deb': No such file or directory");
	assert_true(ABS(at_s - g_get_real_time() / G_USEC_PER_SEC) < 60);
	assert_true(kernel_store_put(&found, &k, NULL));
	assert_true(kernel_store_index(&spec, k, NULL));
	again = kernel_refusal(&spec, &at_s);
	assert_null(again);
	spec.line = 0;
	spec.url = (char *)"/nonexistent/y.deb";
	g_clear_pointer(&k, kernel_free);
	assert_false(kernel_fetch(&spec, NULL, &k, NULL));
	named = kernel_refusal(&spec, &at_s);
	assert_null(named);
	near = kernel_refusal(&local, &at_s);
	assert_string_equal(near, "'/nonexistent/bzImage': No such file or directory");
}

static void test_unknown_source(void **state)
{
	struct kernel_spec spec = { .id = (char *)"x", .source = (char *)"ftp" };
	g_autoptr(kernel) k = NULL;
	g_autoptr(GError) error = NULL;

	assert_false(kernel_fetch(&spec, NULL, &k, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_USAGE));
	assert_true(g_str_has_prefix(error->message, "'ftp' is no source of kernels: there are "));
	assert_non_null(strstr(error->message, "'apt'"));
	assert_non_null(strstr(error->message, "'file'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_file, setup, teardown),
		cmocka_unit_test(test_config),
		cmocka_unit_test_setup_teardown(test_bad_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_index, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusal, setup, teardown),
		cmocka_unit_test(test_unknown_source),
	};

	return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
