// SPDX-License-Identifier: GPL-2.0-or-later
/* A kernel's keys, collected over its levels and checked by the table. See matrix_read.h. */
#include "conf/matrix_read.h"

#include "conf/suggest.h"

#define NOWHERE UINT_MAX

/* ---- levels ---- */

static const char *place_name(unsigned at)
{
	switch (at) {
	case MATRIX_AT_DEFAULTS:
		return "'defaults'";
	case MATRIX_AT_FAMILY:
		return "a family";
	case MATRIX_AT_MEMBER:
		return "a family's member";
	}
	return "a kernel";
}

static void bad_key(const struct doc_node *child, int key, unsigned at, struct doc_errors *errors)
{
	g_autofree const char **names = matrix_key_names(at);
	g_autofree char *hint = suggest_phrase(child->key, names);

	if (key >= 0)
		doc_error(child, errors, "'%s' has no meaning in %s", child->key, place_name(at));
	else
		doc_error(child, errors, "unknown key '%s'%s", child->key, hint);
}

static void check_groups(const struct matrix_level *level, struct doc_errors *errors)
{
	for (unsigned i = 0; i < matrix_n_keys; i++)
		for (unsigned j = i + 1; level->keys[i] && j < matrix_n_keys; j++)
			if (level->keys[j] && matrix_keys[i].group &&
			    matrix_keys[i].group == matrix_keys[j].group)
				doc_error(level->keys[i], errors,
					  "'%s' and '%s' exclude each other", matrix_keys[i].name,
					  matrix_keys[j].name);
}

void matrix_level_init(struct matrix_level *level, const struct doc_node *node, unsigned at,
		       struct doc_errors *errors)
{
	*level = (struct matrix_level){ .node = node, .at = at };
	for (unsigned i = 0; i < node->children->len; i++) {
		const struct doc_node *child = g_ptr_array_index(node->children, i);
		int key = matrix_key_find(child->key);

		if (key >= 0 && matrix_keys[key].at & at)
			level->keys[key] = child;
		else
			bad_key(child, key, at, errors);
	}
	check_groups(level, errors);
}

const struct doc_node *matrix_level_get(const struct matrix_level *level, const char *key)
{
	return level->keys[matrix_key_find(key)];
}

enum matrix_source matrix_level_source(const struct matrix_level *level)
{
	const struct doc_node *node = matrix_level_get(level, "source");

	return node && node->kind == DOC_SCALAR ? matrix_source_find(node->text) : MATRIX_SOURCES;
}

static bool level_has_group(const struct matrix_level *level, enum matrix_group group)
{
	for (unsigned i = 0; i < matrix_n_keys; i++)
		if (level->keys[i] && matrix_keys[i].group == group)
			return true;
	return false;
}

/* The innermost level that speaks of `key`, or of its group; NOWHERE. */
static unsigned level_of(const struct matrix_reading *r, unsigned key)
{
	enum matrix_group group = matrix_keys[key].group;

	for (unsigned i = 0; i < r->n_levels; i++)
		if (r->levels[i]->keys[key] || (group && level_has_group(r->levels[i], group)))
			return i;
	return NOWHERE;
}

/* ---- templates of families ---- */

struct state {
	const struct matrix_reading *r;
	struct kernel_spec *spec;
	enum matrix_source source;
	unsigned url_level; /* or NOWHERE */
	bool told_version;  /* a template took the member's version in */
};

static const char *placeholder(const struct matrix_reading *r, const char *name, size_t len)
{
	const char *value = r->by_ref ? "ref" : "version";

	if (len == strlen("name") && !strncmp(name, "name", len))
		return r->member->name;
	if (len == strlen("family") && !strncmp(name, "family", len))
		return r->family;
	return len == strlen(value) && !strncmp(name, value, len) ? r->member->value : NULL;
}

