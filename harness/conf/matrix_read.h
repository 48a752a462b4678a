/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One kernel out of the places that speak of it, inner ones first: its own map (or a member's), its
 * family, the defaults. By the table in matrix_keys.h.
 */
#ifndef KLAB_CONF_MATRIX_READ_H
#define KLAB_CONF_MATRIX_READ_H

#include "conf/doc.h"
#include "conf/matrix.h"
#include "conf/matrix_keys.h"

struct matrix_level {
	const struct doc_node *node; /* a map */
	unsigned at;                 /* MATRIX_AT_x */
	const struct doc_node *keys[MATRIX_KEYS_MAX];
};
/* Sort the members of `node` by key; errors: keys that are not known there, or exclude each other.
 */
void matrix_level_init(struct matrix_level *level, const struct doc_node *node, unsigned at,
		       struct doc_errors *errors);
/* The level's own word on its source: MATRIX_SOURCES if it says none, or nonsense. */
enum matrix_source matrix_level_source(const struct matrix_level *level);
const struct doc_node *matrix_level_get(const struct matrix_level *level, const char *key);

/* One of a family. */
struct matrix_member {
	char *name;                  /* its own part of the id */
	char *value;                 /* version or ref */
	const struct doc_node *node; /* where it stands */
	bool is_map;                 /* `node` has more to say on it */
};

struct matrix_reading {
	const struct matrix_level *levels[3]; /* inner first */
	unsigned n_levels;
	const struct matrix_member *member; /* or NULL: a single kernel */
	const char *family;                 /* id of the member's family */
	bool by_ref;                        /* members are refs */
	struct doc_errors *errors;
};
/* Never NULL, but perhaps without an id; what is wrong is among the errors. */
struct kernel_spec *matrix_read(const struct matrix_reading *r);

#endif
