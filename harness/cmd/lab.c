// SPDX-License-Identifier: GPL-2.0-or-later
/* Set a lab up and drive a run. See lab.h. */
#include "cmd/lab.h"

#include "base/embed.h"
#include "base/fs.h"
#include "cmd/calibration_file.h"
#include "cmd/cmd.h"
#include "cmd/dropin.h"
#include "cmd/lab_host.h"
#include "kernel/identity.h"
#include "kernel/import.h"
#include "know/know.h"
#include "report/result.h"
#include "report/terminal.h"
#include "run/agent.h"
#include "run/engine_get.h"
#include "run/sched.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_MAX (16u << 20)
#define PROOF_KERNEL "debian-bookworm"

static void judge_params_free(gpointer data)
{
	struct judge_params *params = data;

	for (unsigned i = 0; i < params->n_hazards; i++)
		g_free((void *)params->hazards[i].signatures);
	g_free((void *)params->hazards);
	g_free(params);
}

void lab_free(struct lab *lab)
{
	if (!lab)
		return;
	g_clear_pointer(&lab->judge_params, g_hash_table_destroy);
	matrix_free(lab->matrix);
	hazard_set_free(lab->hazards);
	console_rules_free(lab->console_rules);
	g_clear_pointer(&lab->probes, g_ptr_array_unref);
	engine_free(lab->engine);
	g_free(lab->accel);
	g_free(lab->accel_note);
	g_free(lab->engine_trouble);
	host_spec_free(lab->host_spec);
	job_host_free(lab->host);
	engine_proof_clear(&lab->proof);
	calibration_free(lab->calibration);
	g_free(lab->agent);
	g_free(lab);
}

char *lab_self(void)
{
	return g_file_read_link("/proc/self/exe", NULL);
}

/* --- configuration ---------------------------------------------------------------------------- */

/* A file that the user named, or the one that the binary carries. */
static bool load_text(const char *file, const char *embedded, size_t embedded_len, char **ret_text,
		      size_t *ret_len, GError **error)
{
	if (file)
		return fs_read(file, CONFIG_MAX, ret_text, ret_len, error);
	*ret_text = g_memdup2(embedded, embedded_len + 1);
	*ret_len = embedded_len;
	return true;
}

static bool load_matrix(struct lab *lab, const char *file, GError **error)
{
	g_autofree char *text = NULL, *dir = NULL;
	size_t len;

	if (!file && g_file_test("kernels.yaml", G_FILE_TEST_IS_REGULAR))
		file = "kernels.yaml";
	dir = dropin_dir(file);
	return load_text(file, embed_kernels_yaml, EMBED_LEN(kernels_yaml), &text, &len, error) &&
	       matrix_parse(file ? file : "kernels.yaml", text, len, &lab->matrix, error) &&
	       dropin_load(lab->matrix, dir, error) && import_add_to(lab->matrix, error);
}

static bool load_hazards(struct lab *lab, const char *file, GError **error)
{
	g_autofree char *text = NULL;
	size_t len;

	return load_text(file, embed_hazards_yaml, EMBED_LEN(hazards_yaml), &text, &len, error) &&
	       hazard_set_parse(file ? file : "hazards.yaml", text, len, &lab->hazards, error);
}

/* The user's rules come first, as the first one that matches decides. */
static bool load_console_rules(struct lab *lab, const char *file, GError **error)
{
	struct console_rules *shipped = NULL;
	g_autoptr(GError) why = NULL;
	g_autofree char *text = NULL;
	size_t len;

	if (!console_rules_parse("console.yaml", embed_console_yaml, EMBED_LEN(console_yaml),
				 &shipped, error))
		return false;
	if (!file) {
		lab->console_rules = shipped;
		return true;
	}
	if (!fs_read(file, CONFIG_MAX, &text, &len, &why)) {
		console_rules_free(shipped);
		return lab_fail(error, LAB_ERROR_USAGE, "--console-rules: %s", why->message);
	}
	if (!console_rules_parse(file, text, len, &lab->console_rules, error) ||
	    lab->console_rules->replace) {
		console_rules_free(shipped);
		return lab->console_rules != NULL;
	}
	return console_rules_join(lab->console_rules, shipped, error);
}

