// SPDX-License-Identifier: GPL-2.0-or-later
/* See dag.h. */
#include "bisect/dag.h"

#include <string.h>

void dag_free(struct dag *d)
{
	if (!d)
		return;
	g_free(d->first);
	g_free(d->parents);
	g_free(d->base);
	g_free(d->from);
	g_free(d->brought);
	g_free(d);
}

/* --- making one ---------------------------------------------------------------------------------
 */

/* Who was met in which walk, and where the walk still has to go. */
struct walk {
	const struct dag *d;
	unsigned *met, round;
	unsigned *todo, n_todo;
};

static void walk_to(struct walk *w, unsigned node)
{
	if (w->met[node] == w->round)
		return;
	w->met[node] = w->round;
	w->todo[w->n_todo++] = node;
}

/* All of `from`'s history that this round has not met. Each is told to `found`, if given. */
static void walk_from(struct walk *w, unsigned from, GArray *found)
{
	walk_to(w, from);
	while (w->n_todo) {
		unsigned at = w->todo[--w->n_todo];

		if (found)
			g_array_append_val(found, at);
		for (unsigned i = w->d->first[at]; i < w->d->first[at + 1]; i++)
			walk_to(w, w->d->parents[i]);
	}
}

/* The parent with the longest history; sizes of histories are exact. */
static unsigned longest(const struct dag *d, unsigned t, const unsigned *size)
{
	unsigned best = DAG_NONE;

	for (unsigned i = d->first[t]; i < d->first[t + 1]; i++)
		if (best == DAG_NONE || size[d->parents[i]] > size[best])
			best = d->parents[i];
	return best;
}

