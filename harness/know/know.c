// SPDX-License-Identifier: GPL-2.0-or-later
/* Declarations and measurements into one look-up table, in an order that depends on them alone. */
#include "know/know.h"
#include "know/spans.h"

#include <math.h>

struct ktb_hazard know_hazard_view(const struct hazard *hazard)
{
	return (struct ktb_hazard){
		.id = hazard->id,
		.op = hazard->op,
		.summary = hazard->summary,
		.workaround = hazard->workaround,
		.needs = hazard->needs,
		.fix = hazard->fix,
		.ranges = (const struct ktb_range *)(void *)hazard->ranges->data,
		.n_ranges = hazard->ranges->len,
	};
}

void know_identify_measured(const struct measured *m, struct ktb_kernel *ret)
{
	g_autofree char *os_release = m->vendor ? g_strdup_printf("ID=%s\n", m->vendor) : NULL;

	ktb_identify(ret, m->release, m->version, os_release);
	/* The package's version is exact where uname only says the ABI. */
	if (!ret->build[0] && m->package_version && !g_strcmp0(m->vendor, ret->vendor))
		ktb_copy(ret->build, sizeof(ret->build), m->package_version, sizeof(ret->build));
}

bool know_foretold(const struct hazard_set *hazards, const struct ktb_kernel *kernel,
		   const char *hazard_id)
{
	const struct hazard *hazard = hazard_set_find(hazards, hazard_id);
	const struct ktb_table table = { .digest = "", .surveyed = hazards->surveyed };
	struct ktb_hazard view;

	if (!hazard)
		return false;
	view = know_hazard_view(hazard);
	return ktb_check_hazard(&table, &view, kernel).value == KTB_AFFECTED;
}

#define TITLE_MAX 120 /* a longer one would not fit an answer's reason */

static char *detail_of(const struct measured *m)
{
	g_autofree char *title = g_strndup(m->title  ? m->title
					   : m->kind ? m->kind
						     : "failed",
					   TITLE_MAX);

	for (char *at = title; *at; at++)
		if (!g_ascii_isprint(*at))
			*at = '?';
	if (m->affected)
		return g_strdup_printf("probe %.40s: %s%s", m->probe, title,
				       m->untold ? ", its operations not told apart" : "");
	if (isnan(m->p_missed))
		return g_strdup_printf("probe %.40s: clean, uncalibrated", m->probe);
	return g_strdup_printf("probe %.40s: clean, P(missed) <= %.2g", m->probe, m->p_missed);
}

/* Nothing stated comes last. */
static int compare_bounds(double a, double b)
{
	if (isnan(a) || isnan(b))
		return isnan(a) - isnan(b);
	return (a > b) - (a < b);
}

/* By operation and build; the worst and then the best founded first. */
static int compare_seen(gconstpointer pa, gconstpointer pb)
{
	const struct seen *sa = pa, *sb = pb;
	const struct ktb_measured *a = &sa->m, *b = &sb->m;
	int diff = ktb_text_compare(a->op, b->op);

	if (!diff)
		diff = ktb_text_compare(a->release, b->release);
	if (!diff)
		diff = ktb_text_compare(a->build, b->build);
	if (!diff)
		diff = ktb_text_compare(a->version, b->version);
	if (!diff)
		diff = (int)b->value - (int)a->value;
	if (!diff)
		diff = !a->hazard - !b->hazard;
	if (!diff)
		diff = compare_bounds(sa->p_missed, sb->p_missed);
	if (!diff)
		diff = g_strcmp0(a->hazard, b->hazard);
	return diff ? diff : ktb_text_compare(a->detail, b->detail);
}

static bool same_build(const struct ktb_measured *a, const struct ktb_measured *b)
{
	return !strcmp(a->op, b->op) && !strcmp(a->release, b->release) &&
	       !strcmp(a->build, b->build) && !strcmp(a->version, b->version);
}

static struct seen see(struct knowledge *k, const struct measured *m)
{
	g_autofree char *detail = detail_of(m);
	struct seen s = { .p_missed = m->affected ? NAN : m->p_missed };

	know_identify_measured(m, &s.kernel);
	s.m = (struct ktb_measured){
		.release = g_string_chunk_insert_const(k->text, s.kernel.release),
		.version = g_string_chunk_insert_const(k->text, s.kernel.version),
		.build = g_string_chunk_insert_const(k->text, s.kernel.build),
		.op = g_string_chunk_insert_const(k->text, m->op),
		.value = m->affected ? KTB_AFFECTED : KTB_CLEAN,
		.calibrated = m->affected || !isnan(m->p_missed),
		.hazard = m->affected && m->hazard && !m->untold
				  ? g_string_chunk_insert_const(k->text, m->hazard)
				  : NULL,
		.detail = g_string_chunk_insert_const(k->text, detail),
	};
	return s;
}

/* The first of each build and value stays: of a verdict the best founded; two values that
 * contradict each other both stay, so that look-ups can say so. */
