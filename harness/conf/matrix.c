// SPDX-License-Identifier: GPL-2.0-or-later
/* kernels.yaml to kernel specs: single kernels, families spelled out, the default set. */
#include "conf/matrix.h"
#include "conf/doc.h"
#include "conf/hosts.h"
#include "conf/matrix_family.h"
#include "conf/matrix_keys.h"
#include "conf/matrix_read.h"
#include "conf/suggest.h"

void kernel_spec_free(struct kernel_spec *spec)
{
	if (!spec)
		return;
	g_free(spec->id);
	g_free(spec->source);
	g_free(spec->suite);
	g_free(spec->package);
	g_free(spec->version);
	g_free(spec->path);
	g_free(spec->url);
	g_free(spec->repo);
	g_free(spec->component);
	g_free(spec->keyring);
	g_free(spec->sha256);
	g_free(spec->remote);
	g_free(spec->ref);
	g_free(spec->config);
	g_strfreev(spec->patches);
	g_free(spec->compiler);
	g_free(spec->family);
	g_strfreev(spec->aliases);
	g_free(spec->vendor);
	g_free(spec);
}

void matrix_free(struct matrix *m)
{
	if (!m)
		return;
	g_hash_table_unref(m->by_id);
	g_ptr_array_unref(m->kernels);
	g_ptr_array_unref(m->families);
	g_ptr_array_unref(m->hosts);
	g_free(m);
}

static void family_free(gpointer data)
{
	struct matrix_family *family = data;

	g_free(family->id);
	g_free(family->ids);
	g_free(family->package);
	g_free(family);
}

static struct matrix *matrix_new(void)
{
	struct matrix *m = g_new0(struct matrix, 1);

	m->kernels = g_ptr_array_new_with_free_func((GDestroyNotify)kernel_spec_free);
	m->by_id = g_hash_table_new(g_str_hash, g_str_equal);
	m->families = g_ptr_array_new_with_free_func(family_free);
	m->hosts = g_ptr_array_new_with_free_func((GDestroyNotify)host_spec_free);
	return m;
}

struct kernel_spec *matrix_find(const struct matrix *m, const char *id)
{
	return g_hash_table_lookup(m->by_id, id);
}

struct parser {
	struct matrix *m;
	struct matrix_level defaults; /* without a node: there are none */
	GHashTable *families;         /* ids that were taken */
	struct doc_errors *errors;
};

/* Defaults that name a source are for kernels of that source. */
static bool defaults_apply(const struct parser *p, const struct matrix_level *inner)
{
	enum matrix_source own = matrix_level_source(inner);

	return p->defaults.node &&
	       (!matrix_level_get(&p->defaults, "source") || !matrix_level_get(inner, "source") ||
		own == matrix_level_source(&p->defaults));
}

static void add_spec(struct parser *p, struct kernel_spec *spec, const struct doc_node *at)
{
	const struct kernel_spec *twin = spec->id ? matrix_find(p->m, spec->id) : NULL;

	/* What an earlier file has comes first: a later one was written without knowing of it. */
	if (twin && twin->file == p->m->n_files)
		doc_error(at, p->errors, "id '%s' is taken: line %u", spec->id, twin->line);
	if (!spec->id || twin) {
		kernel_spec_free(spec);
		return;
	}
	spec->file = p->m->n_files;
	g_ptr_array_add(p->m->kernels, spec);
	g_hash_table_insert(p->m->by_id, spec->id, spec);
}

static void parse_kernel(struct parser *p, const struct doc_node *node)
{
	struct matrix_level level;
	struct matrix_reading r = { .levels = { &level, &p->defaults }, .errors = p->errors };

	matrix_level_init(&level, node, MATRIX_AT_KERNEL, p->errors);
	r.n_levels = defaults_apply(p, &level) ? 2 : 1;
	add_spec(p, matrix_read(&r), node);
}

static void parse_member(struct parser *p, const struct matrix_level *family,
			 struct matrix_reading *r, const struct matrix_member *member)
{
	struct matrix_level own;

	r->member = member;
	r->n_levels = 0;
	if (member->is_map) {
		matrix_level_init(&own, member->node, MATRIX_AT_MEMBER, p->errors);
		r->levels[r->n_levels++] = &own;
	}
	r->levels[r->n_levels++] = family;
	if (defaults_apply(p, family))
		r->levels[r->n_levels++] = &p->defaults;
	add_spec(p, matrix_read(r), member->node);
}

static char *family_id(struct parser *p, const struct matrix_level *family)
{
	const char *id = doc_need_text(family->node, "id", p->errors);
	const struct doc_node *at = matrix_level_get(family, "id");

	if (!id)
		return NULL;
	if (!matrix_id_is_good(id))
		doc_error(at, p->errors, "'%s' is no id", id);
	if (!g_hash_table_add(p->families, (char *)id))
		doc_error(at, p->errors, "another family has the id '%s'", id);
	if (matrix_find(p->m, id))
		doc_error(at, p->errors, "a kernel has the id '%s' already", id);
	return g_strdup(id);
}

static char *text_at(const struct parser *p, const struct matrix_level *family, const char *key)
{
	const struct doc_node *node = matrix_level_get(family, key);

	if (!node && defaults_apply(p, family))
		node = matrix_level_get(&p->defaults, key);
	return node && node->kind == DOC_SCALAR ? g_strdup(node->text) : NULL;
}

