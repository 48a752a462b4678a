// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * YAML to tree, from libyaml's events. libyaml by itself accepts duplicate keys and unbounded
 * aliases; both are refused here.
 */
#include "conf/doc.h"
#include "conf/suggest.h"

#include <yaml.h>

#define EXCERPT 90 /* characters of a source line that an error shows */

void doc_node_free(struct doc_node *node)
{
	if (!node)
		return;
	g_free(node->key);
	g_free(node->text);
	g_clear_pointer(&node->children, g_ptr_array_unref);
	g_free(node);
}

struct doc_fault {
	unsigned line, column; /* from 1 */
	char *sentence;
};

static void fault_free(gpointer data)
{
	struct doc_fault *fault = data;

	g_free(fault->sentence);
	g_free(fault);
}

static guint fault_hash(gconstpointer data)
{
	const struct doc_fault *fault = data;

	return g_str_hash(fault->sentence) ^ (fault->line * 31 + fault->column);
}

static gboolean fault_equal(gconstpointer a, gconstpointer b)
{
	const struct doc_fault *fa = a, *fb = b;

	return fa->line == fb->line && fa->column == fb->column &&
	       !strcmp(fa->sentence, fb->sentence);
}

struct doc_errors *doc_errors_new(const char *name)
{
	struct doc_errors *errors = g_new0(struct doc_errors, 1);

	errors->name = g_strdup(name);
	errors->all = g_ptr_array_new_with_free_func(fault_free);
	errors->known = g_hash_table_new(fault_hash, fault_equal);
	return errors;
}

void doc_errors_free(struct doc_errors *errors)
{
	if (!errors)
		return;
	g_free(errors->name);
	g_hash_table_unref(errors->known);
	g_ptr_array_unref(errors->all);
	g_free(errors);
}

bool doc_errors_full(const struct doc_errors *errors)
{
	return errors->all->len >= DOC_ERRORS_MAX;
}

static bool errors_add(struct doc_errors *errors, unsigned line, unsigned column, char *sentence)
{
	struct doc_fault *fault = g_new0(struct doc_fault, 1);

	*fault = (struct doc_fault){ line, column, sentence };
	/* What stands once in the file, as a default, may be read many times. */
	if (g_hash_table_contains(errors->known, fault)) {
		fault_free(fault);
	} else if (doc_errors_full(errors)) {
		errors->dropped++;
		fault_free(fault);
	} else {
		g_ptr_array_add(errors->all, fault);
		g_hash_table_add(errors->known, fault);
	}
	return false;
}

static int fault_compare(gconstpointer a, gconstpointer b)
{
	const struct doc_fault *fa = *(struct doc_fault *const *)a;
	const struct doc_fault *fb = *(struct doc_fault *const *)b;

	if (fa->line != fb->line)
		return fa->line < fb->line ? -1 : 1;
	return fa->column < fb->column ? -1 : fa->column > fb->column;
}

/* Bytes of the line break at `at`, as YAML has them (CR LF, LF, CR, NEL, LS, PS); 0: none. */
static unsigned break_length(const char *at, const char *end)
{
	if (*at == '\r')
		return at + 1 < end && at[1] == '\n' ? 2 : 1;
	if (*at == '\n')
		return 1;
	if (end - at >= 2 && !memcmp(at, "\xc2\x85", 2))
		return 2;
	return end - at >= 3 && (!memcmp(at, "\xe2\x80\xa8", 3) || !memcmp(at, "\xe2\x80\xa9", 3))
		       ? 3
		       : 0;
}

/* Where line `line` begins, from a place at or before it whose line is *at_line. */
static const char *seek_line(const char *at, const char *end, unsigned *at_line, unsigned line)
{
	while (at < end && *at_line < line) {
		unsigned length = break_length(at, end);

		*at_line += length > 0;
		at += MAX(length, 1);
	}
	return at;
}

/* As a terminal may see it: whatever would move the cursor or has no width is one '?'. */
static void append_char(GString *out, gunichar c)
{
	if (c == '\t')
		c = ' ';
	g_string_append_unichar(out, g_unichar_isprint(c) && !g_unichar_iszerowidth(c) ? c : '?');
}

