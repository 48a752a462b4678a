// SPDX-License-Identifier: GPL-2.0-or-later
/* Two knowledges asked the same questions; what they answer differently, and why they might. */
#include "report/blacklist_diff.h"
#include "report/blacklist_json.h"
#include "report/blacklist_text.h"
#include "report/blacklist_twin.h"

#define text_of blacklist_text_of

/* --- kernels to ask about ------------------------------------------------------------------ */

/* "debian 6.1.27-1": also what makes two kernels one. */
static char *kernel_name(const struct ktb_kernel *k)
{
	return g_strdup_printf("%s %s", k->vendor, k->build[0] ? k->build : k->release);
}

static void add_kernel(GHashTable *kernels, const struct ktb_kernel *k)
{
	char *name = kernel_name(k);

	/* one that was measured knows its release: it replaces the one of a bound */
	g_hash_table_replace(kernels, name, g_memdup2(k, sizeof(*k)));
}

static void add_bounds(GHashTable *kernels, const struct blacklist_twin *twin)
{
	for (size_t i = 0; i < twin->known->table.n_hazards; i++) {
		const struct ktb_hazard *h = &twin->known->hazards[i];

		for (size_t j = 0; j < h->n_ranges; j++) {
			const char *bounds[] = { h->ranges[j].lo, h->ranges[j].last,
						 h->ranges[j].hi };
			struct ktb_kernel k;

			for (unsigned b = 0; b < G_N_ELEMENTS(bounds); b++)
				if (bounds[b] &&
				    blacklist_kernel_of_bound(h->ranges[j].vendor, bounds[b], &k))
					add_kernel(kernels, &k);
		}
	}
}

static void add_measured(GHashTable *kernels, const struct blacklist_twin *twin)
{
	for (unsigned i = 0; i < twin->measured->len; i++) {
		struct ktb_kernel k;

		know_identify_measured(twin->measured->pdata[i], &k);
		add_kernel(kernels, &k);
	}
}

/* By vendor, and within a vendor as its package manager has it. */
static int compare_kernels(gconstpointer pa, gconstpointer pb)
{
	const struct ktb_kernel *a = *(struct ktb_kernel *const *)pa;
	const struct ktb_kernel *b = *(struct ktb_kernel *const *)pb;
	int diff = strcmp(a->vendor, b->vendor);

	if (!diff)
		diff = ktb_compare(a->order, a->build[0] ? a->build : a->base,
				   b->build[0] ? b->build : b->base);
	return diff ? diff : strcmp(a->release, b->release);
}

static GPtrArray *sorted_kernels(GHashTable *kernels)
{
	GPtrArray *list = g_ptr_array_new();
	GHashTableIter at;
	gpointer kernel;

	g_hash_table_iter_init(&at, kernels);
	while (g_hash_table_iter_next(&at, NULL, &kernel))
		g_ptr_array_add(list, kernel);
	g_ptr_array_sort(list, compare_kernels);
	return list;
}

/* --- differences --------------------------------------------------------------------------- */

static json_t *answer_json(const struct ktb_answer *a)
{
	return json_pack("{s:s, s:s, s:s, s:s?}", "value", ktb_value_name(a->value), "evidence",
			 ktb_evidence_name(a->evidence), "reason", a->reason, "hazard", a->hazard);
}

/* "changed": another value; else the evidence became "better" or "worse". */
static const char *kind_of(const struct ktb_answer *was, const struct ktb_answer *is)
{
	if (was->value != is->value)
		return "changed";
	if (was->evidence == is->evidence)
		return NULL;
	return is->evidence > was->evidence ? "better" : "worse";
}

static json_t *diff_answers(const struct blacklist_twin *old, const struct blacklist_twin *new)
{
	g_autoptr(GHashTable) kernels =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GPtrArray) list = NULL;
	json_t *out = json_array();

	add_bounds(kernels, old);
	add_bounds(kernels, new);
	add_measured(kernels, old);
	add_measured(kernels, new);
	list = sorted_kernels(kernels);
	for (char **op = new->known->ops; *op; op++) {
		if (!g_strv_contains((const char *const *)old->known->ops, *op))
			continue;
		for (unsigned i = 0; i < list->len; i++) {
			const struct ktb_kernel *k = list->pdata[i];
			struct ktb_answer was = ktb_table_check(&old->known->table, k, *op);
			struct ktb_answer is = ktb_table_check(&new->known->table, k, *op);
			const char *kind = kind_of(&was, &is);
			g_autofree char *name = kernel_name(k);

			if (kind)
				json_array_append_new(
					out, json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "op", *op,
						       "kernel", name, "release", k->release,
						       "change", kind, "old", answer_json(&was),
						       "new", answer_json(&is)));
		}
	}
	return out;
}

static json_t *find_by_id(const json_t *list, const char *id)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (!strcmp(text_of(item, "id"), id))
			return item;
	return NULL;
}