/* Keep how its members are made, for those that are not written down. */
static void keep_family(struct parser *p, const struct matrix_level *level, const char *id,
			unsigned first)
{
	struct matrix_family *family;

	if (first == p->m->kernels->len || matrix_level_get(level, "refs"))
		return;
	family = g_new0(struct matrix_family, 1);
	family->id = g_strdup(id);
	family->ids = text_at(p, level, "ids");
	if (!family->ids)
		family->ids = g_strdup("{family}-{name}");
	family->package = text_at(p, level, "package");
	family->first = g_ptr_array_index(p->m->kernels, first);
	g_ptr_array_add(p->m->families, family);
}

static void parse_family(struct parser *p, const struct doc_node *node)
{
	unsigned first = p->m->kernels->len;
	struct matrix_level level;
	struct matrix_reading r = { .errors = p->errors };
	g_autoptr(GPtrArray) members = NULL;
	g_autofree char *id = NULL;

	matrix_level_init(&level, node, MATRIX_AT_FAMILY, p->errors);
	id = family_id(p, &level);
	r.family = id ? id : "family";
	r.by_ref = matrix_level_get(&level, "refs") != NULL;
	if (r.by_ref == (matrix_level_get(&level, "versions") != NULL)) {
		doc_error(node, p->errors, "a family has 'versions' or 'refs', one of the two");
		return;
	}
	members = matrix_members(&level, r.by_ref, p->errors);
	for (unsigned i = 0; i < members->len; i++) {
		if (p->m->kernels->len >= MATRIX_KERNELS_MAX) {
			doc_error(node, p->errors, "more than %u kernels", MATRIX_KERNELS_MAX);
			return;
		}
		parse_member(p, &level, &r, members->pdata[i]);
	}
	keep_family(p, &level, r.family, first);
}

static void parse_list(struct parser *p, const struct doc_node *root, const char *key,
		       const char *item, void (*parse)(struct parser *, const struct doc_node *))
{
	const struct doc_node *list = doc_get(root, key);
	g_autofree char *what = g_strdup_printf("'%s'", key);

	/* A further file whose last row was taken out says nothing. */
	if (!list || (p->m->n_files && list->kind == DOC_SCALAR && list->plain && !*list->text) ||
	    !doc_want(list, DOC_LIST, what, p->errors))
		return;
	for (unsigned i = 0; i < list->children->len; i++) {
		const struct doc_node *node = g_ptr_array_index(list->children, i);

		if (doc_want(node, DOC_MAP, item, p->errors))
			parse(p, node);
	}
}

/* What defaults themselves say wrong is told once, though no kernel may be of their source. */
static void parse_defaults(struct parser *p, const struct doc_node *root)
{
	const struct doc_node *node = doc_get(root, "defaults");

	if (node && doc_want(node, DOC_MAP, "'defaults'", p->errors))
		matrix_level_init(&p->defaults, node, MATRIX_AT_DEFAULTS, p->errors);
}

static void parse_kernels(struct matrix *m, const struct doc_node *root, struct doc_errors *errors)
{
	g_autoptr(GHashTable) families = g_hash_table_new(g_str_hash, g_str_equal);
	struct parser p = { .m = m, .families = families, .errors = errors };

	if (!doc_get(root, "kernels") && !doc_get(root, "families") && !doc_get(root, "hosts"))
		doc_error(root, errors, "'kernels' is missing");
	parse_defaults(&p, root);
	parse_list(&p, root, "kernels", "a kernel", parse_kernel);
	parse_list(&p, root, "families", "a family", parse_family);
}

static char *near_id(const struct matrix *m, const char *typed, const struct doc_errors *errors)
{
	g_autofree const char **ids = NULL;

	if (doc_errors_full(errors))
		return g_strdup("");
	ids = g_new0(const char *, m->kernels->len + 1);
	for (unsigned i = 0; i < m->kernels->len; i++)
		ids[i] = ((struct kernel_spec *)m->kernels->pdata[i])->id;
	return suggest_phrase(typed, ids);
}

static void parse_default(struct matrix *m, const struct doc_node *root, struct doc_errors *errors)
{
	const struct doc_node *list = doc_get(root, "default");

	if (!list || !doc_want(list, DOC_LIST, "'default'", errors))
		return;
	for (unsigned i = 0; i < list->children->len; i++) {
		const struct doc_node *node = g_ptr_array_index(list->children, i);
		g_autofree char *hint = NULL;
		struct kernel_spec *spec;

		if (!doc_want(node, DOC_SCALAR, "an item of 'default'", errors))
			continue;
		spec = matrix_find(m, node->text);
		if (!spec) {
			hint = near_id(m, node->text, errors);
			doc_error(node, errors, "no kernel has the id '%s'%s", node->text, hint);
		} else if (spec->in_default) {
			doc_error(node, errors, "'%s' stands here twice", node->text);
		} else {
			spec->in_default = true;
		}
	}
}

bool matrix_add(struct matrix *m, const char *name, const char *text, size_t len, GError **error)
{
	g_autoptr(doc_errors) errors = doc_errors_new(name);
	g_autoptr(doc_node) root = doc_parse(text, len, errors);

	if (root && doc_want(root, DOC_MAP, "the file", errors)) {
		doc_check_keys(root, matrix_top_keys, errors);
		parse_kernels(m, root, errors);
		parse_default(m, root, errors);
		if (doc_get(root, "hosts"))
			hosts_read(doc_get(root, "hosts"), m->hosts, m->hosts->len, errors);
	}
	m->n_files++;
	return doc_errors_report(errors, error);
}

bool matrix_parse(const char *name, const char *text, size_t len, struct matrix **ret,
		  GError **error)
{
	g_autoptr(matrix) m = matrix_new();

	if (!matrix_add(m, name, text, len, error))
		return false;
	*ret = g_steal_pointer(&m);
	return true;
}
