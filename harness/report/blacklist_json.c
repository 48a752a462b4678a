// SPDX-License-Identifier: GPL-2.0-or-later
/* Hazards, measured builds and their answers as JSON. */
#include "report/blacklist_json.h"

#include <math.h>

static json_t *texts(char *const *list)
{
	json_t *array = json_array();

	for (; list && *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

static json_t *number_or_null(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *range_json(const struct ktb_range *r)
{
	static const char *const kinds[] = { "affected", "clean", "unknown", "clean-build",
					     "clean-all-known" };

	return json_pack("{s:s, s:s, s:s?, s:s?, s:s?}", "vendor", r->vendor, "kind",
			 kinds[r->kind], "from", r->lo, "last_seen", r->last, "to", r->hi);
}

static json_t *notes_json(const GPtrArray *notes, const char *from_key)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < notes->len; i++) {
		const struct hazard_note *note = g_ptr_array_index(notes, i);

		json_array_append_new(
			array, json_pack("{s:s, s:s}", from_key, note->from, "says", note->says));
	}
	return array;
}

static json_t *signatures_json(const GPtrArray *signatures)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < signatures->len; i++) {
		const struct hazard_signature *s = g_ptr_array_index(signatures, i);

		json_array_append_new(array, json_pack("{s:s, s:o}", "kind", s->kind, "frames",
						       texts(s->frames)));
	}
	return array;
}

json_t *blacklist_json_hazard(const struct hazard *hazard)
{
	json_t *ranges = json_array();

	for (unsigned i = 0; i < hazard->ranges->len; i++)
		json_array_append_new(
			ranges, range_json(&g_array_index(hazard->ranges, struct ktb_range, i)));
	return json_pack(
		"{s:s, s:s, s:s, s:s?, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", hazard->id,
		"op", hazard->op, "summary", hazard->summary, "workaround", hazard->workaround,
		"exposure", hazard->exposure, "kconfig", texts(hazard->kconfig), "introduced",
		texts(hazard->introduced), "fixed", texts(hazard->fixed), "ranges", ranges,
		"signatures", signatures_json(hazard->signatures), "sources",
		notes_json(hazard->sources, "how"), "claims", notes_json(hazard->claims, "who"));
}

static json_t *measured_json(const struct knowledge *k, const struct measured *m)
{
	struct ktb_kernel kernel;
	struct ktb_answer a;

	know_identify_measured(m, &kernel);
	a = ktb_table_check(&k->table, &kernel, m->op);
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:s,"
		" s:s?, s:s?, s:s?, s:o, s:o, s:o, s:o,"
		" s:{s:s, s:s, s:b, s:s?, s:s}}",
		"kernel", m->kernel ? m->kernel : "", "op", m->op, "probe", m->probe, "release",
		kernel.release, "version", kernel.version, "vendor", kernel.vendor, "build",
		kernel.build[0] ? kernel.build : NULL, "package_version", m->package_version,
		"upstream", kernel.base[0] ? kernel.base : NULL, "sha256", m->sha256, "fix", a.fix,
		"verdict", m->affected ? "affected" : "clean", "kind", m->kind, "title", m->title,
		"matched", m->hazard, "confidence", number_or_null(m->confidence), "p_missed",
		number_or_null(m->p_missed), "journals", texts(m->journals), "journal_sha256",
		texts(m->digests), "answer", "value", ktb_value_name(a.value), "evidence",
		ktb_evidence_name(a.evidence), "contradicted", a.contradicted, "hazard", a.hazard,
		"reason", a.reason);
}

static int compare_texts(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted by their text: whatever order the runs were given in. */
static json_t *all_measured_json(const struct knowledge *k, const GPtrArray *measured)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(free);
	json_t *array = json_array();

	for (unsigned i = 0; measured && i < measured->len; i++) {
		json_t *one = measured_json(k, g_ptr_array_index(measured, i));
		char *line = one ? json_dumps(one, JSON_COMPACT) : NULL;

		if (line)
			g_ptr_array_add(lines, line);
		json_decref(one);
	}
	g_ptr_array_sort(lines, compare_texts);
	for (unsigned i = 0; i < lines->len; i++)
		json_array_append_new(array, json_loads(g_ptr_array_index(lines, i), 0, NULL));
	return array;
}

static json_t *contradictions_json(const struct knowledge *k, const GPtrArray *measured)
{
	g_auto(GStrv) list = know_contradictions(k, measured);

	qsort(list, g_strv_length(list), sizeof(*list), compare_texts);
	return texts(list);
}

json_t *blacklist_json(const struct knowledge *known, const struct hazard_set *hazards,
		       const GPtrArray *measured)
{
	json_t *list = json_array(), *document;
	g_autofree char *digest = NULL;
	char *text;

	for (unsigned i = 0; i < hazards->all->len; i++)
		json_array_append_new(list,
				      blacklist_json_hazard(g_ptr_array_index(hazards->all, i)));
	document = json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "schema", 1, "generator",
			     "klab " KLAB_VERSION, "license", "MIT OR GPL-2.0-only", "surveyed",
			     hazards->surveyed, "ops", texts(known->ops), "hazards", list,
			     "measured", all_measured_json(known, measured), "contradictions",
			     contradictions_json(known, measured));
	text = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);
	digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
	free(text);
	json_object_set_new(document, "digest", json_string(digest));
	return document;
}

const char *blacklist_json_digest(const json_t *document)
{
	return json_string_value(json_object_get(document, "digest"));
}

char *blacklist_json_text(const json_t *document)
{
	char *body = json_dumps(document, JSON_INDENT(1));
	size_t len = strlen(body);

	body = realloc(body, len + 2);
	g_assert(body);
	memcpy(body + len, "\n", 2);
	return body;
}
