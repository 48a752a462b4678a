// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Archives within archives: a .deb holds data.tar.*, that holds linux-source-6.1.tar.*, and that
 * holds the tree. Each reads from the one around it, so that nothing large is written twice.
 */
#include "kernel/source_tree.h"

#include "base/fs.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <errno.h>
#include <sys/stat.h>

#define CHUNK (256u << 10)
#define FILES_MAX 200000u
#define BYTES_MAX (4ull << 30)
#define NAME_MAX_BYTES 512

typedef struct archive archive;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(archive, archive_read_free)

/* Skipped but for Kconfig files and Makefiles. An option of the fragment that needs one of these
 * fails the build at once ("No rule to make target"): take the folder out of the list then. */
static const char *const skipped[] = {
	"Documentation/", "drivers/gpu/",          "drivers/infiniband/",
	"drivers/media/", "drivers/net/ethernet/", "drivers/net/wireless/",
	"drivers/scsi/",  "drivers/staging/",      "samples/",
	"sound/",         "tools/testing/",
};

bool source_tree_wants(const char *name)
{
	const char *base = strrchr(name, '/'), *arch = name + strlen("arch/");

	base = base ? base + 1 : name;
	if (g_str_has_prefix(base, "Kconfig") || g_str_has_prefix(base, "Makefile"))
		return true;
	for (unsigned i = 0; i < G_N_ELEMENTS(skipped); i++)
		if (g_str_has_prefix(name, skipped[i]))
			return false;
	return !g_str_has_prefix(name, "arch/") || !strchr(arch, '/') ||
	       g_str_has_prefix(arch, "x86/");
}

/* An archive whose bytes are an entry of another one. */
struct nested {
	struct archive *outer;
	char buf[CHUNK];
};

static la_ssize_t nested_read(struct archive *inner, void *user, const void **ret)
{
	struct nested *nested = user;
	la_ssize_t n = archive_read_data(nested->outer, nested->buf, sizeof(nested->buf));

	if (n < 0)
		archive_set_error(inner, EIO, "%s", archive_error_string(nested->outer));
	*ret = nested->buf;
	return n;
}

static struct archive *reader_new(void)
{
	struct archive *a = archive_read_new();

	archive_read_support_filter_all(a);
	archive_read_support_format_tar(a);
	archive_read_support_format_ar(a);
	return a;
}

static bool fail_archive(struct archive *a, GError **error)
{
	const char *why = archive_error_string(a);

	return lab_fail(error, LAB_ERROR_INPUT, "not a whole archive: %s", why ? why : "unknown");
}

/* Go to the entry whose name has `prefix` once a leading "./" is gone. */
static bool seek_entry(struct archive *a, const char *prefix, GError **error)
{
	struct archive_entry *entry;
	int r = ARCHIVE_EOF;

	for (unsigned i = 0; i < FILES_MAX; i++) {
		const char *name;

		r = archive_read_next_header(a, &entry);
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			break;
		name = archive_entry_pathname(entry);
		if (name && g_str_has_prefix(name, "./"))
			name += 2;
		if (name && g_str_has_prefix(name, prefix) && strlen(name) > strlen(prefix) &&
		    archive_entry_filetype(entry) == AE_IFREG)
			return true;
	}
	if (r != ARCHIVE_EOF)
		return fail_archive(a, error);
	return lab_fail(error, LAB_ERROR_INPUT, "it has no file '%s...'", prefix);
}

/* The path below the top folder, or NULL for the top folder itself; climbing names are an error. */
static bool entry_name(const char *path, const char **ret, GError **error)
{
	const char *slash;

	if (!path)
		return lab_fail(error, LAB_ERROR_INPUT, "it has an entry without a name");
	if (g_str_has_prefix(path, "./"))
		path += 2;
	slash = strchr(path, '/');
	if (*path == '/' || strlen(path) > NAME_MAX_BYTES || g_str_has_prefix(path, "../") ||
	    strstr(path, "/../") || g_str_has_suffix(path, "/..") || !strcmp(path, ".."))
		return lab_fail(error, LAB_ERROR_INPUT, "it has an entry with the bad name '%.80s'",
				path);
	*ret = slash && slash[1] ? slash + 1 : NULL;
	return true;
}

struct unpack {
	struct archive *a;
	const char *dest;
	const struct progress *progress;
	uint64_t bytes;
	unsigned files;
	char *chunk;
};

