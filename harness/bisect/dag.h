/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The changes of a range and what each stands on. Nodes are numbered so that parents come before
 * children; a parent outside of the range is not told. What is asked all the time are sums over a
 * node's history, itself included: of a chain each step adds one, and a merge adds to its largest
 * parent what the others bring, which is listed once. So a sum for all nodes takes as many
 * additions as there are nodes and listed ones, and the listed ones are a few for each change in
 * histories where a side branch is merged once or twice on its way up. Pure.
 */
#ifndef KLAB_BISECT_DAG_H
#define KLAB_BISECT_DAG_H

#include "base/lab.h"

#define DAG_NODES_MAX 2000000u
#define DAG_BROUGHT_MAX (64u << 20) /* listed by all merges together */
#define DAG_NONE G_MAXUINT

struct dag {
	unsigned n;
	unsigned *first; /* n + 1: the parents of i are parents[first[i]] .. [first[i + 1] - 1] */
	unsigned *parents;
	unsigned *base; /* n: the parent with the longest history, DAG_NONE of a root */
	unsigned *from; /* n + 1: what merge i brings is brought[from[i]] .. [from[i + 1] - 1] */
	unsigned *brought;
};
typedef struct dag dag;
void dag_free(struct dag *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(dag, dag_free)

/*
 * `first` (n + 1, from 0, not decreasing) and `parents` as in struct dag; both are copied. A parent
 * that is named twice counts once. LAB_ERROR_INPUT: a parent that does not come before its child,
 * or a history too tangled for DAG_BROUGHT_MAX.
 */
bool dag_new(unsigned n, const unsigned *first, const unsigned *parents, struct dag **ret,
	     GError **error);
/* 0 <- 1 <- ... <- n - 1 */
struct dag *dag_chain(unsigned n);

/*
 * `x` and `ret` are n rows of `width` numbers. dag_history(): row t of `ret` is the sum of the rows
 * of t and its ancestors. dag_future(): the sum of the rows of t and its descendants. Each is the
 * other's transpose; `ret` may not be `x`.
 */
void dag_history(const struct dag *d, const double *x, unsigned width, double *ret);
void dag_future(const struct dag *d, const double *x, unsigned width, double *ret);
/* ret[c] = 1 for `t` and its ancestors; the other n are left alone. */
void dag_mark(const struct dag *d, unsigned t, uint8_t *ret);
/* Is `c` the node `t`, or among its ancestors? At most n steps. */
bool dag_has(const struct dag *d, unsigned t, unsigned c);

static inline unsigned dag_n_parents(const struct dag *d, unsigned t)
{
	return d->first[t + 1] - d->first[t];
}

#endif
