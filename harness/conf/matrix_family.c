// SPDX-License-Identifier: GPL-2.0-or-later
/* What `versions:` and `refs:` of a family stand for. See matrix_family.h. */
#include "conf/matrix_family.h"

#include "base/ktb_declared.h"

struct family {
	GPtrArray *members;
	bool by_ref;
	struct doc_errors *errors;
};

static void member_free(gpointer data)
{
	struct matrix_member *member = data;

	g_free(member->name);
	g_free(member->value);
	g_free(member);
}

/* "v6.2" is called 6.2. */
static const char *short_name(const char *value)
{
	return *value == 'v' && g_ascii_isdigit(value[1]) ? value + 1 : value;
}

static void add(struct family *f, const char *name, const char *value, const struct doc_node *node)
{
	struct matrix_member *member = g_new0(struct matrix_member, 1);

	member->name = g_strdup(name ? name : short_name(value));
	member->value = g_strdup(value);
	member->node = node;
	member->is_map = node->kind == DOC_MAP;
	g_ptr_array_add(f->members, member);
}

/* ---- ranges ---- */

static bool is_range(const struct doc_node *node)
{
	return node->kind == DOC_MAP && node->children->len == 2 && doc_get(node, "from") &&
	       doc_get(node, "to");
}

/* The branch "X.Y" of a ref "vX.Y" or "X.Y"; NULL for anything else. */
static const char *branch_of(const char *ref)
{
	const char *branch = short_name(ref), *dot = branch + strspn(branch, "0123456789");

	if (dot == branch || *dot != '.' || !g_ascii_isdigit(dot[1]) || strlen(branch) > 16 ||
	    dot[1 + strspn(dot + 1, "0123456789")])
		return NULL;
	return branch;
}

/* All branches of mainline from `to` back to `from`, in order; mainline's own way of counting. */
static void add_branches(struct family *f, const struct doc_node *node, const char *from,
			 const char *to)
{
	const char *first = branch_of(from), *last = branch_of(to);
	const char *v = *to == 'v' ? "v" : "";
	g_autoptr(GPtrArray) refs = g_ptr_array_new_with_free_func(g_free);
	char at[48];

	if (!first || !last || ktb_branch_compare(first, last) > 0) {
		doc_error(node, f->errors,
			  "'%s' to '%s' is no range of mainline: vX.Y to a later vX.Y", from, to);
		return;
	}
	g_strlcpy(at, last, sizeof(at));
	while (ktb_branch_compare(at, first) >= 0 && refs->len < MATRIX_RANGE_MAX) {
		char *dot;
		guint64 major = g_ascii_strtoull(at, &dot, 10);

		/* As numbers: what comes before 5.10 is written 5.09 there. */
		g_ptr_array_add(refs, g_strdup_printf("%s%" G_GUINT64_FORMAT ".%" G_GUINT64_FORMAT,
						      v, major,
						      g_ascii_strtoull(dot + 1, NULL, 10)));
		if (!ktb_branch_before(at, at, sizeof(at)))
			break;
	}
	if (ktb_branch_compare(short_name(refs->pdata[refs->len - 1]), first)) {
		doc_error(node, f->errors, "'%s' to '%s': mainline has no such row of branches",
			  from, to);
		return;
	}
	for (unsigned i = refs->len; i; i--)
		add(f, NULL, refs->pdata[i - 1], node);
}

/* The number in which two texts differ: *ret_at is where it begins; false if there is not one. */
static bool find_number(const char *from, const char *to, size_t *ret_at, guint64 *ret_lo,
			guint64 *ret_hi, const char **ret_rest)
{
	size_t at = 0;
	char *rest_from, *rest_to;

	while (from[at] && from[at] == to[at])
		at++;
	while (at && g_ascii_isdigit(from[at - 1]))
		at--;
	if (!g_ascii_isdigit(from[at]) || !g_ascii_isdigit(to[at]) || from[at] == '0' ||
	    to[at] == '0')
		return false;
	*ret_lo = g_ascii_strtoull(from + at, &rest_from, 10);
	*ret_hi = g_ascii_strtoull(to + at, &rest_to, 10);
	*ret_at = at;
	*ret_rest = rest_from;
	return *ret_lo < *ret_hi && !strcmp(rest_from, rest_to);
}

static void add_counted(struct family *f, const struct doc_node *node, const char *from,
			const char *to)
{
	const char *rest;
	guint64 lo, hi;
	size_t at;

	if (!find_number(from, to, &at, &lo, &hi, &rest)) {
		doc_error(node, f->errors,
			  "'%s' to '%s' is no range: they differ in one number, which grows", from,
			  to);
		return;
	}
	if (hi - lo >= MATRIX_RANGE_MAX) {
		doc_error(node, f->errors, "'%s' to '%s' are more than %u", from, to,
			  MATRIX_RANGE_MAX);
		return;
	}
	for (guint64 n = lo; n <= hi; n++) {
		g_autofree char *value =
			g_strdup_printf("%.*s%" G_GUINT64_FORMAT "%s", (int)at, from, n, rest);

		add(f, NULL, value, node);
	}
}

static void add_range(struct family *f, const struct doc_node *node)
{
	const char *from = doc_get_text(node, "from", f->errors);
	const char *to = doc_get_text(node, "to", f->errors);
	unsigned first = f->members->len;

	if (!from || !to)
		return;
	(f->by_ref ? add_branches : add_counted)(f, node, from, to);
	/* The map is the range's, and says nothing on its members. */
	for (unsigned i = first; i < f->members->len; i++)
		((struct matrix_member *)f->members->pdata[i])->is_map = false;
}

/* ---- lists and maps ---- */

/* A version or ref, or a map that holds one; `name` is NULL in a list. */
static void add_item(struct family *f, const char *name, const struct doc_node *node)
{
	const char *key = f->by_ref ? "ref" : "version", *value;

	if (node->kind == DOC_LIST) {
		doc_error(node, f->errors, "a member is a %s or a map of keys, not a list", key);
	} else if (node->kind == DOC_MAP) {
		value = doc_need_text(node, key, f->errors);
		if (value)
			add(f, name, value, node);
	} else if (!*node->text) {
		doc_error(node, f->errors, "a member is empty");
	} else {
		add(f, name, node->text, node);
	}
}

GPtrArray *matrix_members(const struct matrix_level *family, bool by_ref, struct doc_errors *errors)
{
	const struct doc_node *node = matrix_level_get(family, by_ref ? "refs" : "versions");
	struct family f = { .members = g_ptr_array_new_with_free_func(member_free),
			    .by_ref = by_ref,
			    .errors = errors };

	if (node->kind == DOC_SCALAR) {
		doc_error(node, errors, "'%s' must be a list, a map of names or {from, to}",
			  by_ref ? "refs" : "versions");
	} else if (is_range(node)) {
		add_range(&f, node);
	} else {
		for (unsigned i = 0; i < node->children->len && f.members->len < MATRIX_KERNELS_MAX;
		     i++) {
			const struct doc_node *item = g_ptr_array_index(node->children, i);

			if (!item->key && is_range(item))
				add_range(&f, item);
			else
				add_item(&f, item->key, item);
		}
	}
	return f.members;
}
