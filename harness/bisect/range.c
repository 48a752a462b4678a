// SPDX-License-Identifier: GPL-2.0-or-later
/* See range.h. */
#include "bisect/range.h"

#include "bisect/prior.h"

#include <math.h>
#include <string.h>

#define ID_DIGITS_MIN 7
#define NAME_DIGITS 12
#define TEXT_MAX 512

void bisect_range_free(struct bisect_range *r)
{
	if (!r)
		return;
	for (unsigned i = 0; r->changes && i <= r->n; i++) {
		g_free(r->changes[i].id);
		g_free(r->changes[i].subject);
	}
	g_free(r->changes);
	dag_free(r->dag);
	g_free(r->prior);
	g_free(r->beside);
	g_free(r);
}

static struct bisect_range *range_new(unsigned n, bool commits, bool fix)
{
	struct bisect_range *r = g_new0(struct bisect_range, 1);

	r->commits = commits;
	r->fix = fix;
	r->n = n;
	r->changes = g_new0(struct bisect_change, n + 1);
	r->prior = g_new(double, n);
	for (unsigned i = 0; i < n; i++)
		r->prior[i] = 1;
	return r;
}

/* Everything must lead to the last one: what does not is in neither end. */
static bool check_tip(const struct bisect_range *r, GError **error)
{
	g_autofree uint8_t *in = g_new0(uint8_t, r->n);

	dag_mark(r->dag, r->n - 1, in);
	for (unsigned i = 0; i < r->n; i++)
		if (!in[i])
			return lab_fail(error, LAB_ERROR_INPUT,
					"change '%s' is not in the history of the last one",
					r->changes[i].id);
	return true;
}

bool bisect_range_commits(const struct history *h, bool fix, const char *const *suspects,
			  struct bisect_range **ret, GError **error)
{
	g_autoptr(bisect_range) r = range_new(h->n, true, fix);

	if (!dag_new(h->n, h->first, h->parents, &r->dag, error))
		return false;
	for (unsigned i = 0; i < h->n; i++) {
		const struct history_commit *c = &h->commits[i];

		r->changes[i] = (struct bisect_change){ g_strdup(c->id), g_strdup(c->subject),
							dag_n_parents(r->dag, i) > 1 };
		r->prior[i] = prior_of_change(
			&(struct prior_facts){ .merge = r->changes[i].merge, .fixes = c->fixes,
					       .files = (const char *const *)c->files }, suspects);
	}
	r->changes[h->n].id = g_strdup(h->from);
	r->beside = g_strdup(h->beside);
	if (!check_tip(r, error))
		return false;
	*ret = g_steal_pointer(&r);
	return true;
}

bool bisect_range_kernels(const char *const *ids, bool fix, struct bisect_range **ret,
			  GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	unsigned n = g_strv_length((char **)ids);
	struct bisect_range *r;

	if (n < 2)
		return lab_fail(error, LAB_ERROR_USAGE,
				"%u kernel: a range has two ends and what lies between them", n);
	for (unsigned i = 0; i < n; i++)
		if (!g_hash_table_add(seen, (char *)ids[i]))
			return lab_fail(error, LAB_ERROR_USAGE, "kernel '%s' is there twice", ids[i]);
	r = range_new(n - 1, false, fix);
	r->dag = dag_chain(n - 1);
	for (unsigned i = 1; i < n; i++)
		r->changes[i - 1].id = g_strdup(ids[i]);
	r->changes[n - 1].id = g_strdup(ids[0]);
	*ret = r;
	return true;
}

/* --- JSON --------------------------------------------------------------------------------------- */

static json_t *change_json(const struct bisect_range *r, unsigned i)
{
	const struct bisect_change *c = &r->changes[i];
	json_t *json = json_pack("{s:s, s:s*}", "id", c->id, "subject", c->subject), *parents;

	if (i == r->n)
		return json;
	parents = json_array();
	for (unsigned k = r->dag->first[i]; k < r->dag->first[i + 1]; k++)
		json_array_append_new(parents, json_integer(r->dag->parents[k]));
	json_object_set_new(json, "parents", parents);
	json_object_set_new(json, "prior", json_real(r->prior[i]));
	return json;
}

