// SPDX-License-Identifier: GPL-2.0-or-later
/* Allow and deny rules for console messages: from YAML, to and from a job's spec, and applied. */
#include "conf/console_rules.h"

#include "conf/doc.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 512  /* bytes of a text */
#define LIST_MAX 16   /* items of a list */
#define ITEM_MAX 128  /* bytes of an item */
#define LITERAL_MIN 4 /* bytes of `match` that are no wildcards */
#define STARS_MAX 8   /* of a glob: fnmatch(3) tries all ways to place them */

static const char *const top_keys[] = { "replace", "rules", NULL };
static const char *const rule_keys[] = { "match",  "frames",  "kernels", "action",
					 "reason", "expires", "source",  NULL };
static const char *const actions[] = { [CONSOLE_ALLOW] = "allow", [CONSOLE_DENY] = "deny" };

static void rule_free(struct console_rule *rule)
{
	g_free(rule->match);
	g_strfreev(rule->frames);
	g_strfreev(rule->kernels);
	g_free(rule->reason);
	g_free(rule->expires);
	g_free(rule->source);
	g_free(rule);
}

static struct console_rules *rules_new(void)
{
	struct console_rules *rules = g_new0(struct console_rules, 1);

	rules->all = g_ptr_array_new_with_free_func((GDestroyNotify)rule_free);
	return rules;
}

void console_rules_free(struct console_rules *rules)
{
	if (!rules)
		return;
	g_ptr_array_unref(rules->all);
	g_free(rules);
}

/* --- what a rule must be ------------------------------------------------------------------- */

/* Each returns NULL or what is wrong, for a sentence that begins with the key and the value. */

static const char *text_trouble(const char *text)
{
	size_t n = strlen(text);

	if (!n)
		return "is empty";
	if (n > TEXT_MAX)
		return "is longer than 512 bytes";
	if (!g_utf8_validate(text, n, NULL))
		return "is no UTF-8";
	for (; *text; text++) {
		if (g_ascii_iscntrl(*text))
			return "has control characters";
	}
	return NULL;
}

static const char *glob_trouble(const char *text)
{
	unsigned stars = 0;

	for (; *text; text++)
		stars += *text == '*';
	return stars > STARS_MAX ? "has more than 8 stars" : NULL;
}

static const char *item_trouble(const char *text)
{
	if (strlen(text) > ITEM_MAX)
		return "is longer than 128 bytes";
	return text_trouble(text) ?: glob_trouble(text);
}

/* A rule that takes everything is no rule. */
static const char *match_trouble(const char *text)
{
	unsigned literal = 0;

	for (const char *p = text; *p; p++)
		literal += !strchr("*?[]\\ ", *p);
	if (glob_trouble(text))
		return glob_trouble(text);
	return literal < LITERAL_MIN ? "would take nearly everything: name at least 4 characters"
				     : NULL;
}

static const char *day_trouble(const char *text)
{
	unsigned year, month, day;
	int used = 0;

	if (strlen(text) != 10 || strspn(text, "0123456789-") != 10 ||
	    sscanf(text, "%4u-%2u-%2u%n", &year, &month, &day, &used) != 3 || used != 10 ||
	    !g_date_valid_dmy(day, month, year))
		return "is no day: want YYYY-MM-DD";
	return NULL;
}

static bool action_parse(const char *text, enum console_action *ret)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(actions); i++) {
		if (!g_str_equal(text, actions[i]))
			continue;
		*ret = i;
		return true;
	}
	return false;
}

/* --- from YAML ----------------------------------------------------------------------------- */

static char *read_text(const struct doc_node *node, const char *key, bool needed,
		       const char *(*trouble)(const char *), struct doc_errors *errors)
{
	const char *text =
		needed ? doc_need_text(node, key, errors) : doc_get_text(node, key, errors);
	const char *why = text ? text_trouble(text) : NULL;

	if (text && !why && trouble)
		why = trouble(text);
	if (why)
		doc_error(doc_get(node, key), errors, "'%s' %s", key, why);
	return g_strdup(text);
}

static char **read_list(const struct doc_node *node, const char *key, struct doc_errors *errors)
{
	char **list = doc_get_texts(node, key, errors);

	if (g_strv_length(list) > LIST_MAX)
		doc_error(doc_get(node, key), errors, "'%s' has more than %u items", key, LIST_MAX);
	for (char **item = list; *item; item++) {
		const char *why = item_trouble(*item);

		if (why)
			doc_error(doc_get(node, key), errors, "an item of '%s' %s", key, why);
	}
	return list;
}

static struct console_rule *read_rule(const struct doc_node *node, struct doc_errors *errors)
{
	struct console_rule *rule = g_new0(struct console_rule, 1);
	const char *action = doc_need_text(node, "action", errors);

	doc_check_keys(node, rule_keys, errors);
	rule->match = read_text(node, "match", true, match_trouble, errors);
	rule->frames = read_list(node, "frames", errors);
	rule->kernels = read_list(node, "kernels", errors);
	rule->reason = read_text(node, "reason", true, NULL, errors);
	rule->expires = read_text(node, "expires", true, day_trouble, errors);
	rule->source = read_text(node, "source", false, NULL, errors);
	if (action && !action_parse(action, &rule->action))
		doc_error(doc_get(node, "action"), errors,
			  "'action' must be allow or deny, not '%s'", action);
	return rule;
}

static void read_all(struct console_rules *rules, const struct doc_node *root,
		     struct doc_errors *errors)
{
	const struct doc_node *list = doc_get(root, "rules");

