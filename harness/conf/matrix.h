/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernels.yaml: which kernels there are and where they come from. Validated: all errors at once.
 * docs/kernels.md is its manual, conf/matrix_keys.h the table of its keys.
 *
 *	defaults: {source: apt, package: linux-image-cloud-amd64}	# for that source
 *	kernels:
 *	  - id: debian-bookworm
 *	    suites: [bookworm, bookworm-security]	# or `suite:`; the newest version wins
 *	    aliases: [debian-12]
 *	  - {id: mine, source: file, path: /boot/vmlinuz}
 *	families:						# one entry, many kernels
 *	  - id: mainline
 *	    source: git
 *	    remote: https://example.org/linux.git
 *	    refs: {from: v5.2, to: v6.3}			# mainline-5.2 ... mainline-6.3
 *	default: [debian-bookworm, mine]
 *	hosts: [...]						# conf/hosts.h
 */
#ifndef KLAB_CONF_MATRIX_H
#define KLAB_CONF_MATRIX_H

#include "base/lab.h"

struct kernel_spec {
	char *id;
	char *source;            /* "apt", "deb", "rpm", "git", "dir", "file" */
	char *suite;             /* apt: suites, comma-separated; deb with `repo`: the suite */
	char *package;           /* apt, deb and rpm with `repo`: name; apt follows metapackages */
	char *version;           /* the same: exact package version, or NULL: the newest */
	char *path;              /* file: a bzImage; dir: a build tree, or a folder with an image */
	char *url;               /* deb, rpm: of the package, or its path; NULL with `repo` */
	char *repo;              /* deb, rpm: base URL of a repository whose index leads to it */
	char *component;         /* deb with `repo`: "main", ... */
	char *keyring;           /* deb, rpm: file of OpenPGP keys that the repository signs with */
	char *sha256;            /* deb, rpm: of the package, 64 hex digits, or NULL */
	bool verify_none;        /* deb, rpm: `verify: none` is written: neither key nor sha256 */
	char *remote;            /* git: URL or path of a repository or tree */
	char *ref;               /* git: tag, branch or commit */
	char *config;            /* git: fragment: a file, or NULL: guests/config's */
	char **patches;          /* git: .patch, .diff and semantic .cocci, in order; or NULL */
	bool anonymous;          /* git: its version does not say which commit it is of; commits that
				  * make the same kernel make the same image */
	char *compiler;          /* git: e.g. "gcc-10", or NULL: by the kernel's version */
	char *family;            /* id of the family that it was expanded from, or NULL */
	char **aliases;          /* other names for it, or NULL */
	char *vendor;            /* "debian", "ubuntu", "rhel", ... or NULL: mainline */
	bool ignore_valid_until; /* apt: accept an expired Release (signature still checked) */
	bool in_default;         /* member of the `default:` set */
	unsigned line, column;   /* where it stands in its file; 0: from the command line */
	unsigned file;           /* which file that was: 0 is matrix_parse()'s */
};
void kernel_spec_free(struct kernel_spec *spec);

/* A family whose members are versions, as far as it tells what else would be one. */
struct matrix_family {
	char *id;
	char *ids;     /* how ids are made: "{family}-{name}" */
	char *package; /* as it stands there: "linux-image-{version}-generic"; NULL: none */
	const struct kernel_spec *first; /* member whose other keys a further one would have */
};

struct matrix {
	GPtrArray *kernels;  /* of struct kernel_spec *: single ones, then families, in file order */
	GHashTable *by_id;   /* the same */
	GPtrArray *families; /* of struct matrix_family *, in file order */
	GPtrArray *hosts;    /* of struct host_spec *, in file order */
	unsigned n_files;
};
typedef struct matrix matrix;
void matrix_free(struct matrix *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(matrix, matrix_free)

/* Parse `text`; `name` is what errors call it. On failure the message holds every error,
 * "name:line:col: sentence" with the line that it speaks of, LAB_ERROR_USAGE. */
bool matrix_parse(const char *name, const char *text, size_t len, struct matrix **ret,
		  GError **error);
/*
 * Add what a further file says. Its `defaults` are its own; a kernel whose id an earlier file has is
 * left out. Errors as above; then `m` is of no use any more.
 */
bool matrix_add(struct matrix *m, const char *name, const char *text, size_t len, GError **error);
/* The kernel of that id, or NULL. */
struct kernel_spec *matrix_find(const struct matrix *m, const char *id);
/*
 * The specs that the user named; none: the default set. Each pattern is, the first that fits:
 *  - "file:PATH", "dir:PATH", "deb:PATH", "rpm:PATH", each with ",id=NAME" if wanted;
 *  - a glob over ids;
 *  - the id of a family, or a glob over what the entries themselves call their kernels: aliases
 *    (in any case, with blanks for '-': "Debian 12"), versions, refs ("v6.2"), releases
 *    ("5.4.0-150-generic", also with ".x86_64");
 *  - a path, told by its '/': a folder is a `dir`, *.deb and *.rpm are what they say, else `file`.
 * A pattern without a match is LAB_ERROR_USAGE with "did you mean". The array holds struct
 * kernel_spec *, borrowed from `m` or added to it; no kernel twice.
 */
bool matrix_select(struct matrix *m, const char *const *patterns, GPtrArray **ret, GError **error);

/* What the family would call the package of an index, by which its `ids` are made; NULL: it would
 * be no member. The caller frees. */
char *matrix_family_name(const struct matrix_family *family, const char *package,
			 const char *version);
/* The id of a member of that name; NULL: it would not be a good one. The caller frees. */
char *matrix_family_id(const struct matrix_family *family, const char *name);
/* Do packages of all its members have one name, so that only their versions differ? */
bool matrix_family_by_version(const struct matrix_family *family);
/* How many characters of a package's name the family gives: of two that match, the closer one has
 * more. */
size_t matrix_family_closeness(const struct matrix_family *family);
/* An item of `kernels:` that reads as `spec`, one line with its newline. Sources apt, deb and rpm;
 * the caller frees. */
char *matrix_item(const struct kernel_spec *spec);

#endif
