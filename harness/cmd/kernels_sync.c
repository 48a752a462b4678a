// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * klab kernels sync: which builds came out since the last one; --add names them in a drop-in
 * catalogue and runs them. What was seen is remembered last: who is killed before is told again.
 */
#include "cmd/dropin.h"
#include "cmd/kernels.h"

#include "kernel/sync.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct options {
	char *config;
	gboolean json, all, add, no_run, dry_run;
};

/* ---- telling ---- */

static bool is_shown(const struct options *o, const struct sync_build *build)
{
	return o->all || build->is_new;
}

static json_t *build_json(const struct sync_build *build)
{
	return json_pack("{s:s? s:s s:s s:s s:s s:s s:s s:b s:b}", "id", build->id, "entry",
			 build->entry, "source", build->source, "index", build->index, "package",
			 build->package, "version", build->version, "seen", build->seen, "new",
			 build->is_new, "named", build->is_named);
}

static json_t *index_json(const struct sync_index *index)
{
	return json_pack("{s:s s:s s:b s:s? s:s?}", "source", index->at.source, "index",
			 index->name, "read", index->packages != NULL, "reason", index->reason,
			 "note", index->note);
}

static json_t *watch_json(const struct sync_watch *watch)
{
	return json_pack("{s:s s:s s:i s:i s:s? s:s?}", "entry",
			 watch->family ? watch->family->id : watch->spec->id, "watches",
			 watch->name, "builds", watch->n_builds, "new", watch->n_new, "since",
			 watch->since, "note", watch->note);
}

static json_t *report_json(const struct options *o, const struct sync_report *sync,
			   const char *added)
{
	json_t *builds = json_array(), *indexes = json_array(), *watches = json_array();

	for (unsigned i = 0; i < sync->builds->len; i++)
		if (is_shown(o, sync->builds->pdata[i]))
			json_array_append_new(builds, build_json(sync->builds->pdata[i]));
	for (unsigned i = 0; i < sync->indexes->len; i++)
		json_array_append_new(indexes, index_json(sync->indexes->pdata[i]));
	for (unsigned i = 0; i < sync->watches->len; i++)
		json_array_append_new(watches, watch_json(sync->watches->pdata[i]));
	return json_pack("{s:i s:s s:o s:s? s:o s:o}", "schema", 1, "synced", sync->now, "builds",
			 builds, "added", added, "indexes", indexes, "watches", watches);
}

static void print_build(const struct sync_build *build)
{
	kernels_print("%-24s %-40s %-22s %s  %.10s%s\n", build->id ? build->id : "(no good id)",
		      build->package, build->version, build->index, build->seen,
		      build->is_new ? "  new" : "");
}

static void print_troubles(const struct sync_report *sync)
{
	for (unsigned i = 0; i < sync->indexes->len; i++) {
		const struct sync_index *index = sync->indexes->pdata[i];

		if (index->reason)
			kernels_print("%-24s unavailable: %s\n", index->name, index->reason);
		if (index->note)
			kernels_print("  note: %s: %s\n", index->name, index->note);
	}
	for (unsigned i = 0; i < sync->watches->len; i++) {
		const struct sync_watch *watch = sync->watches->pdata[i];

		if (watch->note)
			kernels_print("  note: '%s': %s\n", watch->name, watch->note);
	}
}

static unsigned count_read(const struct sync_report *sync)
{
	unsigned n = 0;

	for (unsigned i = 0; i < sync->indexes->len; i++)
		n += ((struct sync_index *)sync->indexes->pdata[i])->packages != NULL;
	return n;
}

/* Of all watches: when the last sync was, builds that are recorded for the first time, new ones. */
static void print_sum(const struct options *o, const struct sync_report *sync)
{
	unsigned first = 0, fresh = 0;
	const char *since = NULL;

	for (unsigned i = 0; i < sync->watches->len; i++) {
		const struct sync_watch *watch = sync->watches->pdata[i];

		if (!watch->since)
			first += watch->n_builds;
		else if (!since || strcmp(watch->since, since) < 0)
			since = watch->since;
		fresh += watch->n_new;
	}
	if (since)
		kernels_print("%u new since %s, ", fresh, since);
	if (first)
		kernels_print("%u builds seen for the first time%s, ", first,
			      o->all ? "" : " (--all lists them)");
	kernels_print("%u of %u indexes read\n", count_read(sync), sync->indexes->len);
}

static bool show(const struct options *o, const struct sync_report *sync, const char *added,
		 GError **error)
{
	if (o->json)
		return kernels_print_json(report_json(o, sync, added), error);
	for (unsigned i = 0; i < sync->builds->len; i++)
		if (is_shown(o, sync->builds->pdata[i]))
			print_build(sync->builds->pdata[i]);
	print_troubles(sync);
	print_sum(o, sync);
	if (added)
		kernels_print("added to %s\n", added);
	return true;
}

/* ---- adding ---- */

/* What was not written because nothing would vouch for it, or for want of an id. */
static void tell_left_out(const struct sync_build *build)
{
	g_autofree char *line = g_strdup_printf(
		"not added: %s %s: %s", build->package, build->version,
		build->id ? "its row would have neither a keyring nor 'verify: none'"
			  : "its id would be too long, or is another kernel's");

	cmd_line(line);
}