	doc_check_keys(root, top_keys, errors);
	rules->replace = doc_get_bool(root, "replace", false, errors);
	if (!list) {
		doc_error(root, errors, "'rules' is missing");
		return;
	}
	if (!doc_want(list, DOC_LIST, "'rules'", errors))
		return;
	if (list->children->len > CONSOLE_RULES_MAX) {
		doc_error(list, errors, "%u rules, more than %u", list->children->len,
			  CONSOLE_RULES_MAX);
		return;
	}
	for (unsigned i = 0; i < list->children->len; i++) {
		const struct doc_node *node = g_ptr_array_index(list->children, i);

		if (doc_want(node, DOC_MAP, "a rule", errors))
			g_ptr_array_add(rules->all, read_rule(node, errors));
	}
}

bool console_rules_parse(const char *name, const char *text, size_t len, struct console_rules **ret,
			 GError **error)
{
	g_autoptr(doc_errors) errors = doc_errors_new(name);
	g_autoptr(doc_node) root = doc_parse(text, len, errors);
	g_autoptr(console_rules) rules = rules_new();

	if (root && doc_want(root, DOC_MAP, "the file", errors))
		read_all(rules, root, errors);
	if (!doc_errors_report(errors, error))
		return false;
	*ret = g_steal_pointer(&rules);
	return true;
}

bool console_rules_join(struct console_rules *rules, struct console_rules *more, GError **error)
{
	unsigned n = rules->all->len + more->all->len;

	g_ptr_array_extend_and_steal(rules->all, g_ptr_array_ref(more->all));
	console_rules_free(more);
	return n <= CONSOLE_RULES_MAX ||
	       lab_fail(error, LAB_ERROR_USAGE, "%u console rules, more than %u", n,
			CONSOLE_RULES_MAX);
}

/* --- job specs ----------------------------------------------------------------------------- */

static bool fits_kernel(const struct console_rule *rule, const char *id, const char *release)
{
	if (!*rule->kernels)
		return true;
	for (char **glob = rule->kernels; *glob; glob++) {
		if ((id && !fnmatch(*glob, id, 0)) || (release && !fnmatch(*glob, release, 0)))
			return true;
	}
	return false;
}

static json_t *list_to_json(char **list)
{
	json_t *array = json_array();

	for (; *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

json_t *console_rules_to_json(const struct console_rules *rules, const char *kernel_id,
			      const char *release)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < rules->all->len; i++) {
		const struct console_rule *rule = rules->all->pdata[i];

		if (!fits_kernel(rule, kernel_id, release))
			continue;
		json_array_append_new(array,
				      json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:s*}", "match",
						rule->match, "frames", list_to_json(rule->frames),
						"kernels", list_to_json(rule->kernels), "action",
						actions[rule->action], "reason", rule->reason,
						"expires", rule->expires, "source", rule->source));
	}
	return array;
}

static bool list_from_json(const json_t *array, char ***ret)
{
	size_t n = json_array_size(array);

	if (!json_is_array(array) || n > LIST_MAX)
		return false;
	*ret = g_new0(char *, n + 1);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(array, i));

		if (!text || item_trouble(text))
			return false;
		(*ret)[i] = g_strdup(text);
	}
	return true;
}

static bool text_from_json(const json_t *object, const char *key,
			   const char *(*trouble)(const char *), char **ret)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text || text_trouble(text) || (trouble && trouble(text)))
		return false;
	*ret = g_strdup(text);
	return true;
}

static bool rule_from_json(const json_t *object, struct console_rule *ret)
{
	const char *action = json_string_value(json_object_get(object, "action"));

	return text_from_json(object, "match", match_trouble, &ret->match) &&
	       list_from_json(json_object_get(object, "frames"), &ret->frames) &&
	       list_from_json(json_object_get(object, "kernels"), &ret->kernels) && action &&
	       action_parse(action, &ret->action) &&
	       text_from_json(object, "reason", NULL, &ret->reason) &&
	       text_from_json(object, "expires", day_trouble, &ret->expires) &&
	       (!json_object_get(object, "source") ||
		text_from_json(object, "source", NULL, &ret->source));
}

bool console_rules_from_json(const json_t *json, struct console_rules **ret, GError **error)
{
	g_autoptr(console_rules) rules = rules_new();
	size_t n = json_array_size(json);

	if (json && !json_is_null(json) && (!json_is_array(json) || n > CONSOLE_RULES_MAX))
		return lab_fail(error, LAB_ERROR_INPUT, "'console_rules' is no list of rules");
	for (size_t i = 0; i < n; i++) {
		struct console_rule *rule = g_new0(struct console_rule, 1);

		g_ptr_array_add(rules->all, rule);
		if (!rule_from_json(json_array_get(json, i), rule))
			return lab_fail(error, LAB_ERROR_INPUT,
					"'console_rules': item %zu is no rule", i);
	}
	*ret = g_steal_pointer(&rules);
	return true;
}

/* --- applied ------------------------------------------------------------------------------- */

bool console_rule_holds(const struct console_rule *rule, const char *day)
{
	return day && !day_trouble(day) && strcmp(day, rule->expires) <= 0;
}

static bool has_frames(const struct console_rule *rule, const struct console_subject *subject)
{
	for (char **frame = rule->frames; *frame; frame++) {
		bool found = false;

		for (unsigned i = 0; i < subject->n_frames && subject->frames[i] && !found; i++)
			found = g_str_equal(subject->frames[i], *frame);
		if (!found)
			return false;
	}
	return true;
}

const struct console_rule *console_rules_find(const struct console_rules *rules,
					      const struct console_subject *subject)
{
	for (unsigned i = 0; rules && i < rules->all->len; i++) {
		const struct console_rule *rule = rules->all->pdata[i];

		if (console_rule_holds(rule, subject->day) &&
		    fits_kernel(rule, subject->kernel_id, subject->release) &&
		    !fnmatch(rule->match, subject->title, 0) && has_frames(rule, subject))
			return rule;
	}
	return NULL;
}
