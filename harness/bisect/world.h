/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A made-up history with a bug in it, for the simulations behind kbisect's claims: who did it is
 * known here, kernels cost simulated seconds, and the ways in which real ones break the model can
 * be turned on. Pure; the same seed gives the same world.
 */
#ifndef KLAB_BISECT_WORLD_H
#define KLAB_BISECT_WORLD_H

#include "bisect/choose.h"
#include "bisect/untestable.h"

struct world_params {
	unsigned n;  /* changes */
	bool merges; /* a history of the kernel's shape, else a chain */
	enum bisect_form form;
	bool fix;
	double p;          /* RUNS: a run of a bad kernel fails; TIME: 1 / mean seconds to it */
	double eps;        /* the same of a good kernel */
	double own_sd;     /* each kernel's rate is p times a lognormal factor of this sd .. */
	double drift_sd;   /* .. and of another one that drifts through history */
	double drift_span; /* in changes: where it has lost 1 - 1/e of its memory; 0: 150 */
	double untestable; /* share of kernels that cannot be tested, in spans of about 8 */
	double make_s;     /* build, or download */
	double boot_s, run_s;
	unsigned workers; /* guests at once; 0: one */
};

struct world {
	const struct world_params *params;
	const struct dag *dag;
	struct dag *made; /* the same, or NULL: it was given */
	unsigned culprit; /* or fix; in a made one it can be tested, as can its parents */
	double *rate;     /* n + 1: of failures, if the bug is there */
	bool *broken;     /* n + 1: untestable */
	uint8_t *present; /* n + 1 */
	GRand *rand;
};
typedef struct world world;
void world_free(struct world *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(world, world_free)

struct world *world_new(const struct world_params *params, uint64_t seed);
/* A history that is there (borrowed, of `n` changes), with its culprit; `known` (n + 1, of enum
 * testable) says which kernels cannot be tested. The rate is `p` everywhere. */
struct world *world_given(const struct world_params *params, const struct dag *dag,
			  unsigned culprit, const uint8_t *known, uint64_t seed);
/* Test a kernel for one run, or `length` seconds. Returns whether it failed; *ret_had is what it
 * survived (TIME: up to its failure). */
bool world_test(struct world *w, unsigned node, double length, double *ret_had);

/* A history of n changes like the kernel's: about one node in thirteen is a merge, branches are
 * some ten changes long, a quarter of them start from branches; one tip. The caller frees it. */
struct dag *world_history(unsigned n, GRand *rand);

#endif