static void take_measured(struct knowledge *k, const GPtrArray *measured)
{
	g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct seen));
	g_autoptr(GArray) spans = NULL;
	size_t n = 0;

	k->measured = g_new0(struct ktb_measured, measured->len + 1);
	for (unsigned i = 0; i < measured->len; i++) {
		struct seen s = see(k, g_ptr_array_index(measured, i));

		g_array_append_val(all, s);
	}
	g_array_sort(all, compare_seen);
	for (unsigned i = 0; i < all->len; i++) {
		const struct ktb_measured *m = &g_array_index(all, struct seen, i).m;

		if (!n || !same_build(&k->measured[n - 1], m) ||
		    k->measured[n - 1].value != m->value)
			k->measured[n++] = *m;
	}
	k->table.measured = k->measured;
	k->table.n_measured = n;
	spans = spans_make(&k->table, all, k->text);
	k->table.n_spans = spans->len;
	k->table.spans = k->spans =
		(struct ktb_span *)(void *)g_array_free(g_steal_pointer(&spans), FALSE);
}

static int compare_strings(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char **collect_ops(const struct knowledge *k)
{
	g_autoptr(GPtrArray) ops = g_ptr_array_new();

	for (size_t i = 0; i < k->table.n_hazards; i++)
		if (!g_ptr_array_find_with_equal_func(ops, k->hazards[i].op, g_str_equal, NULL))
			g_ptr_array_add(ops, (char *)k->hazards[i].op);
	for (size_t i = 0; i < k->table.n_measured; i++)
		if (!g_ptr_array_find_with_equal_func(ops, k->measured[i].op, g_str_equal, NULL))
			g_ptr_array_add(ops, (char *)k->measured[i].op);
	g_ptr_array_sort(ops, compare_strings);
	g_ptr_array_add(ops, NULL);
	return g_strdupv((char **)ops->pdata);
}

/* By operation, as look-ups want it; hazards of one operation stay as they were declared. */
static gint compare_hazards(gconstpointer pa, gconstpointer pb, gpointer unused)
{
	const struct ktb_hazard *a = pa, *b = pb;

	return strcmp(a->op, b->op);
}

struct knowledge *know_new(const struct hazard_set *hazards, const GPtrArray *measured)
{
	struct knowledge *k = g_new0(struct knowledge, 1);

	k->text = g_string_chunk_new(4096);
	k->hazards = g_new0(struct ktb_hazard, hazards->all->len + 1);
	for (unsigned i = 0; i < hazards->all->len; i++)
		k->hazards[i] = know_hazard_view(g_ptr_array_index(hazards->all, i));
	g_qsort_with_data(k->hazards, (gint)hazards->all->len, sizeof(*k->hazards), compare_hazards,
			  NULL);
	k->table.digest = "";
	k->table.surveyed = hazards->surveyed;
	k->table.hazards = k->hazards;
	k->table.n_hazards = hazards->all->len;
	if (measured)
		take_measured(k, measured);
	k->ops = collect_ops(k);
	return k;
}

void know_free(struct knowledge *k)
{
	if (!k)
		return;
	g_free(k->hazards);
	g_free(k->measured);
	g_free(k->spans);
	g_strfreev(k->ops);
	g_string_chunk_free(k->text);
	g_free(k);
}

/* What was measured on this very build for this operation: "affected (detail) and clean (detail)".
 */
static char *all_measured(const struct knowledge *k, const struct ktb_kernel *kernel,
			  const char *op)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);

	for (size_t i = 0; i < k->table.n_measured; i++) {
		const struct ktb_measured *m = &k->measured[i];

		if (ktb_measured_is(m, kernel, op))
			g_ptr_array_add(list, g_strdup_printf("%s (%s)", ktb_value_name(m->value),
							      m->detail));
	}
	g_ptr_array_sort(list, compare_strings);
	g_ptr_array_add(list, NULL);
	return g_strjoinv(" and ", (char **)list->pdata);
}

/* NULL: nothing contradicts this measurement. */
static char *contradiction_of(const struct knowledge *k, const struct measured *m)
{
	struct ktb_table declared = k->table;
	struct ktb_kernel kernel;
	struct ktb_answer before;
	g_autofree char *seen = NULL, *said = NULL;

	declared.n_measured = declared.n_spans = 0;
	know_identify_measured(m, &kernel);
	if (!ktb_table_check(&k->table, &kernel, m->op).contradicted)
		return NULL;
	before = ktb_table_check(&declared, &kernel, m->op);
	seen = all_measured(k, &kernel, m->op);
	if (before.value != KTB_UNKNOWN)
		said = g_strdup_printf("; %s %s (%s)", ktb_evidence_name(before.evidence),
				       ktb_value_name(before.value), before.reason);
	return g_strdup_printf("%s (%s): %s is measured %s%s", m->kernel, m->release, m->op, seen,
			       said ? said : "");
}

char **know_contradictions(const struct knowledge *k, const GPtrArray *measured)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) list = g_ptr_array_new();

	for (unsigned i = 0; measured && i < measured->len; i++) {
		char *sentence = contradiction_of(k, g_ptr_array_index(measured, i));

		if (!sentence || g_hash_table_contains(seen, sentence)) {
			g_free(sentence);
			continue;
		}
		g_hash_table_add(seen, sentence);
		g_ptr_array_add(list, sentence);
	}
	g_ptr_array_sort(list, compare_strings);
	g_ptr_array_add(list, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&list), FALSE);
}
