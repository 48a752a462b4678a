// SPDX-License-Identifier: GPL-2.0-or-later
/* probes/hazards.yaml to structs, with every range checked for sense in its vendor's order. */
#include "conf/hazards.h"
#include "conf/doc.h"
#include "conf/suggest.h"

#define PROSE_MAX 1000

static const char *const top_keys[] = { "surveyed", "hazards", NULL };
static const char *const hazard_keys[] = { "id",       "op",       "summary",    "workaround",
					   "exposure", "needs",    "signatures", "introduced",
					   "fixed",    "mainline", "vendor",     "clean",
					   "unknown",  "sources",  "claims",     "untested_if",
					   NULL };
static const char *const needs_keys[] = { "kconfig", NULL };
static const char *const signature_keys[] = { "kind", "frames", NULL };
static const char *const source_keys[] = { "how", "says", NULL };
static const char *const claim_keys[] = { "who", "says", NULL };
static const char *const source_hows[] = { "seen", "derived", "measured", "memory", NULL };
/* The kinds of an affected verdict. */
static const char *const kinds[] = { "deadlock",    "oops",        "panic",      "lockup",
				     "rcu-stall",   "hung-task",   "corruption", "lost-events",
				     "killed-task", "silent-stop", NULL };

static void signature_free(struct hazard_signature *signature)
{
	g_free(signature->kind);
	g_strfreev(signature->frames);
	g_free(signature);
}

static void note_free(struct hazard_note *note)
{
	g_free(note->from);
	g_free(note->says);
	g_free(note);
}

/* The bounds of a range are ours; ktb_range has them const for the tables of the header. */
static void range_clear(struct ktb_range *range)
{
	g_free((char *)range->lo);
	g_free((char *)range->last);
	g_free((char *)range->hi);
}

static void hazard_free(struct hazard *h)
{
	g_free(h->id);
	g_free(h->op);
	g_free(h->summary);
	g_free(h->workaround);
	g_free(h->exposure);
	g_strfreev(h->untested_if);
	g_strfreev(h->kconfig);
	g_strfreev(h->introduced);
	g_strfreev(h->fixed);
	g_ptr_array_unref(h->signatures);
	g_array_unref(h->ranges);
	g_free(h->needs);
	g_free(h->fix);
	g_ptr_array_unref(h->sources);
	g_ptr_array_unref(h->claims);
	g_free(h);
}

void hazard_set_free(struct hazard_set *hazards)
{
	if (!hazards)
		return;
	g_ptr_array_unref(hazards->all);
	g_free(hazards->surveyed);
	g_free(hazards);
}

const struct hazard *hazard_set_find(const struct hazard_set *hazards, const char *id)
{
	for (unsigned i = 0; i < hazards->all->len; i++) {
		const struct hazard *h = g_ptr_array_index(hazards->all, i);

		if (!strcmp(h->id, id))
			return h;
	}
	return NULL;
}

static const struct ktb_vendor *vendor_find(const char *name)
{
	for (size_t i = 0; i < KTB_N_VENDORS; i++)
		if (!strcmp(ktb_vendors[i].name, name))
			return &ktb_vendors[i];
	return NULL;
}

static bool version_is_good(const char *version)
{
	return *version &&
	       strspn(version, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "0123456789.+-~^:_") == strlen(version) &&
	       g_ascii_isdigit(*version) && strchr(version, '.') && strlen(version) < 64;
}

/* Upstream bounds in the full form that releases are compared in: 5.19 is 5.19.0. */
static char *bound_text(const struct ktb_vendor *vendor, const char *text)
{
	char base[48];
	const char *rest;

	if (strcmp(vendor->name, "mainline") || !strcmp(text, "unknown") || ktb_is_eol(text))
		return g_strdup(text);
	rest = ktb_parse_base(base, sizeof(base), text);
	return g_strdup(rest && !*rest ? base : text);
}

static bool check_bound(const struct doc_node *node, const struct ktb_vendor *vendor,
			const char *text, bool is_end, struct doc_errors *errors)
{
	char base[48];
	const char *rest;

	if (!version_is_good(text) || (!is_end && ktb_is_eol(text)))
		return doc_error(node, errors, "'%s': '%s' is no version", node->text, text);
	if (strcmp(vendor->name, "mainline"))
		return true;
	rest = ktb_parse_base(base, sizeof(base), text);
	if (!rest || (*rest && !(is_end && !strcmp(rest, "-eol"))))
		return doc_error(node, errors, "'%s': '%s' is no upstream release", node->text,
				 text);
	return true;
}

