/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of kernels.yaml in one table: what may stand where, with which source, and what it
 * means. Validation, "did you mean", `klab schema` and the table in docs/kernels.md are made from
 * it.
 */
#ifndef KLAB_CONF_MATRIX_KEYS_H
#define KLAB_CONF_MATRIX_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum matrix_source {
	MATRIX_APT,
	MATRIX_DEB,
	MATRIX_RPM,
	MATRIX_GIT,
	MATRIX_DIR,
	MATRIX_FILE,
	MATRIX_SOURCES
};

enum matrix_type {
	MATRIX_WORD,   /* letters, digits and `more`, a letter or digit first */
	MATRIX_WORDS,  /* one or a list of them */
	MATRIX_JOINED, /* the same, kept as one text with commas */
	MATRIX_TEXT,   /* anything printable that looks like no option */
	MATRIX_PATH,
	MATRIX_PATHS, /* one or a list of them */
	MATRIX_URL,   /* http, https, or a path */
	MATRIX_SHA256,
	MATRIX_BOOL,    /* yes, no */
	MATRIX_ENUM,    /* one of `values` */
	MATRIX_MEMBERS, /* of a family: a list, a map of names, or a range */
};

/* Where in the file. */
enum {
	MATRIX_AT_DEFAULTS = 1,
	MATRIX_AT_FAMILY = 2,
	MATRIX_AT_MEMBER = 4, /* a member of a family that is a map */
	MATRIX_AT_KERNEL = 8,
};

/* Keys of one group exclude each other, and one of them hides all of the group in outer places. */
enum matrix_group { MATRIX_NO_GROUP, MATRIX_GROUP_SUITE, MATRIX_GROUP_PLACE, MATRIX_GROUP_TRUST };

struct matrix_key {
	const char *name;
	enum matrix_type type;
	enum matrix_group group;
	unsigned at;        /* MATRIX_AT_x */
	unsigned sources;   /* 1 << MATRIX_APT ...: those that know it */
	unsigned needed;    /* those that need it, or another one of its group */
	unsigned repo_only; /* sources with which it speaks of a repository, not of a `url` */
	bool inverted;      /* MATRIX_BOOL: "no" sets the field */
	const char *more;   /* MATRIX_WORD, MATRIX_WORDS */
	const char *const *values; /* MATRIX_ENUM; NULL: names of vendors */
	bool no_field;             /* speaks to a family alone */
	size_t offset;             /* in struct kernel_spec: char *, char ** or bool */
	const char *doc;           /* one sentence in Markdown, without its full stop */
};

/* In the order in which they are told. */
extern const struct matrix_key matrix_keys[];
extern const unsigned matrix_n_keys;
extern const char *const matrix_source_names[]; /* by enum matrix_source, NULL-terminated */
extern const char *const matrix_top_keys[];     /* NULL-terminated */
#define MATRIX_KEYS_MAX 32

/* Its index, or -1. */
int matrix_key_find(const char *name);
/* What a MATRIX_ENUM may be, NULL-terminated; NULL for other types. */
const char *const *matrix_key_values(const struct matrix_key *key);
/* Names of the keys that may stand at one of the places `at`: NULL-terminated, g_free. */
const char **matrix_key_names(unsigned at);
/* The source, or MATRIX_SOURCES. */
enum matrix_source matrix_source_find(const char *name);
/* "word", "list of words" ... */
const char *matrix_type_name(enum matrix_type type);
/* Rules for bytes, from here so that the schema can say the same. */
bool matrix_word_is_good(const char *word, const char *more);
#define MATRIX_ID_MORE "._+-"
#define MATRIX_ID_MAX 64
bool matrix_id_is_good(const char *id);

#endif