static bool has_item(const json_t *list, const json_t *wanted)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (json_equal(item, wanted))
			return true;
	return false;
}

/* Items of `a` that `b` lacks. */
static json_t *list_minus(const json_t *a, const json_t *b)
{
	json_t *out = json_array(), *item;
	size_t i;

	json_array_foreach (a, i, item)
		if (!has_item(b, item))
			json_array_append(out, item);
	return out;
}

static json_t *added_removed(const json_t *old, const json_t *new)
{
	return json_pack("{s:o, s:o}", "added", list_minus(new, old), "removed",
			 list_minus(old, new));
}

static json_t *diff_hazard(const json_t *old, const json_t *new)
{
	json_t *members = json_array(), *value;
	const char *key;

	json_object_foreach ((json_t *)new, key, value)
		if (strcmp(key, "ranges") && !json_equal(value, json_object_get(old, key)))
			json_array_append_new(members, json_string(key));
	return json_pack(
		"{s:O, s:O, s:o, s:o}", "id", json_object_get(new, "id"), "op",
		json_object_get(new, "op"), "members", members, "ranges",
		added_removed(json_object_get(old, "ranges"), json_object_get(new, "ranges")));
}

static json_t *brief(const json_t *hazard)
{
	return json_pack("{s:s, s:s, s:s}", "id", text_of(hazard, "id"), "op",
			 text_of(hazard, "op"), "summary", text_of(hazard, "summary"));
}

static json_t *diff_hazards(const json_t *old, const json_t *new)
{
	json_t *added = json_array(), *removed = json_array(), *changed = json_array(), *hazard;
	size_t i;

	json_array_foreach (new, i, hazard) {
		json_t *before = find_by_id(old, text_of(hazard, "id"));

		if (!before)
			json_array_append_new(added, brief(hazard));
		else if (!json_equal(before, hazard))
			json_array_append_new(changed, diff_hazard(before, hazard));
	}
	json_array_foreach (old, i, hazard)
		if (!find_by_id(new, text_of(hazard, "id")))
			json_array_append_new(removed, brief(hazard));
	return json_pack("{s:o, s:o, s:o}", "added", added, "removed", removed, "changed", changed);
}

/* Is there anything in any of the lists below? */
static bool is_empty(const json_t *json)
{
	const char *key;
	json_t *value;

	if (json_is_array(json))
		return json_array_size(json) == 0;
	json_object_foreach ((json_t *)json, key, value)
		if (!is_empty(value))
			return false;
	return json_is_object(json);
}

static json_t *compare(const json_t *old, const json_t *new, const struct blacklist_twin *before,
		       const struct blacklist_twin *after)
{
	json_t *found = json_object();
	bool same;

	json_object_set_new(
		found, "ops",
		added_removed(json_object_get(old, "ops"), json_object_get(new, "ops")));
	json_object_set_new(
		found, "hazards",
		diff_hazards(json_object_get(old, "hazards"), json_object_get(new, "hazards")));
	json_object_set_new(found, "answers", diff_answers(before, after));
	json_object_set_new(found, "contradictions",
			    added_removed(json_object_get(old, "contradictions"),
					  json_object_get(new, "contradictions")));
	json_object_set_new(found, "extrapolated",
			    added_removed(json_object_get(old, "extrapolated"),
					  json_object_get(new, "extrapolated")));
	same = is_empty(found);
	json_object_set_new(found, "schema", json_integer(1));
	json_object_set_new(found, "same", json_boolean(same));
	json_object_set_new(found, "old", json_string(text_of(old, "digest")));
	json_object_set_new(found, "new", json_string(text_of(new, "digest")));
	return found;
}

json_t *blacklist_diff(const json_t *old, const json_t *new, GError **error)
{
	struct blacklist_twin before = { 0 }, after = { 0 };
	json_t *found = NULL;

	if (!blacklist_twin_read(old, &before, error))
		lab_prefix(error, "old");
	else if (!blacklist_twin_read(new, &after, error))
		lab_prefix(error, "new");
	else
		found = compare(old, new, &before, &after);
	blacklist_twin_clear(&before);
	blacklist_twin_clear(&after);
	return found;
}

bool blacklist_diff_is_same(const json_t *diff)
{
	return json_is_true(json_object_get(diff, "same"));
}

/* --- Markdown ------------------------------------------------------------------------------ */

static char *answer_text(const json_t *answer)
{
	return blacklist_answer_text(text_of(answer, "value"), text_of(answer, "evidence"));
}

