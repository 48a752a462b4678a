// SPDX-License-Identifier: GPL-2.0-or-later
/* Prove an engine: run every probe, amplified, on a clean kernel; remember the outcome. */
#include "run/engine_proof.h"

#include "base/fs.h"
#include "run/agent.h"
#include "run/exec.h"
#include "run/run.h"

#include <string.h>

#define PROOF_SCHEMA 1
#define PROOF_SEED 20230607
#define PROOF_DURATION_S 5

void engine_proof_clear(struct engine_proof *proof)
{
	g_free(proof->kernel);
	g_free(proof->when);
	g_free(proof->trouble);
	memset(proof, 0, sizeof(*proof));
}

/* What the result depends on beside the engine: this host, its CPU, the kernel and our probes. */
static char *proof_path(const struct engine *e, const struct engine_prove_params *params,
			const char *agent, GError **error)
{
	g_autofree char *dir = fs_cache_dir("engine-proof", error);
	g_autofree char *machine = NULL, *cpuinfo = NULL, *text = NULL, *digest = NULL;
	const char *model;

	if (!dir)
		return NULL;
	if (!g_file_get_contents("/etc/machine-id", &machine, NULL, NULL))
		machine = g_strdup("");
	if (!g_file_get_contents("/proc/cpuinfo", &cpuinfo, NULL, NULL))
		cpuinfo = g_strdup("");
	model = strstr(cpuinfo, "model name");
	text = g_strdup_printf("%s|%s|%s|%s|%s|%.*s", e->sha256, params->accel,
			       params->kernel->sha256, agent, machine,
			       model ? (int)strcspn(model, "\n") : 0, model ? model : "");
	digest = fs_sha256_bytes(text, strlen(text));
	return g_strdup_printf("%s/%s.json", dir, digest);
}

static bool proof_load(const char *path, struct engine_proof *ret)
{
	g_autofree char *text = NULL;
	json_t *json;
	size_t len;

	if (!g_file_test(path, G_FILE_TEST_EXISTS) || !fs_read(path, 65536, &text, &len, NULL))
		return false;
	json = json_loadb(text, len, 0, NULL);
	*ret = (struct engine_proof){
		.sound = json_is_true(json_object_get(json, "sound")),
		.cached = true,
		.boots = json_integer_value(json_object_get(json, "boots")),
		.stress_s = json_number_value(json_object_get(json, "stress_s")),
		.kernel = g_strdup(json_string_value(json_object_get(json, "kernel"))),
		.when = g_strdup(json_string_value(json_object_get(json, "when"))),
		.trouble = g_strdup(json_string_value(json_object_get(json, "trouble"))),
	};
	json_decref(json);
	if (ret->kernel && ret->when && (ret->sound || ret->trouble))
		return true;
	engine_proof_clear(ret);
	return false;
}

static bool proof_save(const char *path, const struct engine *e, const struct engine_proof *proof,
		       GError **error)
{
	json_t *json = json_pack("{s:i, s:s, s:s, s:b, s:i, s:f, s:s, s:s, s:s?}", "schema",
				 PROOF_SCHEMA, "engine", e->version, "sha256", e->sha256, "sound",
				 proof->sound, "boots", (int)proof->boots, "stress_s",
				 proof->stress_s, "kernel", proof->kernel, "when", proof->when,
				 "trouble", proof->trouble);
	char *text = json_dumps(json, JSON_INDENT(1));
	bool ok = fs_write(path, text, strlen(text), error);

	free(text);
	json_decref(json);
	return ok;
}

/* Run one cell's only job; what the engine did wrong goes into *proof. */
static bool prove_cell(struct run *r, struct cell *cell, const struct progress *progress,
		       struct engine_proof *proof, GError **error)
{
	const struct judge_params params = { 0 };
	g_autofree char *dir = run_job_dir(r, cell, 0);
	g_autoptr(outcome) o = NULL;

	if (!fs_mkdir(dir, error) || !job_save(cell->job, dir, error) ||
	    !job_execute(cell->job, dir, progress, NULL, error) ||
	    !outcome_load(dir, &params, &o, error))
		return false;
	proof->boots++;
	proof->stress_s += (o->ended_us - o->began_us) / 1e6;
	if (o->verdict.value == VERDICT_AFFECTED)
		proof->trouble = g_strdup_printf("%s on a clean %s under the %s stress",
						 o->verdict.title, cell->job->kernel->release,
						 cell->job->probe);
	else if (o->verdict.value == VERDICT_INFRA)
		return lab_fail(error, LAB_ERROR_INFRA, "engine proof with %s on %s: %s",
				cell->job->probe, cell->job->kernel->id, o->verdict.reason);
	return true;
}

static bool prove(const struct engine *e, const struct engine_prove_params *params,
		  const struct progress *progress, const char *dir, struct engine_proof *proof,
		  GError **error)
{
	g_autofree char *agent = NULL;
	g_autoptr(run) r = run_new(dir, 0.5);
	struct plan_options options = {
		.smp = 4,
		.duration_s = params->duration_s ? params->duration_s : PROOF_DURATION_S,
		.seed = PROOF_SEED,
		.amplify = DELAY_AUTO,
		.accel = params->accel,
		.engine = e,
	};

	agent = agent_sha256(error);
	options.agent_sha256 = agent;
	if (!agent)
		return false;
	for (guint i = 0; i < params->probes->len && !proof->trouble; i++) {
		struct cell *cell = run_add_cell(r, params->kernel, params->probes->pdata[i],
						 &options);

		if (!prove_cell(r, cell, progress, proof, error))
			return false;
	}
	return true;
}

static char *now_text(void)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();

	return g_date_time_format_iso8601(now);
}

bool engine_prove(const struct engine *e, const struct engine_prove_params *params,
		  const struct progress *progress, struct engine_proof *ret, GError **error)
{
	struct engine_proof proof = { 0 };
	g_autofree char *agent = agent_sha256(error);
	g_autofree char *path = agent ? proof_path(e, params, agent, error) : NULL;
	g_autofree char *dir = NULL;
	bool ok;

	if (!path)
		return false;
	if (!params->again && proof_load(path, ret))
		return true;
	progress_say(progress, "engine: proving QEMU %s on this host with %s", e->version,
		     params->kernel->release);
	dir = g_strdup_printf("%s.run", path);
	ok = fs_remove(dir, error) && prove(e, params, progress, dir, &proof, error);
	proof.sound = ok && !proof.trouble;
	proof.kernel = g_strdup(params->kernel->release);
	proof.when = now_text();
	if (!ok || !proof_save(path, e, &proof, error)) {
		engine_proof_clear(&proof);
		return lab_prefix(error, "engine");
	}
	*ret = proof;
	return true;
}
