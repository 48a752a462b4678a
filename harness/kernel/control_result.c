// SPDX-License-Identifier: GPL-2.0-or-later
/* Results of control builds: written once, verified at every use. */
#include "kernel/control_result.h"

#include "base/fs.h"
#include "kernel/bzimage.h"

#include <fcntl.h>
#include <sys/stat.h>

#define MANIFEST_SCHEMA 2
#define MANIFEST_MAX (1u << 20)

json_t *control_json_read(const char *path)
{
	g_autofree char *text = NULL;
	size_t len;

	if (!fs_read(path, MANIFEST_MAX, &text, &len, NULL))
		return NULL;
	return json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
}

bool control_json_write(const char *path, json_t *root, GError **error)
{
	g_autofree char *text = json_dumps(root, JSON_INDENT(1)), *line = NULL;

	if (!text)
		return lab_fail(error, LAB_ERROR_INFRA, "cannot write '%s' as JSON", path);
	line = g_strdup_printf("%s\n", text);
	return fs_write(path, line, strlen(line), error);
}

static char *image_path(const char *dir, unsigned which)
{
	return g_strdup_printf("%s/%s.bzImage", dir, control_names[which]);
}

static bool images_hash(const char *dir, char *ret[CONTROL__COUNT], GError **error)
{
	for (unsigned i = 0; i < CONTROL__COUNT; i++) {
		g_autofree char *path = image_path(dir, i);

		ret[i] = fs_sha256(path, error);
		if (!ret[i])
			return false;
		for (unsigned j = 0; j < i; j++)
			if (!strcmp(ret[i], ret[j]))
				return lab_fail(error, LAB_ERROR_INFRA,
						"the control kernels '%s' and '%s' came out equal",
						control_names[j], control_names[i]);
	}
	return true;
}

static json_t *manifest(const struct control_facts *facts, char *const sha256[CONTROL__COUNT])
{
	json_t *images = json_object();

	for (unsigned i = 0; i < CONTROL__COUNT; i++)
		json_object_set_new(
			images, control_names[i],
			json_pack("{ss sf}", "sha256", sha256[i], "seconds", facts->seconds[i]));
	return json_pack("{si ss ss ss ss ss so sO si}", "schema", MANIFEST_SCHEMA, "key",
			 facts->key, "package", facts->package, "package_version",
			 facts->package_version, "package_sha256", facts->package_sha256,
			 "compiler", facts->compiler, "images", images, "patches", facts->patches,
			 "steps", (int)facts->steps);
}

bool control_result_write(const char *dir, const struct control_facts *facts, GError **error)
{
	g_autofree char *path = g_build_filename(dir, "manifest.json", NULL);
	char *sha256[CONTROL__COUNT] = { NULL };
	bool ok = images_hash(dir, sha256, error);

	if (ok) {
		json_t *root = manifest(facts, sha256);

		ok = control_json_write(path, root, error);
		json_decref(root);
	}
	for (unsigned i = 0; i < CONTROL__COUNT; i++)
		g_free(sha256[i]);
	return ok;
}

static bool image_identify(struct kernel *k, GError **error)
{
	auto_fd fd = open(k->image, O_RDONLY | O_CLOEXEC);
	g_autofree char *head = g_malloc(BZIMAGE_SETUP_MAX);
	struct bzimage image;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) || (n = pread(fd, head, BZIMAGE_SETUP_MAX, 0)) < 0)
		return lab_fail_errno(error, "cannot read '%s'", k->image);
	if (!bzimage_parse(head, n, st.st_size, &image, error))
		return lab_prefix(error, "'%s'", k->image);
	k->release = g_strdup(image.release);
	k->version = g_strdup(image.version);
	return true;
}

static char *text_of(const json_t *object, const char *name)
{
	return g_strdup(json_string_value(json_object_get(object, name)));
}

/* One image, if it is what the manifest says it is. */
static struct kernel *image_load(const char *dir, unsigned which, const json_t *root,
				 GError **error)
{
	const json_t *image =
		json_object_get(json_object_get(root, "images"), control_names[which]);
	g_autofree char *sha256 = text_of(image, "sha256");
	g_autofree char *config = g_build_filename(dir, "config", NULL);
	g_autoptr(kernel) k = g_new0(struct kernel, 1);

	k->id = g_strdup_printf("control-%s", control_names[which]);
	k->source = g_strdup("control");
	k->image = image_path(dir, which);
	k->package = text_of(root, "package");
	k->package_version = text_of(root, "package_version");
	k->sha256 = fs_sha256(k->image, error);
	if (!k->sha256 || !fs_read(config, MANIFEST_MAX, &k->config, NULL, error))
		return NULL;
	if (g_strcmp0(sha256, k->sha256)) {
		lab_fail(error, LAB_ERROR_INFRA, "'%s' is not what its manifest says", k->image);
		return NULL;
	}
	return image_identify(k, error) ? g_steal_pointer(&k) : NULL;
}

static bool images_load(const char *dir, const json_t *root, struct kernel *ret[CONTROL__COUNT],
			GError **error)
{
	struct kernel *loaded[CONTROL__COUNT] = { NULL };
	unsigned n = 0;

	while (n < CONTROL__COUNT && (loaded[n] = image_load(dir, n, root, error)))
		n++;
	if (n == CONTROL__COUNT) {
		memcpy(ret, loaded, sizeof(loaded));
		return true;
	}
	while (n--)
		kernel_free(loaded[n]);
	return false;
}

bool control_result_load(const char *dir, struct kernel *ret[CONTROL__COUNT], GError **error)
{
	g_autofree char *path = g_build_filename(dir, "manifest.json", NULL);
	json_t *root = control_json_read(path);
	bool ok;

	if (json_integer_value(json_object_get(root, "schema")) != MANIFEST_SCHEMA)
		ok = lab_fail(error, LAB_ERROR_INFRA, "'%s' is no manifest of control kernels",
			      path);
	else
		ok = images_load(dir, root, ret, error);
	json_decref(root);
	return ok;
}
