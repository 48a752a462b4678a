// SPDX-License-Identifier: GPL-2.0-or-later
/* A .deb is an ar archive whose member data.tar.* holds the files: one libarchive feeds another. */
#include "kernel/deb.h"

#include <archive.h>
#include <archive_entry.h>
#include <fnmatch.h>

#define CHUNK (64u << 10)
#define CONTROL_MAX (1u << 20)

struct nest {
	struct archive *outer;
	char chunk[CHUNK];
};

typedef struct archive archive_reader;
static void reader_free(archive_reader *a)
{
	archive_read_free(a);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(archive_reader, reader_free)

static bool fail_archive(struct archive *a, const char *path, GError **error)
{
	return lab_fail(error, LAB_ERROR_INPUT, "'%s' is no whole package: %s", path,
			archive_error_string(a) ? archive_error_string(a) : "it ends too early");
}

static la_ssize_t nest_read(struct archive *inner, void *user, const void **ret_chunk)
{
	struct nest *nest = user;
	la_ssize_t n = archive_read_data(nest->outer, nest->chunk, CHUNK);

	if (n < 0)
		archive_set_error(inner, archive_errno(nest->outer), "%s",
				  archive_error_string(nest->outer));
	*ret_chunk = nest->chunk;
	return n;
}

static struct deb_file *wanted(struct deb_file *files, unsigned n, const char *name)
{
	if (g_str_has_prefix(name, "./"))
		name += 2;
	for (unsigned i = 0; i < n; i++)
		for (const char *const *glob = files[i].globs; !files[i].data && *glob; glob++)
			if (!fnmatch(*glob, name, 0))
				return &files[i];
	return NULL;
}

static bool read_file(struct archive *a, struct archive_entry *entry, const char *path,
		      struct deb_file *file, GError **error)
{
	int64_t size = archive_entry_size(entry);
	size_t got = 0;

	if (size < 0 || (uint64_t)size > file->max)
		return lab_fail(error, LAB_ERROR_INPUT,
				"'%s': its file '%s' has %" G_GINT64_FORMAT " bytes, more than %zu",
				path, archive_entry_pathname(entry), size, file->max);
	file->data = g_malloc(size + 1);
	while (got < (size_t)size) {
		la_ssize_t n = archive_read_data(a, file->data + got, size - got);

		if (n <= 0)
			return fail_archive(a, path, error);
		got += n;
	}
	file->data[got] = '\0';
	file->len = got;
	return true;
}

bool deb_read_archive(struct archive *a, const char *path, struct deb_file *files, unsigned n,
		      GError **error)
{
	struct archive_entry *entry;
	int rc;

	while ((rc = archive_read_next_header(a, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
		const char *name = archive_entry_pathname(entry);
		struct deb_file *file = name && archive_entry_filetype(entry) == AE_IFREG ?
						wanted(files, n, name) : NULL;

		if (file && !read_file(a, entry, path, file, error))
			return false;
	}
	return rc == ARCHIVE_EOF || fail_archive(a, path, error);
}

static bool read_tar(struct archive *outer, const char *path, struct deb_file *files, unsigned n,
		     GError **error)
{
	g_autoptr(archive_reader) a = archive_read_new();
	g_autofree struct nest *nest = g_new(struct nest, 1);

	nest->outer = outer;
	archive_read_support_format_tar(a);
	archive_read_support_filter_all(a);
	if (archive_read_open(a, nest, NULL, nest_read, NULL) != ARCHIVE_OK)
		return fail_archive(a, path, error);
	return deb_read_archive(a, path, files, n, error);
}

/* `member` is "data.tar" or "control.tar". */
static bool read_member(const char *path, const char *member, struct deb_file *files, unsigned n,
			GError **error)
{
	g_autoptr(archive_reader) a = archive_read_new();
	struct archive_entry *entry;

	archive_read_support_format_ar(a);
	if (archive_read_open_filename(a, path, CHUNK) != ARCHIVE_OK)
		return fail_archive(a, path, error);
	while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);

		if (name && g_str_has_prefix(name, member))
			return read_tar(a, path, files, n, error);
	}
	return fail_archive(a, path, error);
}

bool deb_read(const char *path, struct deb_file *files, unsigned n, GError **error)
{
	return read_member(path, "data.tar", files, n, error);
}

char *deb_field(const char *text, const char *field)
{
	size_t len = strlen(field);

	for (const char *line = text; *line && *line != '\n';) {
		size_t n = strcspn(line, "\n");

		if (n > len && !g_ascii_strncasecmp(line, field, len) && line[len] == ':')
			return g_strstrip(g_strndup(line + len + 1, n - len - 1));
		line += n;
		line += *line == '\n';
	}
	return NULL;
}

bool deb_identify(const char *path, char **ret_package, char **ret_version, GError **error)
{
	static const char *const globs[] = { "control", NULL };
	struct deb_file control = { .globs = globs, .max = CONTROL_MAX };
	bool ok = read_member(path, "control.tar", &control, 1, error);
	g_autofree char *text = control.data;
	g_autofree char *package = text ? deb_field(text, "Package") : NULL;
	g_autofree char *version = text ? deb_field(text, "Version") : NULL;

	if (!ok)
		return false;
	if (!package || !version || !g_utf8_validate(package, -1, NULL) ||
	    !g_utf8_validate(version, -1, NULL))
		return lab_fail(error, LAB_ERROR_INPUT, "'%s' does not say which package it is",
				path);
	*ret_package = g_steal_pointer(&package);
	*ret_version = g_steal_pointer(&version);
	return true;
}
