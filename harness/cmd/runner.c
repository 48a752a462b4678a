// SPDX-License-Identifier: GPL-2.0-or-later
/* See runner.h: a run over kernels that are at hand. */
#include "cmd/runner.h"

#include "base/fs.h"
#include "cmd/cmd.h"
#include "cmd/lab.h"

#include <stdio.h>

static bool plan_cells(const struct runner_params *params, struct lab *lab, struct run *r,
		       GError **error)
{
	g_autoptr(GPtrArray) probes = NULL;

	if (!probes_select(lab->probes, params->probes, &probes, error))
		return false;
	for (unsigned i = 0; i < params->n_kernels; i++) {
		const struct lab_plan cells = {
			.smp = params->smp,
			.duration_s = params->duration_s,
			.seed = params->seed,
			.amplify = params->amplify,
			.foretold = params->kernels[i].foretold,
			.uncalibrated = params->uncalibrated,
		};

		lab_add_cells(lab, r, params->kernels[i].kernel, probes, &cells);
	}
	return run_save(r, error);
}

bool runner_run(const struct runner_params *params, struct run **ret, enum sched_end *ret_end,
		GError **error)
{
	const struct lab_params lab_params = { .accel = "auto", .prove = true,
					       .connect = params->connect };
	g_autoptr(lab) lab = NULL;
	g_autofree char *dir = g_canonicalize_filename(params->out, NULL);
	g_autoptr(run) r = run_new(dir, 0.99);

	if (!fs_mkdir(dir, error) || !lab_open(&lab_params, &lab, error) ||
	    !lab_open_engine(lab, &lab_params, &cmd_progress, error) ||
	    !plan_cells(params, lab, r, error) || !lab_sched(lab, r, 1, 0, ret_end, error))
		return false;
	*ret = g_steal_pointer(&r);
	return true;
}