/* Do the bounds come in order? */
static bool check_order(const struct doc_node *node, const struct ktb_vendor *vendor,
			const struct ktb_range *r, struct doc_errors *errors)
{
	const char *last = r->last ? r->last : r->lo;

	if (r->last && ktb_compare(vendor->order, r->lo, r->last) > 0)
		return doc_error(node, errors, "'%s': '%s' is newer than '%s'", node->text, r->lo,
				 r->last);
	if (!strcmp(r->hi, "unknown"))
		return true;
	if (ktb_is_eol(r->hi) ? ktb_branch_compare(last, r->hi) > 0
			      : ktb_compare(vendor->order, last, r->hi) >= 0)
		return doc_error(node, errors, "'%s': nothing lies between '%s' and '%s'",
				 node->text, last, r->hi);
	return true;
}

static void range_add(struct hazard *h, const struct ktb_vendor *vendor, enum ktb_kind kind,
		      const char *lo, const char *last, const char *hi)
{
	struct ktb_range r = {
		.vendor = vendor->name,
		.kind = kind,
		.lo = lo ? bound_text(vendor, lo) : NULL,
		.last = last ? bound_text(vendor, last) : NULL,
		.hi = hi ? bound_text(vendor, hi) : NULL,
	};

	r.hi_branch = r.hi ? ktb_point_of(r.hi).branch : 0;
	g_array_append_val(h->ranges, r);
}

static void parse_range(struct hazard *h, const struct doc_node *node,
			const struct ktb_vendor *vendor, enum ktb_kind kind,
			struct doc_errors *errors)
{
	g_auto(GStrv) parts = g_strsplit(node->text, "..", 4);
	unsigned n = g_strv_length(parts);
	const char *hi = n > 1 ? parts[n - 1] : NULL;

	if (n == 1 && kind == KTB_RANGE_CLEAN) {
		if (check_bound(node, vendor, parts[0], false, errors))
			range_add(h, vendor, KTB_BUILD_CLEAN, parts[0], NULL, NULL);
		return;
	}
	if (n < 2 || n > 3 || (n == 3 && kind != KTB_RANGE_AFFECTED)) {
		doc_error(node, errors, "'%s' is no range, LO..HI%s", node->text,
			  kind == KTB_RANGE_AFFECTED ? " or LO..LAST..HI" : "");
		return;
	}
	for (unsigned i = 0; i + 1 < n; i++)
		if (!check_bound(node, vendor, parts[i], false, errors))
			return;
	if (!strcmp(hi, "unknown") && kind == KTB_RANGE_CLEAN) {
		doc_error(node, errors, "'%s': clean builds need an end that is known", node->text);
		return;
	}
	if (strcmp(hi, "unknown") && !check_bound(node, vendor, hi, true, errors))
		return;
	range_add(h, vendor, kind, parts[0], n == 3 ? parts[1] : NULL, hi);
	check_order(node, vendor, &g_array_index(h->ranges, struct ktb_range, h->ranges->len - 1),
		    errors);
}

static void parse_ranges(struct hazard *h, const struct doc_node *node, const char *vendor_name,
			 enum ktb_kind kind, struct doc_errors *errors)
{
	const struct ktb_vendor *vendor = vendor_find(vendor_name);
	const char *names[KTB_N_VENDORS + 1] = { NULL };
	g_autofree char *hint = NULL;

	for (size_t i = 0; i < KTB_N_VENDORS; i++)
		names[i] = ktb_vendors[i].name;
	hint = suggest_phrase(vendor_name, names);
	if (!vendor) {
		doc_error(node, errors, "unknown vendor '%s'%s", vendor_name, hint);
		return;
	}
	if (kind == KTB_RANGE_CLEAN && node->kind == DOC_SCALAR &&
	    !strcmp(node->text, "all-known")) {
		range_add(h, vendor, KTB_ALL_CLEAN, NULL, NULL, NULL);
		return;
	}
	if (!doc_want(node, DOC_LIST, "ranges", errors))
		return;
	for (unsigned i = 0; i < node->children->len; i++) {
		const struct doc_node *item = g_ptr_array_index(node->children, i);

		if (doc_want(item, DOC_SCALAR, "a range", errors))
			parse_range(h, item, vendor, kind, errors);
	}
}

static void parse_vendors(struct hazard *h, const struct doc_node *map, const char *key,
			  enum ktb_kind kind, struct doc_errors *errors)
{
	const struct doc_node *node = doc_get(map, key);
	g_autofree char *what = g_strdup_printf("'%s'", key);

	if (!node || !doc_want(node, DOC_MAP, what, errors))
		return;
	for (unsigned i = 0; i < node->children->len; i++) {
		const struct doc_node *child = g_ptr_array_index(node->children, i);

		parse_ranges(h, child, child->key, kind, errors);
	}
}

