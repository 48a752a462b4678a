// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as the indexes of a Debian repository, as a Depends field, and as keys and gpgv's
 * words. */
#include "kernel/deb.h"
#include "kernel/debdepend.h"
#include "kernel/debrepo.h"
#include "kernel/download.h"
#include "kernel/gpg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void release(const char *text, size_t len)
{
	g_auto(deb_release) r = { 0 };
	g_autoptr(GError) error = NULL;

	if (!deb_release_parse(text, len, &r, &error)) {
		if (!error || !*error->message)
			abort();
		return;
	}
	for (unsigned i = 0; i < r.files->len; i++) {
		const struct deb_index *index = g_ptr_array_index(r.files, i);

		if (strlen(index->sha256) != 64 || !download_name_ok(index->path))
			abort();
	}
	deb_release_packages(&r, "main/binary-amd64");
}

static void packages(const char *text, size_t len)
{
	g_auto(deb_package) pkg = { 0 };
	g_autofree char *next = NULL, *version = NULL;

	if (!deb_packages_find(text, len, "p", NULL, &pkg))
		return;
	if (strcmp(pkg.name, "p") || !pkg.version || strlen(pkg.sha256) != 64 ||
	    !download_name_ok(pkg.filename))
		abort();
	deb_next_package(pkg.depends, pkg.name, &next, &version);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autofree char *text = g_strndup((const char *)data, len);
	g_autofree char *next = NULL, *version = NULL, *reason = NULL;
	g_autoptr(GBytes) keys = gpg_dearmor((const char *)data, len);

	release((const char *)data, len);
	packages((const char *)data, len);
	if (deb_next_package(text, "x", &next, &version) && !*next)
		abort();
	if (gpg_status_good(text, &reason) == (reason != NULL))
		abort();
	return 0;
}
