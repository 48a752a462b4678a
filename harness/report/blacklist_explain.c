// SPDX-License-Identifier: GPL-2.0-or-later
/* Gather what explains an answer, then render it. See blacklist_explain.h. */
#include "report/blacklist_explain.h"
#include "report/blacklist_json.h"
#include "report/blacklist_text.h"

#include <math.h>

#define text_of blacklist_text_of
#define LATER_MAX 8 /* a series has a handful of hazards one behind the other */

/* --- measurements -------------------------------------------------------------------------- */

static json_t *row_json(const struct measured *m, const struct ktb_kernel *k)
{
	g_autofree char *detail = m->affected ? g_strdup(m->title ? m->title : "failed")
				  : isnan(m->p_missed)
					  ? g_strdup("uncalibrated: no bound on what was missed")
					  : g_strdup_printf("P(missed) <= %.2g", m->p_missed);
	json_t *journals = json_array();

	for (char **dir = m->journals; dir && *dir; dir++)
		json_array_append_new(journals, json_string(*dir));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "kernel",
			 m->kernel ? m->kernel : "", "vendor", k->vendor, "build",
			 k->build[0] ? k->build : k->base, "release", k->release, "probe", m->probe,
			 "verdict", m->affected ? "affected" : "clean", "detail", detail,
			 "journals", journals);
}

static bool is_same_build(const struct ktb_kernel *a, const struct ktb_kernel *b)
{
	return !strcmp(a->release, b->release) &&
	       ((a->version[0] && !strcmp(a->version, b->version)) ||
		(a->build[0] && !strcmp(a->build, b->build)));
}

/* Measurements of the operation: of this build, or (`same` false) of others of its branch. */
static json_t *rows(const struct blacklist_question *q, const struct ktb_kernel *kernel,
		    const char *op, bool same)
{
	json_t *list = json_array();

	for (unsigned i = 0; q->measured && i < q->measured->len; i++) {
		const struct measured *m = q->measured->pdata[i];
		struct ktb_kernel k;

		if (strcmp(m->op, op))
			continue;
		know_identify_measured(m, &k);
		if (is_same_build(&k, kernel) != same)
			continue;
		if (same || (!strcmp(k.vendor, kernel->vendor) &&
			     !ktb_branch_compare(k.base, kernel->base)))
			json_array_append_new(list, row_json(m, &k));
	}
	return list;
}

/* --- hazards ------------------------------------------------------------------------------- */

/* Those of a hazard's ranges that speak of the kernel's branch: its vendor's, and mainline's. */
static json_t *ranges_near(const json_t *hazard, const struct ktb_kernel *k)
{
	json_t *list = json_array(), *range;
	size_t i;

	json_array_foreach (json_object_get(hazard, "ranges"), i, range) {
		const char *vendor = text_of(range, "vendor"), *from = text_of(range, "from");
		const char *to = text_of(range, "to"), *last = text_of(range, "last_seen");
		const struct ktb_range r = { vendor, KTB_RANGE_AFFECTED, from, *last ? last : NULL,
					     *to ? to : from };

		if (strcmp(vendor, k->vendor) && strcmp(vendor, "mainline"))
			continue;
		if (!*from || ktb_branch_share(ktb_point_of(k->base), &r) ||
		    !ktb_branch_compare(k->base, from) || !ktb_branch_compare(k->base, r.hi))
			json_array_append(list, range);
	}
	return list;
}

/* The sources that name a bound of these ranges; without any, all of the hazard that decided. */
static json_t *sources_of(const json_t *hazard, const json_t *ranges, bool decided)
{
	json_t *all = json_object_get(hazard, "sources"), *list = json_array();
	json_t *source, *range;
	size_t i, j;

	json_array_foreach (all, i, source) {
		bool about = false;

		json_array_foreach (ranges, j, range)
			about = about || blacklist_is_about(text_of(source, "says"), range);
		if (about)
			json_array_append(list, source);
	}
	if (json_array_size(list) || !decided)
		return list;
	json_decref(list);
	return json_deep_copy(all);
}

static json_t *hazard_json(const struct blacklist_question *q, const struct hazard *h,
			   const struct ktb_kernel *kernel, const struct ktb_answer *decided)
{
	const struct ktb_hazard view = know_hazard_view(h);
	const struct ktb_table alone = {
		.digest = "", .surveyed = q->hazards->surveyed, .hazards = &view, .n_hazards = 1
	};
	struct ktb_kernel plain = *kernel;
	struct ktb_answer a;
	bool is_it = decided->hazard && !strcmp(decided->hazard, h->id);
	json_t *all = blacklist_json_hazard(h), *ranges = ranges_near(all, kernel), *out;

	ktb_strict(&plain, 0);
	ktb_force(&plain, NULL);
	a = ktb_table_check(&alone, &plain, h->op);
	out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s?, s:s?, s:s?, s:o, s:o, s:O}", "id",
			h->id, "summary", h->summary, "value", ktb_value_name(a.value), "evidence",
			ktb_evidence_name(a.evidence), "reason", a.reason, "decided", is_it,
			"workaround", h->workaround, "needs", h->needs, "fix", h->fix, "sources",
			sources_of(all, ranges, is_it), "ranges", ranges, "claims",
			json_object_get(all, "claims"));
	json_decref(all);
	return out;
}