/* Two affected ranges of one vendor must not overlap, and exclude "all-known clean". */
static void check_overlaps(const struct hazard *h, const struct doc_node *node,
			   struct doc_errors *errors)
{
	for (unsigned i = 0; i < h->ranges->len; i++) {
		const struct ktb_range *a = &g_array_index(h->ranges, struct ktb_range, i);
		const struct ktb_vendor *vendor = vendor_find(a->vendor);

		if (a->kind != KTB_RANGE_AFFECTED)
			continue;
		for (unsigned j = 0; j < h->ranges->len; j++) {
			const struct ktb_range *b = &g_array_index(h->ranges, struct ktb_range, j);

			if (i == j || strcmp(a->vendor, b->vendor))
				continue;
			if (b->kind == KTB_ALL_CLEAN)
				doc_error(node, errors, "'%s': %s is all-known clean and affected",
					  h->id, a->vendor);
			else if (b->lo && ktb_place_of(vendor->order, b->lo, a) == KTB_INSIDE)
				doc_error(node, errors,
					  "'%s': '%s' of %s lies within another range", h->id,
					  b->lo, a->vendor);
		}
	}
}

static void parse_signatures(struct hazard *h, const struct doc_node *map,
			     struct doc_errors *errors)
{
	const struct doc_node *list = doc_get(map, "signatures");

	if (!list || !doc_want(list, DOC_LIST, "'signatures'", errors))
		return;
	for (unsigned i = 0; i < list->children->len; i++) {
		const struct doc_node *node = g_ptr_array_index(list->children, i);
		struct hazard_signature *signature;
		g_autofree char *hint = NULL;
		const char *kind;

		if (!doc_want(node, DOC_MAP, "a signature", errors))
			continue;
		doc_check_keys(node, signature_keys, errors);
		kind = doc_need_text(node, "kind", errors);
		signature = g_new0(struct hazard_signature, 1);
		signature->kind = g_strdup(kind);
		signature->frames = doc_get_texts(node, "frames", errors);
		g_ptr_array_add(h->signatures, signature);
		if (!kind || g_strv_contains(kinds, kind))
			continue;
		hint = suggest_phrase(kind, kinds);
		doc_error(doc_get(node, "kind"), errors, "unknown kind '%s'%s", kind, hint);
	}
}

static GPtrArray *parse_notes(const struct doc_node *map, const char *key, const char *const *keys,
			      const char *const *allowed, struct doc_errors *errors)
{
	GPtrArray *notes = g_ptr_array_new_with_free_func((GDestroyNotify)note_free);
	const struct doc_node *list = doc_get(map, key);
	g_autofree char *what = g_strdup_printf("'%s'", key);

	if (!list || !doc_want(list, DOC_LIST, what, errors))
		return notes;
	for (unsigned i = 0; i < list->children->len; i++) {
		const struct doc_node *node = g_ptr_array_index(list->children, i);
		struct hazard_note *note;
		const char *from;

		if (!doc_want(node, DOC_MAP, "an item", errors))
			continue;
		doc_check_keys(node, keys, errors);
		from = doc_need_text(node, keys[0], errors);
		note = g_new0(struct hazard_note, 1);
		note->from = g_strdup(from);
		note->says = g_strdup(doc_need_text(node, "says", errors));
		g_ptr_array_add(notes, note);
		if (from && allowed && !g_strv_contains(allowed, from))
			doc_error(doc_get(node, keys[0]), errors,
				  "'%s' must be seen, derived, measured or memory, not '%s'",
				  keys[0], from);
	}
	return notes;
}

/* Commit ids: 12 to 40 hex digits. */
static char **parse_commits(const struct doc_node *map, const char *key, struct doc_errors *errors)
{
	char **commits = doc_get_texts(map, key, errors);

	for (char **commit = commits; *commit; commit++) {
		size_t n = strlen(*commit);

		if (n < 12 || n > 40 || strspn(*commit, "0123456789abcdef") != n)
			doc_error(doc_get(map, key), errors,
				  "'%s' is no commit id of 12 to 40 hex digits", *commit);
	}
	return commits;
}

static char **parse_kconfig(const struct doc_node *map, struct doc_errors *errors)
{
	const struct doc_node *needs = doc_get(map, "needs");
	char **list;

	if (!needs || !doc_want(needs, DOC_MAP, "'needs'", errors))
		return g_new0(char *, 1);
	doc_check_keys(needs, needs_keys, errors);
	list = doc_get_texts(needs, "kconfig", errors);
	for (char **option = list; *option; option++)
		if (!g_str_has_prefix(*option, "CONFIG_") || !strchr(*option, '='))
			doc_error(doc_get(needs, "kconfig"), errors,
				  "'%s' must read CONFIG_NAME=value", *option);
	return list;
}