/* `text` with what the member says in place of {name}, {version} ... */
static char *expand(const struct matrix_reading *r, const char *text, const struct doc_node *at,
		    bool *ret_version)
{
	g_autoptr(GString) out = g_string_new(NULL);

	for (const char *open; (open = strchr(text, '{'));) {
		size_t len = strcspn(open + 1, "}");
		const char *with = open[1 + len] ? placeholder(r, open + 1, len) : NULL;

		if (!with) {
			doc_error(at, r->errors,
				  "'%.*s' stands for nothing here: {name}, {%s}, {family}",
				  (int)len + 2, open, r->by_ref ? "ref" : "version");
			break;
		}
		if (with == r->member->value && ret_version)
			*ret_version = true;
		g_string_append_len(out, text, open - text);
		g_string_append(out, with);
		text = open + len + 2;
	}
	g_string_append(out, text);
	return g_string_free(g_steal_pointer(&out), FALSE);
}

static char *take(struct state *s, const char *text, const struct doc_node *at, bool *ret_version)
{
	return s->r->member ? expand(s->r, text, at, ret_version) : g_strdup(text);
}

/* ---- values ---- */

static bool is_printable(const char *text)
{
	for (const char *at = text; *at; at = g_utf8_next_char(at))
		if (!g_unichar_isprint(g_utf8_get_char(at)))
			return false;
	return true;
}

static bool is_url(const char *text)
{
	return g_str_has_prefix(text, "http://") || g_str_has_prefix(text, "https://");
}

static bool is_sha256(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdefABCDEF") == 64;
}

/* What is wrong with it, as the end of a sentence; NULL: nothing. */
static const char *objection(const struct matrix_key *key, const char *text)
{
	if (key->type == MATRIX_WORD || key->type == MATRIX_WORDS || key->type == MATRIX_JOINED)
		return matrix_word_is_good(text, key->more) ? NULL : "";
	if (key->type == MATRIX_SHA256)
		return is_sha256(text) ? NULL : ": 64 hex digits";
	if (*text == '-')
		return ": it looks like an option";
	if (!is_printable(text))
		return ": it holds bytes that do not print";
	if (key->type == MATRIX_URL && strstr(text, "://") && !is_url(text))
		return ": http://, https:// or a path";
	return NULL;
}

static void check_text(struct state *s, const struct matrix_key *key, const char *text,
		       const struct doc_node *at)
{
	const char *why = objection(key, text);
	const char *what = !strcmp(key->name, "suites")    ? "suite"
			   : !strcmp(key->name, "aliases") ? "alias"
			   : !strcmp(key->name, "patches") ? "patch"
							   : key->name;

	if (why)
		doc_error(at, s->r->errors, "'%s' is no %s%s", text, what, why);
}

static void check_enum(struct state *s, const struct matrix_key *key, const char *text,
		       const struct doc_node *at)
{
	const char *const *values = matrix_key_values(key);
	g_autofree char *hint = NULL;

	if (g_strv_contains(values, text))
		return;
	hint = suggest_phrase(text, values);
	if (!*hint && g_strv_length((char **)values) == 1) {
		g_free(hint);
		hint = g_strdup_printf(": it is '%s' or not there", values[0]);
	}
	doc_error(at, s->r->errors, "unknown %s '%s'%s", key->name, text, hint);
}

static char **read_list(struct state *s, const struct matrix_key *key, const struct doc_node *map,
			const struct doc_node *at)
{
	char **texts = doc_get_texts(map, key->name, s->r->errors);

	for (char **text = texts; *text; text++) {
		char *own = take(s, *text, at, NULL);

		g_free(*text);
		*text = own;
		check_text(s, key, own, at);
	}
	return texts;
}

static char *read_text(struct state *s, const struct matrix_key *key, const struct doc_node *map,
		       const struct doc_node *at)
{
	const char *text = doc_get_text(map, key->name, s->r->errors);
	bool names_version = !strcmp(key->name, "package") || !strcmp(key->name, "url");
	char *own = text ? take(s, text, at, names_version ? &s->told_version : NULL) : NULL;

	if (own && key->type == MATRIX_ENUM)
		check_enum(s, key, own, at);
	else if (own)
		check_text(s, key, own, at);
	if (own && key->type == MATRIX_SHA256)
		for (char *c = own; *c; c++)
			*c = g_ascii_tolower(*c);
	return own;
}

/* Two keys may mean one field, which is an error, and no leak. */
static void set(char **field, char *text)
{
	g_free(*field);
	*field = text;
}

