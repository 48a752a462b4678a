// SPDX-License-Identifier: GPL-2.0-or-later
/* deb822 as repositories write it: stanzas of "Field: value" lines, continued by a blank. */
#include "kernel/debrepo.h"

#include "base/vercmp.h"
#include "kernel/deb.h"
#include "kernel/download.h"

#include <curl/curl.h>

#define FILES_MAX 10000
#define VALUE_MAX (64u << 10)

static void deb_index_free(void *data)
{
	struct deb_index *index = data;

	g_free(index->path);
	g_free(index->sha256);
	g_free(index);
}

void deb_release_clear(struct deb_release *release)
{
	g_clear_pointer(&release->files, g_ptr_array_unref);
}

void deb_package_clear(struct deb_package *pkg)
{
	g_clear_pointer(&pkg->name, g_free);
	g_clear_pointer(&pkg->version, g_free);
	g_clear_pointer(&pkg->depends, g_free);
	g_clear_pointer(&pkg->filename, g_free);
	g_clear_pointer(&pkg->sha256, g_free);
}

static bool is_sha256(const char *text)
{
	return download_hash_ok(text) && strlen(text) == 64;
}

/* " SHA256 SIZE PATH" */
static void add_file(struct deb_release *release, const char *line)
{
	g_auto(GStrv) words = g_strsplit_set(line, " \t", -1);
	const char *field[3] = { NULL };
	struct deb_index *index;
	unsigned n = 0;

	for (char **w = words; *w && n < 3; w++)
		if (**w)
			field[n++] = *w;
	if (n < 3 || !is_sha256(field[0]) || !g_ascii_isdigit(*field[1]) ||
	    !strstr(field[2], "Packages") || !download_name_ok(field[2]) ||
	    release->files->len >= FILES_MAX)
		return;
	index = g_new0(struct deb_index, 1);
	index->sha256 = g_strdup(field[0]);
	index->size = g_ascii_strtoull(field[1], NULL, 10);
	index->path = g_strdup(field[2]);
	g_ptr_array_add(release->files, index);
}

static void add_files(struct deb_release *release, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	bool within = false;

	for (char **l = lines; *l; l++) {
		if (**l == ' ' || **l == '\t') {
			if (within)
				add_file(release, g_strchomp(*l));
		} else {
			within = !g_ascii_strncasecmp(*l, "SHA256:", 7);
		}
	}
}

bool deb_release_parse(const char *text, size_t len, struct deb_release *ret, GError **error)
{
	g_autofree char *copy = g_strndup(text, len);
	g_autofree char *until = deb_field(copy, "Valid-Until");
	g_autofree char *by_hash = deb_field(copy, "Acquire-By-Hash");
	g_auto(deb_release) release = { 0 };

	release.files = g_ptr_array_new_with_free_func(deb_index_free);
	add_files(&release, copy);
	if (!release.files->len)
		return lab_fail(error, LAB_ERROR_INPUT, "it names no package list by its sha256");
	if (until)
		release.valid_until = curl_getdate(until, NULL);
	if (release.valid_until < 0) {
		g_autofree char *shown = g_utf8_make_valid(until, -1);

		return lab_fail(error, LAB_ERROR_INPUT, "its Valid-Until is no date: '%.100s'",
				shown);
	}
	release.by_hash = by_hash && !g_ascii_strcasecmp(by_hash, "yes");
	*ret = release;
	release.files = NULL;
	return true;
}

const struct deb_index *deb_release_packages(const struct deb_release *release, const char *dir)
{
	/* The plain one last: Release often names it where the server has only the others. */
	static const char *const endings[] = { ".xz", ".zst", ".gz", ".bz2", "" };

	for (size_t e = 0; e < G_N_ELEMENTS(endings); e++) {
		g_autofree char *want =
			g_strconcat(dir, *dir ? "/" : "", "Packages", endings[e], NULL);

		for (unsigned i = 0; i < release->files->len; i++) {
			const struct deb_index *index = g_ptr_array_index(release->files, i);
			const char *path = index->path;

			if (!strcmp(g_str_has_prefix(path, "./") ? path + 2 : path, want))
				return index;
		}
	}
	return NULL;
}

/* One stanza, without its closing blank line. */
static bool take_stanza(const char *stanza, const char *name, const char *version,
			struct deb_package *ret)
{
	g_auto(deb_package) pkg = { .name = deb_field(stanza, "Package"),
				    .version = deb_field(stanza, "Version"),
				    .depends = deb_field(stanza, "Depends"),
				    .filename = deb_field(stanza, "Filename"),
				    .sha256 = deb_field(stanza, "SHA256") };
	g_autofree char *size = deb_field(stanza, "Size");

	if (g_strcmp0(pkg.name, name) || !pkg.version || !pkg.filename || !pkg.sha256 ||
	    !is_sha256(pkg.sha256) || !download_name_ok(pkg.filename) ||
	    !g_utf8_validate(pkg.version, -1, NULL) || (version && strcmp(version, pkg.version)) ||
	    (ret->version && vercmp_dpkg(pkg.version, ret->version) <= 0))
		return false;
	if (!pkg.depends)
		pkg.depends = g_strdup("");
	pkg.size = size ? g_ascii_strtoull(size, NULL, 10) : 0;
	deb_package_clear(ret);
	*ret = pkg;
	pkg = (struct deb_package){ 0 };
	return true;
}

bool deb_packages_find(const char *text, size_t len, const char *name, const char *version,
		       struct deb_package *ret)
{
	g_autofree char *line = g_strdup_printf("Package: %s\n", name);
	const char *end = text + len;
	bool changed = false;

	while (text < end) {
		const char *stop = memmem(text, end - text, "\n\n", 2);
		size_t n = (stop ? stop : end) - text;

		/* Most stanzas are another package's: told by a look, without a copy. */
		if (n <= VALUE_MAX && memmem(text, n, line, strlen(line))) {
			g_autofree char *stanza = g_strndup(text, n);

			changed |= take_stanza(stanza, name, version, ret);
		}
		text += n + (stop ? 2 : 0);
	}
	return changed;
}