/* The line from `at` on, and a caret; of long lines the part around the column. */
static void append_source(GString *out, const char *at, const char *end, const struct doc_fault *f)
{
	unsigned column = 1, from = f->column > EXCERPT / 2 ? f->column - EXCERPT / 2 : 1, pad = 0;

	g_string_append_printf(out, "\n%5u | %s", f->line, from > 1 ? "..." : "");
	for (; at < end && !break_length(at, end) && column < from + EXCERPT; column++) {
		gunichar c = g_utf8_get_char_validated(at, end - at);
		bool whole = c < (gunichar)-2;

		if (column >= from)
			append_char(out, whole ? c : '?');
		if (column >= from && column < f->column)
			pad += whole && g_unichar_iswide(c) ? 2 : 1;
		at = whole ? g_utf8_next_char(at) : at + 1;
	}
	g_string_append_printf(out, "%s\n      | %*s^",
			       at < end && !break_length(at, end) ? "..." : "",
			       (int)(pad + (from > 1 ? 3 : 0)), "");
}

bool doc_errors_report(struct doc_errors *errors, GError **error)
{
	g_autoptr(GString) all = g_string_new(NULL);
	const char *at = errors->text, *end = at ? at + errors->text_len : NULL;
	unsigned line = 1;

	if (!errors->all->len)
		return true;
	g_ptr_array_sort(errors->all, fault_compare);
	for (unsigned i = 0; i < errors->all->len; i++) {
		const struct doc_fault *f = g_ptr_array_index(errors->all, i);

		g_string_append_printf(all, "%s%s:%u:%u: %s", i ? "\n" : "", errors->name, f->line,
				       f->column, f->sentence);
		if (at)
			at = seek_line(at, end, &line, f->line);
		if (at < end)
			append_source(all, at, end, f);
	}
	if (errors->dropped)
		g_string_append_printf(all, "\n%s: %u more errors", errors->name, errors->dropped);
	return lab_fail(error, LAB_ERROR_USAGE, "%s", all->str);
}

bool doc_error(const struct doc_node *node, struct doc_errors *errors, const char *fmt, ...)
{
	va_list ap;
	char *sentence;

	va_start(ap, fmt);
	sentence = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	return errors_add(errors, node->line, node->column, sentence);
}

struct loader {
	yaml_parser_t parser;
	struct doc_errors *errors;
	unsigned nodes;
};

static bool loader_fail(struct loader *l, const yaml_mark_t *at, const char *sentence)
{
	return errors_add(l->errors, at->line + 1, at->column + 1, g_strdup(sentence));
}

static bool loader_next(struct loader *l, yaml_event_t *ret)
{
	const char *problem;

	if (yaml_parser_parse(&l->parser, ret))
		return true;
	problem = l->parser.problem ? l->parser.problem : "this is no YAML";
	return loader_fail(l, &l->parser.problem_mark, problem);
}

static struct doc_node *node_new(struct loader *l, enum doc_kind kind, const yaml_mark_t *at)
{
	struct doc_node *node;

	if (++l->nodes > DOC_NODES_MAX) {
		loader_fail(l, at, "the document has too many nodes");
		return NULL;
	}
	node = g_new0(struct doc_node, 1);
	node->kind = kind;
	node->line = at->line + 1;
	node->column = at->column + 1;
	if (kind != DOC_SCALAR)
		node->children = g_ptr_array_new_with_free_func((GDestroyNotify)doc_node_free);
	return node;
}

static struct doc_node *load_node(struct loader *l, const yaml_event_t *event, unsigned depth);

/* A key: a scalar that the map has not had; `had` is the set of those that it has had. */
static char *load_key(struct loader *l, GHashTable *had, const yaml_event_t *event)
{
	const char *key = (const char *)event->data.scalar.value;

	if (event->type != YAML_SCALAR_EVENT) {
		loader_fail(l, &event->start_mark, "a key must be a plain word");
		return NULL;
	}
	if (strlen(key) != event->data.scalar.length || !*key) {
		loader_fail(l, &event->start_mark, "a key must not be empty or hold a NUL");
		return NULL;
	}
	if (g_hash_table_size(had) >= DOC_KEYS_MAX) {
		loader_fail(l, &event->start_mark, "the map has too many keys");
		return NULL;
	}
	if (g_hash_table_contains(had, key)) {
		errors_add(l->errors, event->start_mark.line + 1, event->start_mark.column + 1,
			   g_strdup_printf("key '%s' stands here twice", key));
		return NULL;
	}
	return g_strdup(key);
}