static void store(struct state *s, const struct matrix_key *key, const struct doc_node *map,
		  const struct doc_node *at)
{
	void *field = (char *)s->spec + key->offset;
	g_auto(GStrv) list = NULL;

	switch (key->type) {
	case MATRIX_BOOL:
		*(bool *)field =
			doc_get_bool(map, key->name, key->inverted, s->r->errors) != key->inverted;
		return;
	case MATRIX_WORDS:
	case MATRIX_PATHS:
		*(char ***)field = read_list(s, key, map, at);
		return;
	case MATRIX_JOINED:
		list = read_list(s, key, map, at);
		set(field, *list ? g_strjoinv(",", list) : NULL);
		return;
	default:
		break;
	}
	if (key->offset == offsetof(struct kernel_spec, verify_none)) {
		g_autofree char *word = read_text(s, key, map, at);

		s->spec->verify_none = !g_strcmp0(word, "none");
		return;
	}
	set(field, read_text(s, key, map, at));
}

/* ---- meaning ---- */

static bool knows(enum matrix_source source, const struct matrix_key *key)
{
	return source == MATRIX_SOURCES || key->sources & 1u << source;
}

/* Does the key count here? If not, and it stands where it was meant for this kernel: an error. */
static bool has_meaning(struct state *s, const struct matrix_key *key, unsigned level,
			const struct doc_node *node)
{
	const struct matrix_level *from = s->r->levels[level];

	if (!knows(s->source, key)) {
		if (from->at != MATRIX_AT_DEFAULTS || matrix_level_get(from, "source"))
			doc_error(node, s->r->errors, "'%s' has no meaning with source %s",
				  key->name, matrix_source_names[s->source]);
		return false;
	}
	if (s->source < MATRIX_SOURCES && key->repo_only & 1u << s->source &&
	    s->url_level != NOWHERE) {
		if (level <= s->url_level)
			doc_error(node, s->r->errors, "'%s' has no meaning with 'url'", key->name);
		return false;
	}
	return true;
}

static void read_key(struct state *s, unsigned index)
{
	const struct matrix_key *key = &matrix_keys[index];
	unsigned level = level_of(s->r, index);
	const struct doc_node *node = level == NOWHERE ? NULL : s->r->levels[level]->keys[index];

	if (!node)
		return;
	/* A member's id, version and ref are made out of it; its family's id is not its own. */
	if (s->r->member && (!strcmp(key->name, "id") || !strcmp(key->name, "version") ||
			     !strcmp(key->name, "ref")))
		return;
	if (has_meaning(s, key, level, node) && !key->no_field)
		store(s, key, s->r->levels[level]->node, node);
}

/* The place where an error of omission is told: the kernel, or the family. */
static const struct doc_node *home(const struct matrix_reading *r)
{
	return r->levels[r->member && r->n_levels > 1 && r->member->is_map ? 1 : 0]->node;
}

static bool has_key(const struct matrix_reading *r, const char *name)
{
	unsigned key = matrix_key_find(name), level = level_of(r, key);

	return level != NOWHERE && r->levels[level]->keys[key];
}

static void check_repo(struct state *s)
{
	const struct doc_node *at = home(s->r);

	if (!has_key(s->r, "repo"))
		return;
	if (!has_key(s->r, "package"))
		doc_error(at, s->r->errors, "'package' is missing: 'repo' needs one");
	if (s->source == MATRIX_DEB && !has_key(s->r, "suite") && !has_key(s->r, "suites"))
		doc_error(at, s->r->errors, "'suite' is missing: 'repo' needs one");
}

static void say_missing(struct state *s, const struct matrix_key *key)
{
	const struct doc_node *at = home(s->r);

	if (key->group == MATRIX_GROUP_TRUST)
		doc_error(at, s->r->errors,
			  "nothing says how it is verified: %s'sha256' or 'verify: none'",
			  s->source == MATRIX_RPM || s->url_level == NOWHERE ? "'keyring', " : "");
	else if (key->group == MATRIX_GROUP_PLACE)
		doc_error(at, s->r->errors, "'url' or 'repo' is missing: source %s needs one",
			  matrix_source_names[s->source]);
	else
		doc_error(at, s->r->errors, "'%s' is missing: source %s needs one", key->name,
			  matrix_source_names[s->source]);
}

/* A .deb carries no signature: with its url a keyring proves nothing. */
static bool is_proved(struct state *s)
{
	return level_of(s->r, matrix_key_find("keyring")) != NOWHERE &&
	       !(s->source == MATRIX_DEB && s->url_level != NOWHERE && has_key(s->r, "keyring"));
}