static int by_number(gconstpointer a, gconstpointer b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

static void list_brought(struct walk *w, unsigned t, GArray *brought)
{
	struct dag *d = (struct dag *)w->d;
	guint before = brought->len;

	if (dag_n_parents(d, t) < 2)
		return;
	w->round++;
	walk_from(w, d->base[t], NULL);
	for (unsigned i = d->first[t]; i < d->first[t + 1]; i++)
		walk_from(w, d->parents[i], brought);
	/* in order of memory: sums over them are most of a decision's time */
	if (brought->len > before)
		qsort(&g_array_index(brought, unsigned, before), brought->len - before,
		      sizeof(unsigned), by_number);
}

static bool prepare(struct dag *d, GError **error)
{
	g_autofree unsigned *met = g_new0(unsigned, d->n + 1), *todo = g_new(unsigned, d->n + 1);
	g_autofree unsigned *size = g_new(unsigned, d->n + 1);
	g_autoptr(GArray) brought = g_array_new(FALSE, FALSE, sizeof(unsigned));
	struct walk w = { .d = d, .met = met, .todo = todo };

	for (unsigned t = 0; t < d->n; t++) {
		d->base[t] = longest(d, t, size);
		d->from[t] = brought->len;
		list_brought(&w, t, brought);
		if (brought->len > DAG_BROUGHT_MAX)
			return lab_fail(
				error, LAB_ERROR_INPUT,
				"the history between the two ends has too many merges of long "
				"branches\nhint: --first-parent, or --path");
		size[t] = 1 + (d->base[t] == DAG_NONE ? 0 : size[d->base[t]]) + brought->len -
			  d->from[t];
	}
	d->from[d->n] = brought->len;
	d->brought = (unsigned *)g_array_free(g_steal_pointer(&brought), FALSE);
	return true;
}

static bool has_parent(const struct dag *d, unsigned from, unsigned to, unsigned parent)
{
	for (unsigned i = from; i < to; i++)
		if (d->parents[i] == parent)
			return true;
	return false;
}

static bool take_parents(struct dag *d, const unsigned *first, const unsigned *parents,
			 GError **error)
{
	unsigned n = 0;

	for (unsigned t = 0; t < d->n; t++) {
		d->first[t] = n;
		for (unsigned i = first[t]; i < first[t + 1]; i++) {
			if (parents[i] >= t)
				return lab_fail(error, LAB_ERROR_INPUT,
						"change %u does not come after its parent %u", t,
						parents[i]);
			if (!has_parent(d, d->first[t], n, parents[i]))
				d->parents[n++] = parents[i];
		}
	}
	d->first[d->n] = n;
	return true;
}

bool dag_new(unsigned n, const unsigned *first, const unsigned *parents, struct dag **ret,
	     GError **error)
{
	g_autoptr(dag) d = NULL;

	if (!n || n > DAG_NODES_MAX)
		return lab_fail(error, LAB_ERROR_INPUT,
				n ? "more than %u changes between the two ends"
				  : "no change between the two ends",
				DAG_NODES_MAX);
	d = g_new0(struct dag, 1);
	d->n = n;
	d->first = g_new(unsigned, n + 1);
	d->parents = g_new(unsigned, first[n] + 1);
	d->base = g_new(unsigned, n);
	d->from = g_new(unsigned, n + 1);
	if (!take_parents(d, first, parents, error) || !prepare(d, error))
		return false;
	*ret = g_steal_pointer(&d);
	return true;
}

struct dag *dag_chain(unsigned n)
{
	g_autofree unsigned *first = g_new(unsigned, n + 1), *parents = g_new(unsigned, n + 1);
	struct dag *d = NULL;

	for (unsigned i = 0; i <= n; i++) {
		first[i] = i ? i - 1 : 0;
		parents[i] = i;
	}
	if (!dag_new(n, first, parents, &d, NULL))
		g_assert_not_reached();
	return d;
}

/* --- sums ---------------------------------------------------------------------------------------
 */

static void add_row(double *to, const double *from, unsigned width)
{
	for (unsigned k = 0; k < width; k++)
		to[k] += from[k];
}

void dag_history(const struct dag *d, const double *x, unsigned width, double *ret)
{
	for (unsigned t = 0; t < d->n; t++) {
		double *sum = ret + (size_t)t * width;

		memcpy(sum, x + (size_t)t * width, width * sizeof(double));
		if (d->base[t] != DAG_NONE)
			add_row(sum, ret + (size_t)d->base[t] * width, width);
		for (unsigned i = d->from[t]; i < d->from[t + 1]; i++)
			add_row(sum, x + (size_t)d->brought[i] * width, width);
	}
}

/* What dag_history() gives a node from another, this gives the other from the node: last ones
 * first, `pass` is what goes on down the chains, `ret` also has what merges give directly. */
void dag_future(const struct dag *d, const double *x, unsigned width, double *ret)
{
	size_t size = (size_t)d->n * width;
	g_autofree double *pass = g_new(double, size + 1);

	memcpy(pass, x, size * sizeof(double));
	memset(ret, 0, size * sizeof(double));
	for (unsigned t = d->n; t-- > 0;) {
		const double *from = pass + (size_t)t * width;

		add_row(ret + (size_t)t * width, from, width);
		if (d->base[t] != DAG_NONE)
			add_row(pass + (size_t)d->base[t] * width, from, width);
		for (unsigned i = d->from[t]; i < d->from[t + 1]; i++)
			add_row(ret + (size_t)d->brought[i] * width, from, width);
	}
}

void dag_mark(const struct dag *d, unsigned t, uint8_t *ret)
{
	for (; t != DAG_NONE; t = d->base[t]) {
		ret[t] = 1;
		for (unsigned i = d->from[t]; i < d->from[t + 1]; i++)
			ret[d->brought[i]] = 1;
	}
}

static bool brings(const struct dag *d, unsigned t, unsigned c)
{
	unsigned lo = d->from[t], hi = d->from[t + 1];

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (d->brought[mid] == c)
			return true;
		if (d->brought[mid] < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

bool dag_has(const struct dag *d, unsigned t, unsigned c)
{
	while (t != DAG_NONE && t > c) {
		if (brings(d, t, c))
			return true;
		t = d->base[t];
	}
	return t == c;
}
