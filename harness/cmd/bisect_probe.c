// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kbisect run --probe: tests are cells, planned, run and judged as klab run does it, one job each. A
 * round of tests is a run of its own below tests/, its journals are the evidence.
 */
#include "cmd/bisect.h"

#include "base/fs.h"
#include "kernel/kernel.h"
#include "run/amplifier.h"

#include <math.h>
#include <string.h>

/* --- kernels ------------------------------------------------------------------------------------ */

static bool catalogue_kernel(struct bisect_session *s, const char *id, struct kernel **ret,
			     GError **error)
{
	const char *const ids[] = { id, NULL };
	g_autoptr(GPtrArray) specs = NULL;

	return matrix_select(s->lab->matrix, ids, &specs, error) &&
	       kernel_fetch(specs->pdata[0], &cmd_progress, ret, error);
}

bool bisect_kernel(struct bisect_session *s, unsigned node, bool patched, struct kernel **ret,
		   GError **error)
{
	const struct bisect_change *change = &s->range->changes[node];
	g_autofree char *name = bisect_range_name(s->range, node);
	g_autofree char *patch = g_build_filename(s->dir, "verify.patch", NULL);
	char *patches[] = { patch, NULL };
	const struct kernel_spec spec = {
		.id = name,
		.source = (char *)"git",
		.vendor = (char *)"other",
		.remote = s->req.git,
		.ref = change->id,
		.config = s->req.config_fragment,
		.compiler = s->req.compiler,
		.patches = patched ? patches : NULL,
		.anonymous = true,
	};

	return s->range->commits ? kernel_fetch(&spec, &cmd_progress, ret, error) :
				   catalogue_kernel(s, change->id, ret, error);
}

bool bisect_make(struct bisect_session *s, unsigned node, bool patched, char **ret_sha256,
		 GError **error)
{
	g_autoptr(kernel) kernel = NULL;
	g_autoptr(GError) own = NULL;

	if (bisect_kernel(s, node, patched, &kernel, &own)) {
		*ret_sha256 = g_strdup(kernel->sha256);
		return true;
	}
	/* make(1) that fails is a fault of this commit; tools that are missing, no room, no network are
	 * not */
	if (g_error_matches(own, LAB_ERROR, LAB_ERROR_INFRA))
		own->code = LAB_ERROR_INPUT;
	g_propagate_error(error, g_steal_pointer(&own));
	return false;
}

/* --- cells -------------------------------------------------------------------------------------- */

static bool plan_cell(struct bisect_session *s, const struct bisect_try *t,
		      const struct amplify *delays, struct run *r, GError **error)
{
	const char *const names[] = { s->req.probe, NULL };
	g_autoptr(GPtrArray) probes = NULL;
	g_autoptr(kernel) kernel = NULL;
	const char *frozen = s->state->plan;
	struct lab_plan plan = {
		.smp = s->req.smp,
		.mem_mib = s->req.memory,
		.duration_s = ceil(t->length),
		.seed = s->req.seed + t->test,
		.amplify = frozen ? AMPLIFY_PLAN : delays->level,
		.amplify_plan = frozen ? frozen : delays->plan,
		.foretold = true,
		.uncalibrated = true,
	};

	if (!probes_select(s->lab->probes, names, &probes, error) ||
	    !bisect_kernel(s, t->node, t->patched, &kernel, error))
		return false;
	g_free(kernel->id);	/* a kernel can be tested twice in a round */
	kernel->id = g_strdup_printf("test%u", t->test);
	lab_add_cells(s->lab, r, kernel, probes, &plan);
	((struct cell *)r->cells->pdata[r->cells->len - 1])->once = true;
	return true;
}

static bool plan_cells(struct bisect_session *s, struct bisect_try *tries, unsigned n,
		       struct run *r, GError **error)
{
	struct amplify delays = { 0 };
	bool ok = lab_amplify(s->req.amplify, &delays, error);

	for (unsigned i = 0; ok && i < n; i++)
		ok = plan_cell(s, &tries[i], &delays, r, error);
	amplify_clear(&delays);
	return ok;
}

/* --- outcomes ----------------------------------------------------------------------------------- */

static void judge_cell_of(const struct bisect_session *s, const struct cell *cell,
			  struct bisect_try *t)
{
	t->outcome = OUTCOME_LOST;
	if (cell->skip) {
		t->outcome = OUTCOME_UNTESTABLE;
		t->why = g_strdup(cell->skip);
	} else if (cell->outcomes->len) {
		bisect_judge(s->state, s->req.signature, cell->outcomes->pdata[0], t);
	}
}

static bool run_tests(struct bisect_session *s, struct bisect_try *tries, unsigned n, GError **error)
{
	g_autofree char *name = g_strdup_printf("%06u", tries[0].test);
	g_autofree char *dir = g_build_filename(s->dir, "tests", name, NULL);
	g_autoptr(run) r = run_new(dir, s->req.confidence);
	int64_t began = g_get_monotonic_time();
	enum sched_end end;

	r->full_duration = true;
	/* of a killed one: its tests did not end, and their numbers are not used again, but its folder
	 * may be */
	if (!fs_remove(dir, error) || !fs_mkdir(dir, error) || !plan_cells(s, tries, n, r, error) ||
	    !run_save(r, error) || !lab_sched(s->lab, r, s->req.jobs, 0, &end, error))
		return false;
	for (unsigned i = 0; i < n; i++) {
		judge_cell_of(s, r->cells->pdata[i], &tries[i]);
		tries[i].seconds = (g_get_monotonic_time() - began) / 1e6 / n;
	}
	return end == SCHED_DONE ||
	       lab_fail(error, LAB_ERROR_INTERRUPTED, "stopped before the end");
}

const struct bisect_tester bisect_tester_probe = { .make = bisect_make, .run = run_tests };
