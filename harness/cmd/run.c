// SPDX-License-Identifier: GPL-2.0-or-later
/* klab run: plan, boot, judge, report. */
#include "cmd/cmd.h"
#include "cmd/contradictions.h"
#include "cmd/run_plan.h"

#include "report/result.h"
#include "report/terminal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool write_json(const struct run *r, const char *file, GError **error)
{
	g_autofree char *text = result_text(r);

	return cmd_output(file, text, strlen(text), error);
}

/* stdout is the result's: the summary steps aside when JSON goes there. */
static void print_summary(const struct lab *lab, const struct run *r, const char *json)
{
	bool to_stderr = g_strcmp0(json, "-") == 0;
	FILE *out = to_stderr ? stderr : stdout;
	bool color = isatty(fileno(out)) && !g_getenv("NO_COLOR");
	g_autofree char *summary = terminal_summary(r, color);

	fprintf(out, "%sresults: %s\n", summary, r->dir);
	fflush(out);
	contradictions_tell_run(lab, r);
}

static int execute(const struct run_request *req, GError **error)
{
	g_autoptr(lab) lab = NULL;
	g_autoptr(run) r = NULL;
	int code;

	if (!run_request_plan(req, &lab, &r, error))
		return 0;
	if (lab->engine_trouble)
		fprintf(stderr, "klab run: %s\nhint: every verdict will be infra; 'klab doctor "
			"--engine' and 'klab selftest' tell more, --trust-engine overrides\n", lab->engine_trouble);
	if (!lab_run(lab, r, req->jobs, req->timeout, &code, error)) {
		print_summary(lab, r, req->json);	/* what was judged before stays judged */
		return 0;
	}
	if (req->json && !write_json(r, req->json, error))
		return 0;
	print_summary(lab, r, req->json);
	if (code == EXIT_INTERRUPTED || code == EXIT_OVERALL_TIMEOUT)
		fprintf(stderr, "klab run: stopped before the end\n"
			"hint: klab run --resume --out %s\n", r->dir);
	return code;
}

static int run_command(int argc, char **argv)
{
	struct run_request req = { 0 };
	g_autoptr(GError) error = NULL;
	int code;

	req.selftest = true;
	if (run_request_parse(&req, "run", argc, argv, &code)) {
		code = execute(&req, &error);
		if (error)
			code = cmd_error("run", error);
	}
	run_request_clear(&req);
	return code;
}

const struct command command_run = {
	.name = "run",
	.summary = "boot kernels, stress them, judge what happened",
	.run = run_command,
};