static json_t *hazards_json(const struct blacklist_question *q, const struct ktb_kernel *kernel,
			    const char *op, const struct hazard *only,
			    const struct ktb_answer *decided)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < q->hazards->all->len; i++) {
		const struct hazard *h = q->hazards->all->pdata[i];

		if (!strcmp(h->op, op) && (!only || only == h))
			json_array_append_new(list, hazard_json(q, h, kernel, decided));
	}
	return list;
}

/* --- later builds -------------------------------------------------------------------------- */

/* The end of an affected range of `vendor` that the kernel's branch is in, or NULL. */
static const char *end_of(const struct hazard *h, const struct ktb_kernel *k, const char *vendor)
{
	const char *at = k->build[0] ? k->build : k->base_exact ? k->base : NULL;
	const char *end = NULL;

	for (unsigned i = 0; i < h->ranges->len; i++) {
		const struct ktb_range *r = &g_array_index(h->ranges, struct ktb_range, i);
		bool mine = !strcmp(vendor, k->vendor);

		if (r->kind != KTB_RANGE_AFFECTED || strcmp(r->vendor, vendor))
			continue;
		if (mine && at) {
			enum ktb_place place = ktb_place_of(k->order, at, r);

			if (place == KTB_INSIDE || place == KTB_GAP)
				return r->hi;
		} else if (ktb_branch_share(ktb_point_of(k->base), r)) {
			end = r->hi;
		}
	}
	return end;
}

/* The first build behind the decisive hazard's range, in the kernel's series or else upstream. */
static bool step_on(const struct blacklist_question *q, struct ktb_kernel *k, const char *hazard,
		    const char **ret_end)
{
	const struct hazard *h = hazard ? hazard_set_find(q->hazards, hazard) : NULL;
	const char *vendor = k->vendor;

	*ret_end = NULL;
	if (!h)
		return false;
	*ret_end = end_of(h, k, vendor);
	if (!*ret_end && k->trust == KTB_BASE_EXACT) {
		vendor = "mainline";
		*ret_end = end_of(h, k, vendor);
	}
	if (!*ret_end || ktb_is_eol(*ret_end) || !strcmp(*ret_end, "unknown"))
		return false;
	return blacklist_kernel_of_bound(vendor, *ret_end, k);
}

static json_t *later_json(const char *vendor, const char *build, const struct ktb_answer *a)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "vendor", vendor, "build", build, "value",
			 ktb_value_name(a->value), "evidence", ktb_evidence_name(a->evidence),
			 "reason", a->reason);
}

/* From the end of one range to the next, until the declarations call a build clean; *ret_end is
 * where nobody knows on, or NULL. */
static json_t *later(const struct blacklist_question *q, const struct ktb_kernel *kernel,
		     const char *op, const char **ret_end)
{
	struct ktb_table declared = q->known->table;
	struct ktb_kernel k = *kernel;
	struct ktb_answer a;
	json_t *list = json_array();

	declared.n_measured = 0;
	declared.n_spans = 0;
	k.strict = 0;
	k.force = NULL;
	a = ktb_table_check(&declared, &k, op);
	*ret_end = NULL;
	for (int i = 0; i < LATER_MAX && a.value != KTB_CLEAN; i++) {
		if (!step_on(q, &k, a.hazard, ret_end))
			break;
		*ret_end = NULL;
		a = ktb_table_check(&declared, &k, op);
		json_array_append_new(list,
				      later_json(k.vendor, k.build[0] ? k.build : k.base, &a));
	}
	return list;
}

/* --- what would change it ------------------------------------------------------------------ */