json_t *bisect_range_json(const struct bisect_range *r)
{
	json_t *changes = json_array();

	for (unsigned i = 0; i <= r->n; i++)
		json_array_append_new(changes, change_json(r, i));
	return json_pack("{s:b, s:b, s:s*, s:o}", "commits", (int)r->commits, "fix", (int)r->fix,
			 "beside", r->beside, "changes", changes);
}

static bool bad(GError **error, const char *what)
{
	return lab_fail(error, LAB_ERROR_INPUT, "the range has no good '%s'", what);
}

static bool is_text(const json_t *json)
{
	return json_is_string(json) && json_string_length(json) &&
	       json_string_length(json) <= TEXT_MAX;
}

static bool read_change(struct bisect_range *r, unsigned i, const json_t *json, GArray *parents,
			GError **error)
{
	const json_t *id = json_object_get(json, "id"), *subject = json_object_get(json, "subject");
	const json_t *list = json_object_get(json, "parents"), *prior = json_object_get(json, "prior");
	double p = json_number_value(prior);

	if (!is_text(id))
		return bad(error, "id");
	r->changes[i].id = g_strdup(json_string_value(id));
	r->changes[i].subject = g_strdup(json_string_value(subject));
	if (i == r->n)
		return true;
	if (!json_is_array(list) || !json_is_number(prior) || !(p > 0) || !isfinite(p))
		return bad(error, "parents or prior");
	r->prior[i] = p;
	r->changes[i].merge = json_array_size(list) > 1;
	for (size_t k = 0; k < json_array_size(list); k++) {
		json_int_t parent = json_integer_value(json_array_get(list, k));
		unsigned number = parent < 0 || parent >= i ? i : parent;	/* dag_new() refuses */

		g_array_append_val(parents, number);
	}
	return true;
}

bool bisect_range_parse(const json_t *json, struct bisect_range **ret, GError **error)
{
	const json_t *changes = json_object_get(json, "changes");
	const json_t *beside = json_object_get(json, "beside");
	size_t n = json_array_size(changes);
	g_autoptr(GArray) first = g_array_new(FALSE, TRUE, sizeof(unsigned));
	g_autoptr(GArray) parents = g_array_new(FALSE, TRUE, sizeof(unsigned));
	g_autoptr(bisect_range) r = NULL;
	unsigned zero = 0;

	if (n < 2 || n > DAG_NODES_MAX)
		return bad(error, "changes");
	if (beside && !is_text(beside))
		return bad(error, "beside");
	r = range_new(n - 1, json_is_true(json_object_get(json, "commits")),
		      json_is_true(json_object_get(json, "fix")));
	r->beside = g_strdup(json_string_value(beside));
	for (unsigned i = 0; i <= r->n; i++) {
		g_array_append_val(first, parents->len);
		if (!read_change(r, i, json_array_get(changes, i), parents, error))
			return false;
	}
	g_array_append_val(parents, zero);	/* never without memory */
	if (!dag_new(r->n, (unsigned *)first->data, (unsigned *)parents->data, &r->dag, error) ||
	    !check_tip(r, error))
		return false;
	*ret = g_steal_pointer(&r);
	return true;
}

/* --- names -------------------------------------------------------------------------------------- */

int bisect_range_find(const struct bisect_range *r, const char *id)
{
	size_t len = strlen(id);
	int found = -1;

	for (unsigned i = 0; i <= r->n; i++) {
		if (!strcmp(r->changes[i].id, id))
			return i;
		if (!r->commits || len < ID_DIGITS_MIN || strncmp(r->changes[i].id, id, len))
			continue;
		if (found >= 0)
			return -1;
		found = i;
	}
	return found;
}

char *bisect_range_name(const struct bisect_range *r, unsigned node)
{
	return g_strndup(r->changes[node].id, r->commits ? NAME_DIGITS : TEXT_MAX);
}