static bool copy_data(struct unpack *u, int fd, const char *name, GError **error)
{
	la_ssize_t n;

	while ((n = archive_read_data(u->a, u->chunk, CHUNK)) > 0) {
		u->bytes += n;
		if (u->bytes > BYTES_MAX)
			return lab_fail(error, LAB_ERROR_INPUT,
					"it unpacks to more than %llu bytes", BYTES_MAX);
		for (la_ssize_t done = 0; done < n;) {
			ssize_t put = write(fd, u->chunk + done, n - done);

			if (put < 0 && errno != EINTR)
				return lab_fail_errno(error, "cannot write '%s'", name);
			done += MAX(put, 0);
		}
	}
	return n == 0 || fail_archive(u->a, error);
}

static bool unpack_file(struct unpack *u, struct archive_entry *entry, const char *name,
			GError **error)
{
	g_autofree char *path = g_build_filename(u->dest, name, NULL);
	g_autofree char *dir = g_path_get_dirname(path);
	mode_t mode = archive_entry_perm(entry) & 0100 ? 0755 : 0644;
	auto_fd fd = -1;

	if (!fs_mkdir(dir, error))
		return false;
	/* No links are made, so a name can only lead to a folder of the tree. */
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return lab_fail_errno(error, "cannot create '%s'", path);
	return copy_data(u, fd, path, error);
}

static bool unpack_tree(struct unpack *u, GError **error)
{
	struct archive_entry *entry;
	int r;

	while ((r = archive_read_next_header(u->a, &entry)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
		const char *name = NULL;

		if (!entry_name(archive_entry_pathname(entry), &name, error))
			return false;
		if (++u->files > FILES_MAX)
			return lab_fail(error, LAB_ERROR_INPUT, "it has more than %u files",
					FILES_MAX);
		if (u->files % 10000 == 0)
			progress_say(u->progress, "control kernels: unpacking the source, %u files",
				     u->files);
		if (name && archive_entry_filetype(entry) == AE_IFREG && source_tree_wants(name) &&
		    !unpack_file(u, entry, name, error))
			return false;
	}
	if (r != ARCHIVE_EOF)
		return fail_archive(u->a, error);
	return u->files > 0 || lab_fail(error, LAB_ERROR_INPUT, "it is empty");
}

/* Open `inner` on the entry at which `outer` stands. */
static bool open_nested(struct archive *inner, struct archive *outer, struct nested *nested,
			GError **error)
{
	nested->outer = outer;
	return archive_read_open(inner, nested, NULL, nested_read, NULL) == ARCHIVE_OK ||
	       fail_archive(inner, error);
}

static bool unpack(const char *path, struct unpack *u, GError **error)
{
	g_autofree struct nested *in_deb = g_new(struct nested, 1),
				 *in_data = g_new(struct nested, 1);
	/* Freed from the innermost out. */
	g_autoptr(archive) file = reader_new(), data = NULL, tree = NULL;

	if (archive_read_open_filename(file, path, CHUNK) != ARCHIVE_OK)
		return fail_archive(file, error);
	u->a = file;
	if (!g_str_has_suffix(path, ".deb"))
		return unpack_tree(u, error);
	data = reader_new();
	tree = reader_new();
	if (!seek_entry(file, "data.tar", error) || !open_nested(data, file, in_deb, error) ||
	    !seek_entry(data, "usr/src/linux-source-", error) ||
	    !open_nested(tree, data, in_data, error))
		return false;
	u->a = tree;
	return unpack_tree(u, error);
}

bool source_tree_unpack(const char *path, const char *dest, const struct progress *progress,
			GError **error)
{
	g_autofree char *chunk = g_malloc(CHUNK);
	struct unpack u = { .dest = dest, .progress = progress, .chunk = chunk };

	if (!fs_mkdir(dest, error))
		return false;
	return unpack(path, &u, error) || lab_prefix(error, "'%s'", path);
}

/* The number of "NAME = 6" at the start of a line. */
static bool makefile_number(const char *text, const char *name, unsigned *ret)
{
	g_autofree char *start = g_strdup_printf("\n%s = ", name);
	const char *at = strstr(text, start);
	char *end = NULL;
	guint64 value;

	if (!at)
		return false;
	at += strlen(start);
	value = g_ascii_strtoull(at, &end, 10);
	*ret = value;
	return end != at && value <= 100000;
}

char *source_tree_version(const char *dir, GError **error)
{
	g_autofree char *path = g_build_filename(dir, "Makefile", NULL), *text = NULL;
	unsigned version, patchlevel, sublevel;

	if (!fs_read(path, 1 << 20, &text, NULL, error))
		return NULL;
	if (!makefile_number(text, "VERSION", &version) ||
	    !makefile_number(text, "PATCHLEVEL", &patchlevel) ||
	    !makefile_number(text, "SUBLEVEL", &sublevel)) {
		lab_fail(error, LAB_ERROR_INPUT, "'%s' states no kernel version", path);
		return NULL;
	}
	return g_strdup_printf("%u.%u.%u", version, patchlevel, sublevel);
}