/* A name of ours: becomes part of C identifiers in the header. */
static char *parse_name(const struct doc_node *map, const char *key, struct doc_errors *errors)
{
	const char *text = doc_need_text(map, key, errors);

	if (text && (strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(text) ||
		     !g_ascii_islower(*text) || strlen(text) > 64))
		doc_error(doc_get(map, key), errors,
			  "'%s' is no %s: lower-case letters, digits and - only, a letter first",
			  text, key);
	return g_strdup(text);
}

/* Prose that goes into C string literals, which C99 lets be 4095 bytes long. */
static char *parse_prose(const struct doc_node *map, const char *key, struct doc_errors *errors)
{
	const char *text = doc_get_text(map, key, errors);

	if (text && strlen(text) > PROSE_MAX)
		doc_error(doc_get(map, key), errors, "'%s' has more than %u bytes", key, PROSE_MAX);
	return g_strdup(text);
}

static struct hazard *parse_hazard(const struct doc_node *node, struct doc_errors *errors)
{
	struct hazard *h = g_new0(struct hazard, 1);
	const struct doc_node *mainline = doc_get(node, "mainline");

	doc_check_keys(node, hazard_keys, errors);
	h->line = node->line;
	h->id = parse_name(node, "id", errors);
	h->op = parse_name(node, "op", errors);
	doc_need_text(node, "summary", errors);
	h->summary = parse_prose(node, "summary", errors);
	h->workaround = parse_prose(node, "workaround", errors);
	if (!g_strcmp0(h->workaround, "none"))
		g_clear_pointer(&h->workaround, g_free);
	h->exposure = g_strdup(doc_get_text(node, "exposure", errors));
	h->untested_if = doc_get_texts(node, "untested_if", errors);
	h->kconfig = parse_kconfig(node, errors);
	h->introduced = parse_commits(node, "introduced", errors);
	h->fixed = parse_commits(node, "fixed", errors);
	h->signatures = g_ptr_array_new_with_free_func((GDestroyNotify)signature_free);
	h->needs = *h->kconfig ? g_strjoinv(", ", h->kconfig) : NULL;
	h->fix = *h->fixed ? g_strjoinv(", ", h->fixed) : NULL;
	h->ranges = g_array_new(FALSE, TRUE, sizeof(struct ktb_range));
	g_array_set_clear_func(h->ranges, (GDestroyNotify)range_clear);
	h->sources = parse_notes(node, "sources", source_keys, source_hows, errors);
	h->claims = parse_notes(node, "claims", claim_keys, NULL, errors);
	parse_signatures(h, node, errors);
	if (mainline)
		parse_ranges(h, mainline, "mainline", KTB_RANGE_AFFECTED, errors);
	parse_vendors(h, node, "vendor", KTB_RANGE_AFFECTED, errors);
	parse_vendors(h, node, "unknown", KTB_RANGE_UNKNOWN, errors);
	parse_vendors(h, node, "clean", KTB_RANGE_CLEAN, errors);
	check_overlaps(h, node, errors);
	if (!h->ranges->len)
		doc_error(node, errors, "a hazard needs 'mainline' or 'vendor' ranges");
	if (!h->sources->len)
		doc_error(node, errors, "a hazard needs 'sources': who says so");
	return h;
}

static void parse_all(struct hazard_set *hazards, const struct doc_node *root,
		      struct doc_errors *errors)
{
	const struct doc_node *list = doc_get(root, "hazards");

	doc_check_keys(root, top_keys, errors);
	hazards->surveyed = g_strdup(doc_need_text(root, "surveyed", errors));
	if (!list) {
		doc_error(root, errors, "'hazards' is missing");
		return;
	}
	if (!doc_want(list, DOC_LIST, "'hazards'", errors))
		return;
	for (unsigned i = 0; i < list->children->len; i++) {
		const struct doc_node *node = g_ptr_array_index(list->children, i);
		const struct hazard *twin;
		struct hazard *h;

		if (!doc_want(node, DOC_MAP, "a hazard", errors))
			continue;
		h = parse_hazard(node, errors);
		twin = h->id ? hazard_set_find(hazards, h->id) : NULL;
		if (twin)
			doc_error(node, errors, "id '%s' is taken: line %u", h->id, twin->line);
		if (twin || !h->id)
			hazard_free(h);
		else
			g_ptr_array_add(hazards->all, h);
	}
}

bool hazard_set_parse(const char *name, const char *text, size_t len, struct hazard_set **ret,
		      GError **error)
{
	g_autoptr(doc_errors) errors = doc_errors_new(name);
	g_autoptr(doc_node) root = doc_parse(text, len, errors);
	g_autoptr(hazard_set) all = g_new0(struct hazard_set, 1);

	all->all = g_ptr_array_new_with_free_func((GDestroyNotify)hazard_free);
	if (root && doc_want(root, DOC_MAP, "the file", errors))
		parse_all(all, root, errors);
	if (!doc_errors_report(errors, error))
		return false;
	*ret = g_steal_pointer(&all);
	return true;
}
