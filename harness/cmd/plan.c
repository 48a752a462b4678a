// SPDX-License-Identifier: GPL-2.0-or-later
/* klab plan: what a run would do, as job specs that 'klab exec-job' executes. */
#include "cmd/cmd.h"
#include "cmd/run_plan.h"

#include "base/fs.h"

#include <stdio.h>

static bool write_spec(const struct run *r, struct cell *cell, GError **error)
{
	g_autofree char *dir = run_job_dir(r, cell, 0);
	g_autoptr(job) job = cell_next_job(r, cell, CELL_RERUN);

	if (cell->skip) {
		printf("%s: unsupported: %s\n", cell->job->cell, cell->skip);
		return true;
	}
	if (!fs_mkdir(dir, error) || !job_save(job, dir, error))
		return false;
	printf("%s/spec.json\n", dir);
	return true;
}

static int execute(const struct run_request *req, GError **error)
{
	g_autoptr(lab) lab = NULL;
	g_autoptr(run) r = NULL;

	if (!run_request_plan(req, &lab, &r, error))
		return 0;
	for (guint i = 0; i < r->cells->len; i++)
		if (!write_spec(r, r->cells->pdata[i], error))
			return 0;
	fprintf(stderr, "%u cells, %u kernels unavailable\n"
		"hint: 'klab exec-job SPEC' runs one; 'klab run --resume --out %s' runs what is left "
		"and reports\n", r->cells->len, r->unavailable->len, r->dir);
	return EXIT_CLEAN;
}

static int run_command(int argc, char **argv)
{
	struct run_request req = { 0 };
	g_autoptr(GError) error = NULL;
	int code;

	if (run_request_parse(&req, "plan", argc, argv, &code)) {
		code = execute(&req, &error);
		if (error)
			code = cmd_error("plan", error);
	}
	run_request_clear(&req);
	return code;
}

const struct command command_plan = {
	.name = "plan",
	.summary = "write the job specs of a run without executing them",
	.run = run_command,
};