/* What was measured here replaces what was shipped. */
static bool load_calibration(struct lab *lab, GError **error)
{
	g_autofree char *path = calibration_file_local();
	g_autoptr(calibration) local = NULL;

	if (!calibration_parse(embed_calibration_json, EMBED_LEN(calibration_json), true,
			       &lab->calibration, error))
		return lab_prefix(error, "shipped calibration");
	if (!calibration_file_load(path, false, &local, error))
		return false;
	calibration_overlay(lab->calibration, local);
	return true;
}

/* --- what the judge is told of a probe's hazards ----------------------------------------------- */

static bool kind_of(const char *name, enum verdict_kind *ret)
{
	for (int i = 0; i < KIND__COUNT; i++) {
		if (strcmp(verdict_kind_name(i), name) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static void fill_signatures(const struct hazard *hazard, struct judged_hazard *ret)
{
	struct signature *list = g_new0(struct signature, hazard->signatures->len);

	ret->id = hazard->id;
	ret->signatures = list;
	for (guint i = 0; i < hazard->signatures->len; i++) {
		struct hazard_signature *sig = hazard->signatures->pdata[i];

		if (!kind_of(sig->kind, &list[ret->n_signatures].kind))
			continue;
		list[ret->n_signatures++].frames = (const char *const *)sig->frames;
	}
}

static struct judge_params *make_judge_params(struct lab *lab, const struct probe_info *probe)
{
	struct judge_params *params = g_new0(struct judge_params, 1);
	struct judged_hazard *list = g_new0(struct judged_hazard, g_strv_length(probe->hazards));

	params->hazards = list;
	for (char **id = probe->hazards; *id; id++) {
		const struct hazard *hazard = hazard_set_find(lab->hazards, *id);

		if (hazard)
			fill_signatures(hazard, &list[params->n_hazards++]);
	}
	return params;
}

static bool index_probes(struct lab *lab, GError **error)
{
	if (!probes_parse(embed_probes_json, EMBED_LEN(probes_json), &lab->probes, error))
		return false;
	lab->judge_params = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, judge_params_free);
	for (guint i = 0; i < lab->probes->len; i++) {
		struct probe_info *probe = lab->probes->pdata[i];

		for (char **id = probe->hazards; *id; id++)
			if (!hazard_set_find(lab->hazards, *id))
				return lab_fail(error, LAB_ERROR_USAGE,
						"probe '%s' names the hazard '%s', which the hazards file "
						"lacks", probe->name, *id);
		g_hash_table_insert(lab->judge_params, probe->name,
				    make_judge_params(lab, probe));
	}
	return true;
}

bool lab_open(const struct lab_params *params, struct lab **ret, GError **error)
{
	g_autoptr(lab) lab = g_new0(struct lab, 1);

	bool wants_matrix = !params->judge_only || params->connect;

	if ((wants_matrix && !load_matrix(lab, params->kernels_file, error)) ||
	    (params->connect &&
	     !hosts_find(lab->matrix->hosts, params->connect, &lab->host_spec, error)) ||
	    !load_hazards(lab, params->hazards_file, error) || !index_probes(lab, error) ||
	    !load_console_rules(lab, params->console_rules_file, error) ||
	    (!params->judge_only && !load_calibration(lab, error)))
		return false;
	*ret = g_steal_pointer(&lab);
	return true;
}

static int compare_options(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "CONFIG_X=y" of all hazards as "CONFIG_X", sorted, each once; free the array. */
static GPtrArray *options_of_hazards(const struct hazard_set *hazards)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	GPtrArray *options = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < hazards->all->len; i++) {
		char **needs = ((struct hazard *)hazards->all->pdata[i])->kconfig;

		for (; needs && *needs; needs++) {
			char *option = g_strndup(*needs, strcspn(*needs, "="));

			/* not by what g_hash_table_add() says: it replaces the key that it has */
			if (g_hash_table_contains(seen, option)) {
				g_free(option);
				continue;
			}
			g_hash_table_add(seen, option);
			g_ptr_array_add(options, option);
		}
	}
	g_ptr_array_sort(options, compare_options);
	g_ptr_array_add(options, NULL);
	return options;
}

void lab_identify(const struct lab *lab, struct kernel *kernel)
{
	g_autoptr(GPtrArray) options = options_of_hazards(lab->hazards);

	kernel_identify(kernel, (const char *const *)options->pdata);
}

/* --- engine ------------------------------------------------------------------------------------ */

static bool choose_accel(struct lab *lab, const char *asked, GError **error)
{
	if (strcmp(asked, "auto") != 0 && strcmp(asked, "kvm") != 0 && strcmp(asked, "tcg") != 0)
		return lab_fail(error, LAB_ERROR_USAGE, "no accelerator '%s'\nhint: auto, kvm, tcg",
				asked);
	if (strcmp(asked, "tcg") != 0 && engine_accel_works(lab->engine, "kvm", &lab->accel_note)) {
		lab->accel = g_strdup("kvm");
		return true;
	}
	if (strcmp(asked, "kvm") == 0)
		return lab_fail(error, LAB_ERROR_UNSUPPORTED, "KVM does not work here: %s\n"
				"hint: --accel auto falls back to TCG", lab->accel_note);
	lab->accel = g_strdup("tcg");
	return true;
}

bool lab_proof_kernel(struct lab *lab, const struct progress *progress, struct kernel **ret,
		      GError **error)
{
	g_autofree char *text = g_memdup2(embed_kernels_yaml, EMBED_LEN(kernels_yaml) + 1);
	g_autoptr(matrix) shipped = NULL;
	g_autoptr(GPtrArray) specs = NULL;
	const char *const ids[] = { PROOF_KERNEL, NULL };

	/* from the shipped file: the user's may lack it or call something else by its name */
	return matrix_parse("kernels.yaml", text, EMBED_LEN(kernels_yaml), &shipped, error) &&
	       matrix_select(shipped, ids, &specs, error) &&
	       kernel_fetch(specs->pdata[0], progress, ret, error);
}

/* Of struct probe_info *, borrowed. */
static GPtrArray *probes_of_proof(const struct lab *lab)
{
	GPtrArray *chosen = g_ptr_array_new();

	for (guint i = 0; i < lab->probes->len; i++)
		if (((struct probe_info *)lab->probes->pdata[i])->proves_engine)
			g_ptr_array_add(chosen, lab->probes->pdata[i]);
	return chosen;
}

static bool prove(struct lab *lab, const struct lab_params *params, const struct progress *progress,
		  GError **error)
{
	g_autoptr(kernel) kernel = NULL;
	g_autoptr(GPtrArray) probes = probes_of_proof(lab);
	struct engine_prove_params prove_params = {
		.accel = lab->accel,
		/* started by libvirt or by us, the engine of this machine is the same */
		.host = lab->host && lab->host->remote ? lab->host : NULL,
		.probes = probes,
		.again = params->prove_again,
		.minutes = params->prove_minutes,
	};

	if (!lab_proof_kernel(lab, progress, &kernel, error))
		return lab_prefix(error, "kernel for the engine's proof");
	prove_params.kernel = kernel;
	return engine_prove(lab->engine, &prove_params, progress, &lab->proof, error);
}

/* No proof to be had is not the end: the run goes on, and its verdicts are infra. */
static void judge_engine(struct lab *lab, const struct lab_params *params,
			 const struct progress *progress)
{
	g_autoptr(GError) error = NULL;

	if (strcmp(lab->accel, "tcg") == 0 && !engine_is_sound(lab->engine))
		lab->engine_trouble = g_strdup_printf(
			"QEMU %s: versions before %d make clean kernels oops under TCG",
			lab->engine->version, ENGINE_MAJOR_MIN);
	else if (!prove(lab, params, progress, &error))
		lab->engine_trouble = g_strdup_printf("the engine is not proved on this host: %s",
						      error->message);
	else if (!lab->proof.sound)
		lab->engine_trouble = g_strdup_printf("the engine failed its proof: %s",
						      lab->proof.trouble);
}

bool lab_open_engine(struct lab *lab, const struct lab_params *params,
		     const struct progress *progress, GError **error)
{
	const char *emulator = lab->host_spec ? lab->host_spec->emulator : NULL;
	struct engine_request request = { .qemu = params->qemu ? params->qemu : emulator };

	lab->agent = agent_sha256(error);
	if (!lab->agent || (lab->host_spec && !lab_host_open(lab, params, progress, error)))
		return false;
	/* a remote host has its own */
	if (!lab->engine && (!engine_get(&request, progress, &lab->engine, error) ||
			     !choose_accel(lab, params->accel ? params->accel : "auto", error)))
		return false;
	if (params->prove && !params->trust_engine)
		judge_engine(lab, params, progress);
	return true;
}

/* --- amplification ----------------------------------------------------------------------------- */

static bool read_plan(const char *path, struct amplify *ret, GError **error)
{
	g_autofree char *text = NULL;
	g_autoptr(plan) p = NULL;
	g_autoptr(GError) why = NULL;
	size_t len;

	if (!fs_read(path, PLAN_TEXT_MAX, &text, &len, &why))
		return lab_fail(error, LAB_ERROR_USAGE, "%s", why->message);
	if (!plan_parse(text, len, &p, error))
		return lab_prefix(error, "'%s'", path);
	*ret = (struct amplify){ AMPLIFY_PLAN, g_steal_pointer(&text) };
	return true;
}

bool lab_amplify(const char *word, struct amplify *ret, GError **error)
{
	bool ok = !word		? amplify_parse("auto", ret, error) :
		  *word == '@' ? read_plan(word + 1, ret, error) :
				 amplify_parse(word, ret, error);

	return ok || lab_prefix(error, "--amplify");
}

/* --- planning and running ---------------------------------------------------------------------- */

static bool is_foretold(struct lab *lab, const struct kernel *kernel,
			const struct probe_info *probe)
{
	const struct measured shown = {
		.release = kernel->release,
		.version = kernel->version,
		.vendor = kernel->vendor,
		.package_version = kernel->package_version,
	};
	struct ktb_kernel identity;
	bool foretold = false;

	know_identify_measured(&shown, &identity);
	for (char **id = probe->hazards; *id && !foretold; id++)
		foretold = know_foretold(lab->hazards, &identity, *id);
	return foretold;
}

static void apply_calibration(struct lab *lab, struct cell *cell)
{
	struct calibration_key key = {
		.probe = cell->job->probe,
		.engine = lab->engine->version,
		.accel = cell->job->accel,
		.amplify = amplify_level_name(cell->job->amplify),
		.smp = cell->job->smp,
	};
	const struct calibration_entry *entry = calibration_find(lab->calibration, &key);

	if (!entry)
		return;
	cell->rate_lower = entry->rate_lower;
	cell->calibration_rung = g_strdup(entry->rung);
	cell->control_failures = entry->failures;
	cell->control_exposure = entry->exposure;
	cell->calibration = g_strdup_printf("%s, %u of %u runs failed%s", entry->hazard,
					    entry->failures, entry->runs,
					    entry->shipped ? ", shipped" : "");
}

/* The engine's proof as it stands, for the longest of the run's jobs. */
static void note_proof(const struct lab *lab, struct run *r)
{
	unsigned longest_ms = 0;

	for (guint i = 0; i < r->cells->len; i++)
		longest_ms = MAX(longest_ms, ((struct cell *)r->cells->pdata[i])->job->duration_ms);
	json_decref(r->engine_proof);
	r->engine_proof = lab->proof.kernel ? engine_proof_json(&lab->proof, longest_ms / 1000.0) :
					      NULL;
}

void lab_add_cells(struct lab *lab, struct run *r, const struct kernel *kernel, GPtrArray *probes,
		   const struct lab_plan *plan)
{
	struct plan_options options = {
		.smp = plan->smp,
		.mem_mib = plan->mem_mib,
		.duration_s = plan->duration_s,
		.boot_limit_s = plan->boot_limit_s,
		.seed = plan->seed,
		.amplify = plan->amplify,
		.amplify_plan = plan->amplify_plan,
		.accel = lab->accel,
		.engine = lab->engine,
		.engine_trouble = lab->engine_trouble,
		.host = lab->host,
		.agent_sha256 = lab->agent,
		.console_rules = lab->console_rules,
		.params = plan->params,
	};

	for (guint i = 0; i < probes->len; i++) {
		struct cell *cell = run_add_cell(r, kernel, probes->pdata[i], &options);

		cell->foretold = plan->foretold || is_foretold(lab, kernel, probes->pdata[i]);
		if (!plan->uncalibrated && !cell->job->params)
			apply_calibration(lab, cell);
	}
	note_proof(lab, r);
}

static const struct judge_params *params_of(const struct cell *cell, void *user)
{
	struct lab *lab = user;

	return g_hash_table_lookup(lab->judge_params, cell->job->probe);
}

static void on_start(const struct cell *cell, const struct job *job, void *user)
{
	struct lab *lab = user;

	if (lab->quiet)
		return;
	progress_say(&cmd_progress, "%s: %s, up to %u s%s", job->kernel->id, job->probe,
		     job->duration_ms / 1000,
		     job->alone ? " (again, alone)" : job->attempt ? " (again)" : "");
}

static bool wants_color(void)
{
	return isatty(STDERR_FILENO) && !g_getenv("NO_COLOR");
}

static void on_done(const struct cell *cell, void *user)
{
	g_autofree char *line = terminal_cell_line(cell, wants_color());
	struct lab *lab = user;

	if (!lab->quiet)
		cmd_line(line);
}

int lab_exit(const struct run *r, enum sched_end end)
{
	unsigned counts[VERDICT__COUNT];

	result_count(r, counts);
	if (end == SCHED_INTERRUPTED)
		return EXIT_INTERRUPTED;
	if (end == SCHED_TIMEOUT)
		return EXIT_OVERALL_TIMEOUT;
	if (counts[VERDICT_AFFECTED])
		return EXIT_AFFECTED;
	if (counts[VERDICT_INFRA])
		return EXIT_INFRA;
	if (counts[VERDICT_INCONCLUSIVE] || !counts[VERDICT_CLEAN])
		return EXIT_UNSURE;
	return EXIT_CLEAN;
}

bool lab_sched(struct lab *lab, struct run *r, unsigned jobs, unsigned limit_s,
	       enum sched_end *ret_end, GError **error)
{
	g_autofree char *self = lab_self();
	struct sched_params params = {
		.self = self,
		.jobs = lab_host_jobs(lab, MAX(jobs, 1)),
		.limit_s = limit_s,
		.judge_params = params_of,
		.on_start = on_start,
		.on_done = on_done,
		.user = lab,
	};

	return sched_run(r, &params, ret_end, error) && result_save(r, error);
}

bool lab_run(struct lab *lab, struct run *r, unsigned jobs, unsigned limit_s, int *ret_exit,
	     GError **error)
{
	enum sched_end end;

	if (!lab_sched(lab, r, jobs, limit_s, &end, error))
		return false;
	*ret_exit = lab_exit(r, end);
	return true;
}
