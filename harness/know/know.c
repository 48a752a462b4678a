// SPDX-License-Identifier: GPL-2.0-or-later
/* Declarations and measurements into one look-up table, in an order that depends on them alone. */
#include "know/know.h"

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
		return g_strdup_printf("probe %.40s: %s", m->probe, title);
	if (isnan(m->p_missed))
		return g_strdup_printf("probe %.40s: clean, uncalibrated", m->probe);
	return g_strdup_printf("probe %.40s: clean, P(missed) <= %.2g", m->probe, m->p_missed);
}

static int compare_text(const char *a, const char *b)
{
	int diff = g_strcmp0(a, b);

	return diff < 0 ? -1 : diff > 0;
}

/* By operation and build; the worst and then the best founded first. */
static int compare_measured(gconstpointer pa, gconstpointer pb)
{
	const struct ktb_measured *a = pa, *b = pb;
	int diff = compare_text(a->op, b->op);

	if (!diff)
		diff = compare_text(a->release, b->release);
	if (!diff)
		diff = compare_text(a->build, b->build);
	if (!diff)
		diff = compare_text(a->version, b->version);
	if (!diff)
		diff = (int)b->value - (int)a->value;
	if (!diff)
		diff = b->calibrated - a->calibrated;
	return diff ? diff : compare_text(a->detail, b->detail);
}

static bool same_build(const struct ktb_measured *a, const struct ktb_measured *b)
{
	return !strcmp(a->op, b->op) && !strcmp(a->release, b->release) &&
	       !strcmp(a->build, b->build) && !strcmp(a->version, b->version);
}

static struct ktb_measured measured_view(struct knowledge *k, const struct measured *m)
{
	g_autofree char *detail = detail_of(m);
	struct ktb_kernel kernel;

	know_identify_measured(m, &kernel);
	return (struct ktb_measured){
		.release = g_string_chunk_insert_const(k->text, kernel.release),
		.version = g_string_chunk_insert_const(k->text, kernel.version),
		.build = g_string_chunk_insert_const(k->text, kernel.build),
		.op = g_string_chunk_insert_const(k->text, m->op),
		.value = m->affected ? KTB_AFFECTED : KTB_CLEAN,
		.calibrated = m->affected || !isnan(m->p_missed),
		.detail = g_string_chunk_insert_const(k->text, detail),
	};
}

/* The first of each build and value stays: of a verdict the best founded; two values that
 * contradict each other both stay, so that look-ups can say so. */
static void take_measured(struct knowledge *k, const GPtrArray *measured)
{
	size_t n = 0;

	k->measured = g_new0(struct ktb_measured, measured->len + 1);
	for (unsigned i = 0; i < measured->len; i++)
		k->measured[i] = measured_view(k, g_ptr_array_index(measured, i));
	qsort(k->measured, measured->len, sizeof(*k->measured), compare_measured);
	for (unsigned i = 0; i < measured->len; i++)
		if (!n || !same_build(&k->measured[n - 1], &k->measured[i]) ||
		    k->measured[n - 1].value != k->measured[i].value)
			k->measured[n++] = k->measured[i];
	k->table.measured = k->measured;
	k->table.n_measured = n;
}

static int compare_op(gconstpointer a, gconstpointer b)
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
	g_ptr_array_sort(ops, compare_op);
	g_ptr_array_add(ops, NULL);
	return g_strdupv((char **)ops->pdata);
}

struct knowledge *know_new(const struct hazard_set *hazards, const GPtrArray *measured)
{
	struct knowledge *k = g_new0(struct knowledge, 1);

	k->text = g_string_chunk_new(4096);
	k->hazards = g_new0(struct ktb_hazard, hazards->all->len + 1);
	for (unsigned i = 0; i < hazards->all->len; i++)
		k->hazards[i] = know_hazard_view(g_ptr_array_index(hazards->all, i));
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
	g_strfreev(k->ops);
	g_string_chunk_free(k->text);
	g_free(k);
}

char **know_contradictions(const struct knowledge *k, const GPtrArray *measured)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GStrvBuilder) list = g_strv_builder_new();
	struct ktb_table declared = k->table;

	declared.n_measured = 0;
	for (unsigned i = 0; measured && i < measured->len; i++) {
		const struct measured *m = g_ptr_array_index(measured, i);
		struct ktb_kernel kernel;
		struct ktb_answer answer, before;
		char *sentence;

		know_identify_measured(m, &kernel);
		answer = ktb_table_check(&k->table, &kernel, m->op);
		before = ktb_table_check(&declared, &kernel, m->op);
		if (!answer.contradicted)
			continue;
		sentence = g_strdup_printf(
			"%s (%s): %s is %s by %s evidence (%s), measured %s", m->kernel, m->release,
			m->op, ktb_value_name(before.value), ktb_evidence_name(before.evidence),
			before.reason, m->affected ? "affected" : "clean");
		if (g_hash_table_add(seen, g_strdup(sentence)))
			g_strv_builder_add(list, sentence);
		g_free(sentence);
	}
	return g_strv_builder_end(list);
}
