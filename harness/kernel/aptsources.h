/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apt's source lists, read well enough to find the mirrors of this host: one-line *.list and deb822
 * *.sources. Pure: bytes in, entries out; lines that make no sense are passed over, as apt reports
 * them better than we could.
 */
#ifndef KLAB_KERNEL_APTSOURCES_H
#define KLAB_KERNEL_APTSOURCES_H

#include "base/lab.h"

struct apt_source {
	char *uri;		/* "http://...", "mirror+file:...", "file:..." */
	char *suite;		/* "bookworm", "bookworm-security", "bullseye/updates" */
	char *components;	/* blank-separated, "" for a flat repository */
	char *signed_by;	/* a keyring's path, fingerprints or an inline key (with its line
				 * breaks as in deb822), or NULL: apt's trusted keyrings */
	bool trusted;		/* [trusted=yes]: the user waived the signature */
};
void apt_source_free(struct apt_source *source);

/* Append the enabled binary entries of `text` to `sources` (of struct apt_source *), one for each
 * pair of URI and suite. `name` ends in ".sources" for deb822. */
void apt_sources_parse(GPtrArray *sources, const char *name, const char *text);

/*
 * The entry to reach `suite` by: the system's own if it lists the suite, else its entry for the
 * distribution's (security) archive with the suite exchanged. *ret is a new entry; false: the
 * sources know no archive that could have it.
 */
bool apt_sources_find(const GPtrArray *sources, const char *suite, struct apt_source **ret);

/* `source` as a deb822 stanza that asks for package lists of amd64 only. */
char *apt_source_format(const struct apt_source *source, bool check_valid_until);

#endif