static bool add(const struct options *o, const struct sync_report *sync, char **ret_added,
		GError **error)
{
	const char *file = o->config;
	g_autoptr(GPtrArray) rows = g_ptr_array_new();
	g_autofree char *dir = NULL;

	if (!file && g_file_test("kernels.yaml", G_FILE_TEST_IS_REGULAR))
		file = "kernels.yaml";
	dir = dropin_dir(file);
	for (unsigned i = 0; i < sync->builds->len; i++) {
		struct sync_build *build = sync->builds->pdata[i];

		if (!is_shown(o, build) || build->is_named)
			continue;
		if (build->row)
			g_ptr_array_add(rows, build->row);
		else
			tell_left_out(build);
	}
	return !rows->len || dropin_write(dir, rows, ret_added, error);
}

/* The run takes over this process: its verdicts, its exit code. With --json stdout was ours. */
static int run_builds(const struct options *o, const struct sync_report *sync, GError **error)
{
	g_autofree char *self = lab_self();
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	unsigned kernels = 0;

	g_ptr_array_add(argv, (char *)"klab");
	g_ptr_array_add(argv, (char *)"run");
	if (o->config) {
		g_ptr_array_add(argv, (char *)"--config");
		g_ptr_array_add(argv, o->config);
	}
	for (unsigned i = 0; i < sync->builds->len; i++) {
		const struct sync_build *build = sync->builds->pdata[i];

		if (!is_shown(o, build) || !(build->is_named || build->row))
			continue;
		g_ptr_array_add(argv, (char *)"-k");
		g_ptr_array_add(argv, build->id);
		kernels++;
	}
	g_ptr_array_add(argv, NULL);
	if (!kernels)
		return EXIT_CLEAN;
	if (o->json && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		lab_fail_errno(error, "stdout");
	else
		execv(self, (char **)argv->pdata);
	lab_fail_errno(error, "cannot start '%s'", self);
	return EXIT_INFRA;
}

/* ---- command ---- */

static int sync_and_tell(const struct options *o, struct lab *lab, GPtrArray *specs, GError **error)
{
	g_autoptr(sync_report) sync = NULL;
	g_autofree char *added = NULL;
	auto_fd lock = sync_lock(&cmd_progress, error);

	if (lock < 0 || !sync_read(lab->matrix, specs, &cmd_progress, &sync, error) ||
	    (o->add && !o->dry_run && !add(o, sync, &added, error)) || !show(o, sync, added, error))
		return EXIT_INFRA;
	if (!count_read(sync))
		return EXIT_INFRA;
	if (!o->dry_run && !sync_record(sync, error))
		return EXIT_INFRA;
	lab_fd_close(&lock);
	return o->add && !o->no_run && !o->dry_run ? run_builds(o, sync, error) : EXIT_CLEAN;
}

static int execute(const struct options *o, char **globs, GError **error)
{
	static const char *const all[] = { "*", NULL };
	struct lab_params params = { .kernels_file = o->config };
	g_autoptr(lab) lab = NULL;
	g_autoptr(GPtrArray) specs = NULL;

	if (o->no_run && !o->add) {
		lab_fail(error, LAB_ERROR_USAGE, "--no-run goes with --add");
		return EXIT_USAGE;
	}
	if (!lab_open(&params, &lab, error) ||
	    !matrix_select(lab->matrix, *globs ? (const char *const *)globs : all, &specs, error))
		return EXIT_USAGE;
	return sync_and_tell(o, lab, specs, error);
}

static const char about[] =
	"Read the package index of each suite and repository that the catalogue names, and list "
	"the "
	"builds of kernels that no earlier sync saw: of a family all that its package's name takes "
	"in, of other rows the newest. The first sync only records. KERNEL is an id, a glob, or "
	"what "
	"'klab run -k' takes; without it, all.";
static const char epilog[] =
	"Examples:\n"
	"  klab kernels sync\n"
	"  klab kernels sync --all debian-6.1\n"
	"  klab kernels sync --add --no-run && klab kernels list 'debian-*'\n\n"
	"An index that cannot be read is listed with the reason, the others count. What was seen "
	"is "
	"kept below\n"
	"$XDG_STATE_HOME/klab/sync. ci/kernel-update does all of it: docs/ci.md.\n\n"
	"Exit code: 0, 2 usage, 3 no index could be read; with --add that of 'klab run'.";

int kernels_sync(int argc, char **argv)
{
	struct options o = { 0 };
	const GOptionEntry entries[] = {
		{ "all", 0, 0, G_OPTION_ARG_NONE, &o.all,
		  "List (and with --add, add) all builds, not only new ones", NULL },
		{ "add", 0, 0, G_OPTION_ARG_NONE, &o.add,
		  "Write what is listed to a file in kernels.d, beside the kernels file, and run "
		  "it "
		  "as 'klab run -k' does",
		  NULL },
		{ "no-run", 0, 0, G_OPTION_ARG_NONE, &o.no_run, "With --add: do not run it", NULL },
		{ "dry-run", 'n', 0, G_OPTION_ARG_NONE, &o.dry_run,
		  "Only tell: nothing is added, and new builds stay new", NULL },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &o.json, "Print JSON", NULL },
		{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &o.config,
		  "Kernels file (default: ./kernels.yaml, else the shipped one)", "FILE" },
		{ 0 },
	};
	g_autoptr(GError) error = NULL;
	int code;

	if (cmd_parse(&argc, &argv, "[KERNEL]...", about, entries, epilog, &code)) {
		code = execute(&o, argv + 1, &error);
		if (error)
			code = cmd_error("kernels sync", error);
	}
	g_free(o.config);
	return code;
}