static void say(json_t *list, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static void say(json_t *list, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	json_array_append_new(list, json_vsprintf(fmt, ap));
	va_end(ap);
}

/* A probe that presses on the operation, or NULL. */
static const char *probe_for(const struct blacklist_question *q, const char *op)
{
	for (unsigned i = 0; q->probes && i < q->probes->len; i++) {
		const struct probe_info *p = q->probes->pdata[i];

		for (char **id = p->hazards; *id; id++) {
			const struct hazard *h = hazard_set_find(q->hazards, *id);

			if (h && !strcmp(h->op, op))
				return p->name;
		}
	}
	return NULL;
}

static void say_measure(json_t *list, const struct blacklist_question *q, const char *op,
			const struct ktb_answer *a)
{
	const char *probe = probe_for(q, op);
	g_autofree char *how =
		probe ? g_strdup_printf(": klab run -k file:IMAGE -p %s", probe) : g_strdup("");

	if (a->evidence == KTB_MEASURED)
		say(list,
		    "another measurement of this very build%s; two that differ are told as a "
		    "contradiction, and the worse one counts",
		    how);
	else if (a->value == KTB_AFFECTED)
		say(list,
		    "a clean measurement of this very build, with a bound on what it missed%s",
		    how);
	else
		say(list, "a measurement of this very build%s", how);
}

static json_t *changes_json(const struct blacklist_question *q, const struct ktb_kernel *k,
			    const char *op, const struct ktb_answer *a)
{
	bool dpkg = !strcmp(k->vendor, "debian") || !strcmp(k->vendor, "ubuntu");
	json_t *list = json_array();

	if (dpkg && !k->build[0])
		say(list, "the build: it is only in 'uname -v', give that as --version");
	say_measure(list, q, op, a);
	if (a->value == KTB_UNKNOWN && !a->hazard)
		say(list, "a hazard of this operation in hazards.yaml");
	else if (a->value == KTB_UNKNOWN)
		say(list, "a range in hazards.yaml that covers this build");
	if (a->needs && a->value != KTB_CLEAN)
		say(list, "a kernel without %s: the answer does not look at the configuration",
		    a->needs);
	if (a->strict)
		say(list, "without --strict this is unknown");
	return list;
}

json_t *blacklist_explain_op(const struct blacklist_question *q, const struct ktb_kernel *kernel,
			     const char *op, const struct hazard *only)
{
	struct ktb_answer a = ktb_table_check(&q->known->table, kernel, op);
	const char *end;
	json_t *next = later(q, kernel, op, &end);

	return json_pack(
		"{s:s, s:s, s:s, s:b, s:s, s:s?, s:o, s:o, s:o, s:o, s:s?, s:o}", "op", op, "value",
		ktb_value_name(a.value), "evidence", ktb_evidence_name(a.evidence), "contradicted",
		a.contradicted, "reason", a.reason, "hazard", a.hazard, "hazards",
		hazards_json(q, kernel, op, only, &a), "measured", rows(q, kernel, op, true),
		"nearby", rows(q, kernel, op, false), "later", next, "later_ends_at", end,
		"would_change", changes_json(q, kernel, op, &a));
}

/* --- for people ---------------------------------------------------------------------------- */

static void line(GString *out, const char *label, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
static void line(GString *out, const char *label, const char *fmt, ...)
{
	va_list ap;

	g_string_append_printf(out, "  %-13s", label);
	va_start(ap, fmt);
	g_string_append_vprintf(out, fmt, ap);
	va_end(ap);
	g_string_append_c(out, '\n');
}

static void append_notes(GString *out, const json_t *list, const char *label, const char *who)
{
	json_t *note;
	size_t i;

	json_array_foreach (list, i, note)
		line(out, label, "%s: %s", text_of(note, who), text_of(note, "says"));
}

static void append_ranges(GString *out, const json_t *list)
{
	json_t *range;
	size_t i;

	json_array_foreach (list, i, range) {
		g_autoptr(GString) builds = g_string_new(NULL);

		blacklist_append_builds(builds, range);
		line(out, "interval", "%s %s: %s", text_of(range, "vendor"),
		     blacklist_range_answer(range), builds->str);
	}
}

static void append_hazard(GString *out, const json_t *h)
{
	const char *workaround = text_of(h, "workaround");
	g_autofree char *answer =
		blacklist_answer_text(text_of(h, "value"), text_of(h, "evidence"));

	line(out, json_is_true(json_object_get(h, "decided")) ? "decided by" : "hazard", "%s: %s",
	     text_of(h, "id"), text_of(h, "summary"));
	line(out, "  declared", "%s: %s", answer, text_of(h, "reason"));
	append_ranges(out, json_object_get(h, "ranges"));
	append_notes(out, json_object_get(h, "sources"), "source", "how");
	append_notes(out, json_object_get(h, "claims"), "claim", "who");
	if (!strcmp(text_of(h, "value"), "clean"))
		return;
	line(out, "workaround", "%s", *workaround ? workaround : "none is known");
	line(out, "fix", "%s", *text_of(h, "fix") ? text_of(h, "fix") : "none yet");
}

static void append_rows(GString *out, const json_t *list, const char *label)
{
	json_t *row;
	size_t i, j;

	json_array_foreach (list, i, row) {
		const json_t *journals = json_object_get(row, "journals");
		json_t *dir;

		line(out, label, "%s %s by %s: %s, %s", text_of(row, "vendor"),
		     text_of(row, "build"), text_of(row, "probe"), text_of(row, "verdict"),
		     text_of(row, "detail"));
		json_array_foreach (journals, j, dir)
			line(out, "", "journal %s", json_string_value(dir));
	}
}

static void append_later(GString *out, const json_t *e)
{
	const char *end = text_of(e, "later_ends_at");
	json_t *build;
	size_t i;

	json_array_foreach (json_object_get(e, "later"), i, build) {
		g_autofree char *answer =
			blacklist_answer_text(text_of(build, "value"), text_of(build, "evidence"));

		line(out, "later", "%s %s: %s: %s", text_of(build, "vendor"),
		     text_of(build, "build"), answer, text_of(build, "reason"));
	}
	if (!strcmp(end, "unknown"))
		line(out, "later", "nobody has found the first build that is fixed");
	else if (g_str_has_suffix(end, "-eol"))
		line(out, "later", "no build up to the last of %.*s is fixed", (int)strlen(end) - 4,
		     end);
}

void blacklist_explain_op_text(GString *out, const json_t *e)
{
	g_autofree char *answer =
		blacklist_answer_text(text_of(e, "value"), text_of(e, "evidence"));
	json_t *item;
	size_t i;

	g_string_append_printf(out, "\n%s: %s%s\n", text_of(e, "op"), answer,
			       json_is_true(json_object_get(e, "contradicted"))
				       ? ", evidence is contradictory"
				       : "");
	line(out, "because", "%s", text_of(e, "reason"));
	append_rows(out, json_object_get(e, "measured"), "measured");
	append_rows(out, json_object_get(e, "nearby"), "nearby");
	json_array_foreach (json_object_get(e, "hazards"), i, item)
		append_hazard(out, item);
	append_later(out, e);
	json_array_foreach (json_object_get(e, "would_change"), i, item)
		line(out, "would change", "%s", json_string_value(item));
}

/* --- a hazard ------------------------------------------------------------------------------ */

static json_t *all_rows(const struct blacklist_question *q, const struct hazard *h)
{
	json_t *list = json_array();

	for (unsigned i = 0; q->measured && i < q->measured->len; i++) {
		const struct measured *m = q->measured->pdata[i];
		struct ktb_kernel k;

		/* a failure that looks like another hazard says nothing on this one */
		if (strcmp(m->op, h->op) || (m->affected && m->hazard && strcmp(m->hazard, h->id)))
			continue;
		know_identify_measured(m, &k);
		json_array_append_new(list, row_json(m, &k));
	}
	return list;
}

static json_t *probes_json(const struct blacklist_question *q, const struct hazard *h)
{
	json_t *list = json_array();

	for (unsigned i = 0; q->probes && i < q->probes->len; i++) {
		const struct probe_info *p = q->probes->pdata[i];

		if (g_strv_contains((const char *const *)p->hazards, h->id))
			json_array_append_new(list, json_string(p->name));
	}
	return list;
}

json_t *blacklist_explain_hazard(const struct blacklist_question *q, const struct hazard *hazard)
{
	json_t *out = blacklist_json_hazard(hazard);

	json_object_set_new(out, "probes", probes_json(q, hazard));
	json_object_set_new(out, "measured", all_rows(q, hazard));
	return out;
}

static void append_texts(GString *out, const json_t *list, const char *label, const char *none)
{
	g_autoptr(GString) text = g_string_new(NULL);
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		g_string_append_printf(text, "%s%s", i ? ", " : "", json_string_value(item));
	line(out, label, "%s", text->len ? text->str : none);
}

void blacklist_explain_hazard_text(GString *out, const json_t *e)
{
	const char *workaround = text_of(e, "workaround");
	json_t *probe;
	size_t i;

	g_string_append_printf(out, "%s: %s\n", text_of(e, "id"), text_of(e, "summary"));
	line(out, "operation", "%s", text_of(e, "op"));
	line(out, "workaround", "%s", *workaround ? workaround : "none is known");
	append_texts(out, json_object_get(e, "introduced"), "introduced", "not known");
	append_texts(out, json_object_get(e, "fixed"), "fixed", "nothing yet");
	append_texts(out, json_object_get(e, "kconfig"), "only with", "any configuration");
	append_ranges(out, json_object_get(e, "ranges"));
	append_notes(out, json_object_get(e, "sources"), "source", "how");
	append_notes(out, json_object_get(e, "claims"), "claim", "who");
	append_rows(out, json_object_get(e, "measured"), "measured");
	json_array_foreach (json_object_get(e, "probes"), i, probe)
		line(out, "probe", "klab run -p %s", json_string_value(probe));
}
