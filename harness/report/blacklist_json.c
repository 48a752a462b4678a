// SPDX-License-Identifier: GPL-2.0-or-later
/* Hazards, measured builds, their answers and where all of it comes from as JSON. */
#include "report/blacklist_json.h"
#include "report/blacklist_evidence.h"

#include <math.h>

#define DUMP_PRECISION JSON_REAL_PRECISION(6) /* as exact as result.json */

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
		"{s:s, s:s, s:s, s:s?, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
		hazard->id, "op", hazard->op, "summary", hazard->summary, "workaround",
		hazard->workaround, "exposure", hazard->exposure, "untested_if",
		texts(hazard->untested_if), "kconfig", texts(hazard->kconfig), "introduced",
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
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s,"
		" s:s?, s:s?, s:s?, s:s*, s:b, s:o, s:o, s:o, s:o, s:o,"
		" s:{s:s, s:s, s:b, s:s?, s:s}}",
		"kernel", m->kernel ? m->kernel : "", "op", m->op, "probe", m->probe, "release",
		kernel.release, "version", kernel.version, "vendor", kernel.vendor, "os_id",
		m->vendor, "build", kernel.build[0] ? kernel.build : NULL, "package_version",
		m->package_version, "upstream", kernel.base[0] ? kernel.base : NULL, "sha256",
		m->sha256, "fix", a.fix, "verdict", m->affected ? "affected" : "clean", "kind",
		m->kind, "title", m->title, "matched", m->hazard, "schedule",
		m->reachable ? "reachable" : NULL, "untold", m->untold, "limits",
		texts(m->limits), "confidence", number_or_null(m->confidence), "p_missed",
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
		char *line = one ? json_dumps(one, JSON_COMPACT | DUMP_PRECISION) : NULL;

		if (line)
			g_ptr_array_add(lines, line);
		json_decref(one);
	}
	g_ptr_array_sort(lines, compare_texts);
	for (unsigned i = 0; i < lines->len; i++)
		json_array_append_new(array, json_loads(g_ptr_array_index(lines, i), 0, NULL));
	return array;
}

/* Builds between two that were measured alike. */
static json_t *spans_json(const struct knowledge *k)
{
	json_t *array = json_array();

	for (size_t i = 0; i < k->table.n_spans; i++) {
		const struct ktb_span *s = &k->table.spans[i];

		json_array_append_new(array,
				      json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s?}", "op", s->op,
						"vendor", s->vendor, "from", s->lo, "to", s->hi,
						"value", ktb_value_name(s->value), "calibrated",
						s->calibrated, "hazard", s->hazard));
	}
	return array;
}

static json_t *contradictions_json(const struct knowledge *k, const GPtrArray *measured)
{
	g_auto(GStrv) list = know_contradictions(k, measured);

	qsort(list, g_strv_length(list), sizeof(*list), compare_texts);
	return texts(list);
}

static char *sha256_of(const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | DUMP_PRECISION);
	char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);

	free(text);
	return digest;
}

static json_t *hazards_json(const struct hazard_set *hazards)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < hazards->all->len; i++)
		json_array_append_new(list,
				      blacklist_json_hazard(g_ptr_array_index(hazards->all, i)));
	return list;
}

/* How many cells of a run got each verdict, and how many journals stand behind them. */
static void count_cells(const json_t *run, json_t *verdicts, json_int_t *ret_journals)
{
	json_t *cell;
	size_t i;

	json_array_foreach (json_object_get(run, "cells"), i, cell) {
		const char *verdict = json_string_value(json_object_get(cell, "verdict"));
		json_int_t before;

		if (!verdict)
			continue;
		before = json_integer_value(json_object_get(verdicts, verdict));
		json_object_set_new(verdicts, verdict, json_integer(before + 1));
		*ret_journals += (json_int_t)json_array_size(json_object_get(cell, "jobs"));
	}
}

static json_t *run_json(const json_t *run)
{
	static const char *const keys[] = { "generator", "started",      "asked_confidence",
					    "engine",    "engine_proof", "unavailable" };
	json_t *out = json_object(), *verdicts = json_object();
	json_int_t journals = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
		json_t *value = json_object_get(run, keys[i]);

		json_object_set_new(out, keys[i], value ? json_deep_copy(value) : json_null());
	}
	count_cells(run, verdicts, &journals);
	json_object_set_new(out, "verdicts", verdicts);
	json_object_set_new(out, "journals", json_integer(journals));
	return out;
}

/* The evidence's own digest tells "other runs" from "other declarations" and "another klab". */
static json_t *provenance_json(const struct hazard_set *hazards, const json_t *list,
			       const GPtrArray *runs)
{
	json_t *declared = json_pack("{s:s, s:O}", "surveyed", hazards->surveyed, "hazards", list);
	g_autofree char *declarations = sha256_of(declared), *evidence = NULL, *text = NULL;
	json_t *array = json_array();

	json_decref(declared);
	for (unsigned i = 0; runs && i < runs->len; i++)
		json_array_append_new(array, run_json(runs->pdata[i]));
	if (runs && runs->len) {
		text = blacklist_evidence_text(runs);
		evidence = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
	}
	return json_pack("{s:s, s:s?, s:o}", "declarations_sha256", declarations, "evidence_sha256",
			 evidence, "runs", array);
}

char *blacklist_json_compute_digest(const json_t *document)
{
	json_t *rest = json_copy((json_t *)document);
	char *digest;

	json_object_del(rest, "digest");
	json_object_del(rest, "files");
	digest = sha256_of(rest);
	json_decref(rest);
	return digest;
}

json_t *blacklist_json_of_runs(const struct knowledge *known, const struct hazard_set *hazards,
			       const GPtrArray *measured, const GPtrArray *runs)
{
	json_t *list = hazards_json(hazards), *document;
	g_autofree char *digest = NULL;

	document = json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
			     BLACKLIST_SCHEMA, "generator", "klab " KLAB_VERSION, "license",
			     "MIT OR GPL-2.0-only", "surveyed", hazards->surveyed, "ops",
			     texts(known->ops), "hazards", list, "measured",
			     all_measured_json(known, measured), "extrapolated", spans_json(known),
			     "contradictions", contradictions_json(known, measured), "provenance",
			     provenance_json(hazards, list, runs));
	digest = blacklist_json_compute_digest(document);
	json_object_set_new(document, "digest", json_string(digest));
	return document;
}

json_t *blacklist_json(const struct knowledge *known, const struct hazard_set *hazards,
		       const GPtrArray *measured)
{
	return blacklist_json_of_runs(known, hazards, measured, NULL);
}

void blacklist_json_add_file(json_t *document, const char *what, const char *text)
{
	g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
	json_t *files = json_object_get(document, "files");

	if (!files) {
		files = json_object();
		json_object_set_new(document, "files", files);
	}
	json_object_set_new(files, what, json_string(digest));
}

const char *blacklist_json_digest(const json_t *document)
{
	return json_string_value(json_object_get(document, "digest"));
}

char *blacklist_json_text(const json_t *document)
{
	char *body = json_dumps(document, JSON_INDENT(1) | DUMP_PRECISION);
	size_t len = strlen(body);

	body = realloc(body, len + 2);
	g_assert(body);
	memcpy(body + len, "\n", 2);
	return body;
}