static void check_needs(struct state *s)
{
	for (unsigned i = 0; i < matrix_n_keys; i++) {
		const struct matrix_key *key = &matrix_keys[i];
		bool by_member = s->r->member && !strcmp(key->name, "ref");

		if (key->needed & 1u << s->source && key->needed != (1u << MATRIX_SOURCES) - 1 &&
		    !by_member &&
		    (key->group == MATRIX_GROUP_TRUST ? !is_proved(s)
						      : level_of(s->r, i) == NOWHERE))
			say_missing(s, key);
	}
	check_repo(s);
}

/* ---- ids, versions and refs of members ---- */

static const char *text_of(const struct matrix_reading *r, const char *name)
{
	const struct doc_node *node = NULL;

	for (unsigned i = 0; i < r->n_levels && !node; i++)
		node = matrix_level_get(r->levels[i], name);
	return node && node->kind == DOC_SCALAR && *node->text ? node->text : NULL;
}

static char *member_id(struct state *s)
{
	const char *template = text_of(s->r, "ids");
	char *id = expand(s->r, template ? template : "{family}-{name}",
			  s->r->levels[s->r->member->is_map]->node, NULL);

	for (char *at = id; *at; at++)
		if (!g_ascii_isalnum(*at) && !strchr(MATRIX_ID_MORE, *at))
			*at = '-';
	if (!matrix_id_is_good(id))
		doc_error(s->r->member->node, s->r->errors,
			  "'%s', the id of this member, begins with no letter or digit or has more "
			  "than %u",
			  id, MATRIX_ID_MAX);
	return id;
}

static void add_alias(struct kernel_spec *spec, const char *name)
{
	unsigned n = spec->aliases ? g_strv_length(spec->aliases) : 0;

	spec->aliases = g_renew(char *, spec->aliases, n + 2);
	spec->aliases[n] = g_strdup(name);
	spec->aliases[n + 1] = NULL;
}

static void read_member(struct state *s)
{
	const struct matrix_member *member = s->r->member;
	const struct matrix_key *key =
		&matrix_keys[matrix_key_find(s->r->by_ref ? "ref" : "version")];
	const char *value = member->value;

	s->spec->id = member_id(s);
	s->spec->family = g_strdup(s->r->family);
	check_text(s, key, value, member->node);
	if (s->r->by_ref)
		s->spec->ref = g_strdup(value);
	else if (!s->told_version && !s->spec->url)
		s->spec->version = g_strdup(value);
	else if (matrix_id_is_good(value))
		add_alias(s->spec, value); /* the template has it; users may say it too */
}

static void check_id(struct state *s)
{
	if (!s->spec->id && !has_key(s->r, "id"))
		doc_error(home(s->r), s->r->errors, "'id' is missing");
	if (s->spec->id && !matrix_id_is_good(s->spec->id))
		doc_error(
			s->r->levels[0]->keys[matrix_key_find("id")], s->r->errors,
			"'%s' is no id: letters, digits and . _ + - only, at most %u, a letter or "
			"digit first",
			s->spec->id, MATRIX_ID_MAX);
}

static enum matrix_source source_of(const struct matrix_reading *r)
{
	if (!has_key(r, "source"))
		doc_error(home(r), r->errors, "'source' is missing");
	return matrix_source_find(text_of(r, "source"));
}

struct kernel_spec *matrix_read(const struct matrix_reading *r)
{
	struct state s = { .r = r,
			   .spec = g_new0(struct kernel_spec, 1),
			   .source = source_of(r),
			   .url_level = NOWHERE };
	unsigned url = matrix_key_find("url");

	s.spec->line = r->member ? r->member->node->line : r->levels[0]->node->line;
	s.spec->column = r->member ? r->member->node->column : r->levels[0]->node->column;
	if (has_key(r, "url") && knows(s.source, &matrix_keys[url]))
		s.url_level = level_of(r, url);
	for (unsigned i = 0; i < matrix_n_keys; i++)
		read_key(&s, i);
	if (r->member)
		read_member(&s);
	else
		check_id(&s);
	if (s.source != MATRIX_SOURCES)
		check_needs(&s);
	return s.spec;
}
