/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A YAML text as a small tree in which every node knows where it stands, and a list that collects
 * what is wrong with it, so that the user sees all errors at once.
 *
 *	g_autoptr(doc_errors) errors = doc_errors_new("kernels.yaml");
 *	g_autoptr(doc_node) root = doc_parse(text, len, errors);
 *	if (root && doc_want(root, DOC_MAP, "the file", errors))
 *		... doc_check_keys(), doc_get(), doc_error() ...
 *	return doc_errors_report(errors, error);
 *
 * Refused: more than 8 MiB, 32 levels, 524288 nodes or 16384 keys in a map, aliases, anchors and
 * tags, duplicate keys, keys that are no scalars, a second document, bytes that are no UTF-8.
 */
#ifndef KLAB_CONF_DOC_H
#define KLAB_CONF_DOC_H

#include "base/lab.h"

#define DOC_BYTES_MAX (8u << 20)
#define DOC_DEPTH_MAX 32
#define DOC_NODES_MAX (1u << 19)
#define DOC_KEYS_MAX 16384 /* of one map */
#define DOC_ERRORS_MAX 100

enum doc_kind { DOC_SCALAR, DOC_LIST, DOC_MAP };

struct doc_node {
	enum doc_kind kind;
	unsigned line, column; /* from 1 */
	char *key;             /* in a map: its key; NULL elsewhere */
	char *text;            /* scalar */
	bool plain;            /* scalar: written without quotes */
	GPtrArray *children;   /* list, map: struct doc_node * in file order */
};
typedef struct doc_node doc_node;
void doc_node_free(struct doc_node *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(doc_node, doc_node_free)

struct doc_errors {
	char *name;
	const char *text; /* that doc_parse() read, borrowed, or NULL: then no line is shown */
	size_t text_len;
	GPtrArray *all;    /* of what was found */
	GHashTable *known; /* the same as a set: what stands once may be read many times */
	unsigned dropped;  /* beyond DOC_ERRORS_MAX */
};
typedef struct doc_errors doc_errors;
struct doc_errors *doc_errors_new(const char *name);
void doc_errors_free(struct doc_errors *errors);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(doc_errors, doc_errors_free)
/* True if there are none; else false, and *error holds them all (LAB_ERROR_USAGE) in file order:
 * "name:line:col: sentence", the source line and a caret below its column. What doc_parse() read
 * must still be there. */
bool doc_errors_report(struct doc_errors *errors, GError **error);
/* Are there so many that the next one will only be counted? Then "did you mean" can be saved. */
bool doc_errors_full(const struct doc_errors *errors);

/* NULL with an error noted if the text is no such document. An empty text is an empty map. */
struct doc_node *doc_parse(const char *text, size_t len, struct doc_errors *errors);

/* Note an error at `node`. Returns false. */
bool doc_error(const struct doc_node *node, struct doc_errors *errors, const char *fmt, ...)
	G_GNUC_PRINTF(3, 4);
/* Is `node` of that kind? If not, an error that calls it `what`. */
bool doc_want(const struct doc_node *node, enum doc_kind kind, const char *what,
	      struct doc_errors *errors);
/* Keys of `map` that are not in `known` (NULL-terminated) are errors, with "did you mean". */
void doc_check_keys(const struct doc_node *map, const char *const *known,
		    struct doc_errors *errors);
/* The member, or NULL. */
const struct doc_node *doc_get(const struct doc_node *map, const char *key);
/* The member's text, borrowed, or NULL if it is absent or empty of text (then with an error). */
const char *doc_get_text(const struct doc_node *map, const char *key, struct doc_errors *errors);
/* As above, and absence is an error. */
const char *doc_need_text(const struct doc_node *map, const char *key, struct doc_errors *errors);
/* A scalar, or a list of scalars, as a NULL-terminated array (empty if absent); free: g_strfreev.
 */
char **doc_get_texts(const struct doc_node *map, const char *key, struct doc_errors *errors);
/* yes|true|no|false, unquoted; `fallback` if absent or wrong. */
bool doc_get_bool(const struct doc_node *map, const char *key, bool fallback,
		  struct doc_errors *errors);

#endif