/* Members of a list or map, up to the event that ends it. */
static bool load_children(struct loader *l, struct doc_node *node, unsigned depth)
{
	g_autoptr(GHashTable) had =
		node->kind == DOC_MAP ? g_hash_table_new(g_str_hash, g_str_equal) : NULL;
	yaml_event_type_t end = had ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;

	for (;;) {
		g_autofree char *key = NULL;
		struct doc_node *child;
		yaml_event_t event;
		bool done;

		if (!loader_next(l, &event))
			return false;
		done = event.type == end;
		if (!done && had) {
			key = load_key(l, had, &event);
			yaml_event_delete(&event);
			if (!key || !loader_next(l, &event))
				return false;
		}
		child = done ? NULL : load_node(l, &event, depth);
		yaml_event_delete(&event);
		if (done)
			return true;
		if (!child)
			return false;
		child->key = g_steal_pointer(&key);
		if (had)
			g_hash_table_add(had, child->key);
		g_ptr_array_add(node->children, child);
	}
}

static struct doc_node *load_scalar(struct loader *l, const yaml_event_t *event)
{
	struct doc_node *node;

	if (memchr(event->data.scalar.value, 0, event->data.scalar.length)) {
		loader_fail(l, &event->start_mark, "a value must not hold a NUL");
		return NULL;
	}
	node = node_new(l, DOC_SCALAR, &event->start_mark);
	if (!node)
		return NULL;
	node->text = g_strndup((const char *)event->data.scalar.value, event->data.scalar.length);
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return node;
}

static bool event_is_decorated(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return true;
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor || event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor || event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor || event->data.mapping_start.tag;
	default:
		return false;
	}
}

static struct doc_node *load_node(struct loader *l, const yaml_event_t *event, unsigned depth)
{
	g_autoptr(doc_node) node = NULL;

	if (event_is_decorated(event)) {
		loader_fail(l, &event->start_mark, "aliases, anchors and tags are not taken here");
		return NULL;
	}
	if (event->type == YAML_SCALAR_EVENT)
		return load_scalar(l, event);
	if (depth >= DOC_DEPTH_MAX) {
		loader_fail(l, &event->start_mark, "the document is nested too deep");
		return NULL;
	}
	node = node_new(l, event->type == YAML_MAPPING_START_EVENT ? DOC_MAP : DOC_LIST,
			&event->start_mark);
	if (!node || !load_children(l, node, depth + 1))
		return NULL;
	return g_steal_pointer(&node);
}

/* Step over events of `type` that may come before the one in *ret. */
static bool loader_skip(struct loader *l, yaml_event_type_t type, yaml_event_t *ret)
{
	for (;;) {
		if (!loader_next(l, ret))
			return false;
		if (ret->type != type)
			return true;
		yaml_event_delete(ret);
	}
}

static struct doc_node *load_document(struct loader *l)
{
	g_autoptr(doc_node) root = NULL;
	yaml_event_t event;
	bool more;

	if (!loader_skip(l, YAML_STREAM_START_EVENT, &event))
		return NULL;
	if (event.type == YAML_STREAM_END_EVENT) {
		root = node_new(l, DOC_MAP, &event.start_mark);
		yaml_event_delete(&event);
		return g_steal_pointer(&root);
	}
	yaml_event_delete(&event); /* the document's start */
	if (!loader_next(l, &event))
		return NULL;
	root = load_node(l, &event, 0);
	yaml_event_delete(&event);
	if (!root || !loader_skip(l, YAML_DOCUMENT_END_EVENT, &event))
		return NULL;
	more = event.type != YAML_STREAM_END_EVENT;
	if (more)
		loader_fail(l, &event.start_mark, "a second document begins here");
	yaml_event_delete(&event);
	return more ? NULL : g_steal_pointer(&root);
}