static void append_answers(GString *out, const json_t *answers, const char *kind, const char *title)
{
	bool any = false;
	json_t *row;
	size_t i;

	json_array_foreach (answers, i, row) {
		const json_t *new = json_object_get(row, "new");
		g_autofree char *was = answer_text(json_object_get(row, "old"));
		g_autofree char *is = answer_text(new);

		if (strcmp(text_of(row, "change"), kind))
			continue;
		if (!any)
			g_string_append_printf(out,
					       "\n## %s\n\n| operation | kernel | was | is | "
					       "because |\n|---|---|---|---|---|\n",
					       title);
		any = true;
		g_string_append_printf(out, "| %s | %s | %s | **%s** | ", text_of(row, "op"),
				       text_of(row, "kernel"), was, is);
		blacklist_append_escaped(out, text_of(new, "reason"));
		g_string_append(out, " |\n");
	}
}

static void append_brief(GString *out, const json_t *list, const char *title)
{
	json_t *hazard;
	size_t i;

	if (json_array_size(list))
		g_string_append_printf(out, "\n## %s\n\n", title);
	json_array_foreach (list, i, hazard) {
		g_string_append_printf(out, "- %s (%s): ", text_of(hazard, "id"),
				       text_of(hazard, "op"));
		blacklist_append_escaped(out, text_of(hazard, "summary"));
		g_string_append_c(out, '\n');
	}
}

static void append_ranges(GString *out, const json_t *list, const char *what)
{
	json_t *range;
	size_t i;

	json_array_foreach (list, i, range) {
		g_string_append_printf(out, "  - %s: %s %s ", what, text_of(range, "vendor"),
				       blacklist_range_answer(range));
		blacklist_append_builds(out, range);
		g_string_append_c(out, '\n');
	}
}

static void append_changed(GString *out, const json_t *list)
{
	json_t *hazard, *member;
	size_t i, j;

	if (json_array_size(list))
		g_string_append(out, "\n## Declarations that changed\n\n");
	json_array_foreach (list, i, hazard) {
		const json_t *ranges = json_object_get(hazard, "ranges");

		g_string_append_printf(out, "- %s (%s)", text_of(hazard, "id"),
				       text_of(hazard, "op"));
		json_array_foreach (json_object_get(hazard, "members"), j, member)
			g_string_append_printf(out, "%s%s", j ? ", " : ": ",
					       json_string_value(member));
		g_string_append_c(out, '\n');
		append_ranges(out, json_object_get(ranges, "added"), "now");
		append_ranges(out, json_object_get(ranges, "removed"), "no longer");
	}
}

static void append_spans(GString *out, const json_t *list, const char *title)
{
	json_t *span;
	size_t i;

	if (json_array_size(list))
		g_string_append_printf(out, "\n## %s\n\n", title);
	json_array_foreach (list, i, span)
		g_string_append_printf(out, "- %s: %s %s to %s: %s\n", text_of(span, "op"),
				       text_of(span, "vendor"), text_of(span, "from"),
				       text_of(span, "to"), text_of(span, "value"));
}

static void append_sentences(GString *out, const json_t *list, const char *title)
{
	json_t *sentence;
	size_t i;

	if (json_array_size(list))
		g_string_append_printf(out, "\n## %s\n\n", title);
	json_array_foreach (list, i, sentence) {
		g_string_append(out, "- ");
		blacklist_append_escaped(out, json_string_value(sentence));
		g_string_append_c(out, '\n');
	}
}

char *blacklist_diff_markdown(const json_t *diff)
{
	const json_t *hazards = json_object_get(diff, "hazards");
	const json_t *answers = json_object_get(diff, "answers");
	const json_t *disputes = json_object_get(diff, "contradictions");
	const json_t *spans = json_object_get(diff, "extrapolated");
	const json_t *ops = json_object_get(diff, "ops");
	GString *out = g_string_new("# Changes of the tracing blacklist\n\n");

	g_string_append_printf(out, "Evidence `%.12s` to `%.12s`.\n", text_of(diff, "old"),
			       text_of(diff, "new"));
	if (blacklist_diff_is_same(diff))
		g_string_append(out, strcmp(text_of(diff, "old"), text_of(diff, "new"))
					     ? "\nOther evidence, the same answers.\n"
					     : "\nThe same.\n");
	append_sentences(out, json_object_get(ops, "added"), "New operations");
	append_sentences(out, json_object_get(ops, "removed"), "Operations that are gone");
	append_brief(out, json_object_get(hazards, "added"), "New hazards");
	append_brief(out, json_object_get(hazards, "removed"), "Hazards that are gone");
	append_answers(out, answers, "changed", "Answers that changed");
	append_answers(out, answers, "better", "Answers that are better founded");
	append_answers(out, answers, "worse", "Answers that are less well founded");
	append_spans(out, json_object_get(spans, "added"), "New between measured builds");
	append_spans(out, json_object_get(spans, "removed"), "No longer between measured builds");
	append_sentences(out, json_object_get(disputes, "added"), "New contradictions");
	append_sentences(out, json_object_get(disputes, "removed"), "Contradictions that are gone");
	append_changed(out, json_object_get(hazards, "changed"));
	return g_string_free(out, FALSE);
}