struct doc_node *doc_parse(const char *text, size_t len, struct doc_errors *errors)
{
	struct loader l = { .errors = errors };
	struct doc_node *root;

	if (len > DOC_BYTES_MAX) {
		errors_add(errors, 1, 1,
			   g_strdup_printf("the file has %zu bytes, more than %u", len,
					   DOC_BYTES_MAX));
		return NULL;
	}
	if (!yaml_parser_initialize(&l.parser)) {
		errors_add(errors, 1, 1, g_strdup("no memory for the YAML parser"));
		return NULL;
	}
	errors->text = text;
	errors->text_len = len;
	yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)text, len);
	root = load_document(&l);
	yaml_parser_delete(&l.parser);
	return root;
}

bool doc_want(const struct doc_node *node, enum doc_kind kind, const char *what,
	      struct doc_errors *errors)
{
	static const char *const names[] = { "a single value", "a list", "a map of keys" };

	if (node->kind == kind)
		return true;
	return doc_error(node, errors, "%s must be %s, not %s", what, names[kind],
			 names[node->kind]);
}

void doc_check_keys(const struct doc_node *map, const char *const *known, struct doc_errors *errors)
{
	for (unsigned i = 0; i < map->children->len; i++) {
		const struct doc_node *child = g_ptr_array_index(map->children, i);
		g_autofree char *hint = NULL;

		if (g_strv_contains(known, child->key))
			continue;
		if (!doc_errors_full(errors))
			hint = suggest_phrase(child->key, known);
		doc_error(child, errors, "unknown key '%s'%s", child->key, hint ? hint : "");
	}
}

const struct doc_node *doc_get(const struct doc_node *map, const char *key)
{
	for (unsigned i = 0; i < map->children->len; i++) {
		const struct doc_node *child = g_ptr_array_index(map->children, i);

		if (!strcmp(child->key, key))
			return child;
	}
	return NULL;
}

const char *doc_get_text(const struct doc_node *map, const char *key, struct doc_errors *errors)
{
	const struct doc_node *node = doc_get(map, key);
	g_autofree char *what = g_strdup_printf("'%s'", key);

	if (!node || !doc_want(node, DOC_SCALAR, what, errors))
		return NULL;
	if (!*node->text) {
		doc_error(node, errors, "'%s' is empty", key);
		return NULL;
	}
	return node->text;
}

const char *doc_need_text(const struct doc_node *map, const char *key, struct doc_errors *errors)
{
	if (!doc_get(map, key))
		doc_error(map, errors, "'%s' is missing", key);
	return doc_get_text(map, key, errors);
}

char **doc_get_texts(const struct doc_node *map, const char *key, struct doc_errors *errors)
{
	const struct doc_node *node = doc_get(map, key);
	g_autoptr(GStrvBuilder) list = g_strv_builder_new();
	g_autofree char *what = g_strdup_printf("an item of '%s'", key);

	if (node && node->kind == DOC_LIST) {
		for (unsigned i = 0; i < node->children->len; i++) {
			const struct doc_node *item = g_ptr_array_index(node->children, i);

			if (!doc_want(item, DOC_SCALAR, what, errors))
				continue;
			if (!*item->text)
				doc_error(item, errors, "%s is empty", what);
			else
				g_strv_builder_add(list, item->text);
		}
	} else if (node && doc_get_text(map, key, errors)) {
		g_strv_builder_add(list, node->text);
	}
	return g_strv_builder_end(list);
}

bool doc_get_bool(const struct doc_node *map, const char *key, bool fallback,
		  struct doc_errors *errors)
{
	const struct doc_node *node = doc_get(map, key);
	g_autofree char *what = g_strdup_printf("'%s'", key);

	if (!node || !doc_want(node, DOC_SCALAR, what, errors))
		return fallback;
	if (node->plain && (!strcmp(node->text, "yes") || !strcmp(node->text, "true")))
		return true;
	if (node->plain && (!strcmp(node->text, "no") || !strcmp(node->text, "false")))
		return false;
	doc_error(node, errors, "'%s' must be yes or no, not '%s'", key, node->text);
	return fallback;
}
