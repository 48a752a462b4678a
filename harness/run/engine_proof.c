// SPDX-License-Identifier: GPL-2.0-or-later
/* Prove an engine: run probes, amplified, on a clean kernel; add up and remember the outcomes. */
#include "run/engine_proof.h"

#include "base/fs.h"
#include "run/agent.h"
#include "run/exec.h"
#include "run/run.h"
#include "stats/rate.h"

#include <string.h>

#define PROOF_SCHEMA 2
#define PROOF_SEED 20230607
#define QUICK_DURATION_S 5
#define LONG_DURATION_S 15
#define QUICK_LIMIT_S 600	/* wait so long for another klab that makes the quick proof */
#define FILE_LIMIT_S 30
/* An engine of nothing but weather proves nothing. */
#define WEATHER_MAX(boots) (3 + (boots) / 2)

void engine_proof_clear(struct engine_proof *proof)
{
	for (unsigned i = 0; i < proof->n_models; i++)
		g_free(proof->models[i].name);
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

/* --- the file ------------------------------------------------------------------------------ */

static void proof_count(struct engine_proof *proof, const char *model, unsigned boots,
			double stress_s)
{
	unsigned i = 0;

	while (i < proof->n_models && strcmp(proof->models[i].name, model) != 0)
		i++;
	if (i == ENGINE_PROOF_MODELS_MAX)
		return;
	if (i == proof->n_models)
		proof->models[proof->n_models++].name = g_strdup(model);
	proof->models[i].boots += boots;
	proof->models[i].stress_s += stress_s;
	proof->boots += boots;
	proof->stress_s += stress_s;
}

static unsigned get_count(const json_t *json, const char *key)
{
	return CLAMP(json_integer_value(json_object_get(json, key)), 0, G_MAXINT / 2);
}

static char *get_string(const json_t *json, const char *key)
{
	return g_strdup(json_string_value(json_object_get(json, key)));
}

static bool proof_from_json(const json_t *json, struct engine_proof *ret)
{
	json_t *model;
	size_t i;

	*ret = (struct engine_proof){
		.sound = json_is_true(json_object_get(json, "sound")),
		.cached = true,
		.weather = get_count(json, "weather"),
		.kernel = get_string(json, "kernel"),
		.when = get_string(json, "when"),
		.trouble = get_string(json, "trouble"),
	};
	json_array_foreach(json_object_get(json, "models"), i, model)
		proof_count(ret, json_string_value(json_object_get(model, "name")) ?: "?",
			    get_count(model, "boots"),
			    MAX(json_number_value(json_object_get(model, "stress_s")), 0));
	if (get_count(json, "schema") == PROOF_SCHEMA && ret->kernel && ret->when &&
	    (ret->sound ? ret->boots > 0 : ret->trouble != NULL))
		return true;
	engine_proof_clear(ret);
	return false;
}

/* False: there is none that can be used. */
static bool proof_load(const char *path, struct engine_proof *ret)
{
	g_autofree char *text = NULL;
	json_t *json;
	size_t len;
	bool ok;

	if (!g_file_test(path, G_FILE_TEST_EXISTS) || !fs_read(path, 65536, &text, &len, NULL))
		return false;
	json = json_loadb(text, len, 0, NULL);
	ok = proof_from_json(json, ret);
	json_decref(json);
	return ok;
}

static json_t *models_json(const struct engine_proof *proof)
{
	json_t *models = json_array();

	for (unsigned i = 0; i < proof->n_models; i++)
		json_array_append_new(models, json_pack("{s:s, s:i, s:f}", "name",
							proof->models[i].name, "boots",
							(int)proof->models[i].boots, "stress_s",
							proof->models[i].stress_s));
	return models;
}

static bool proof_save(const char *path, const struct engine *e, const struct engine_proof *proof,
		       GError **error)
{
	json_t *json = json_pack("{s:i, s:s, s:s, s:b, s:o, s:i, s:s, s:s, s:s?}", "schema",
				 PROOF_SCHEMA, "engine", e->version, "sha256", e->sha256, "sound",
				 proof->sound, "models", models_json(proof), "weather",
				 (int)proof->weather, "kernel", proof->kernel, "when", proof->when,
				 "trouble", proof->trouble);
	char *text = json_dumps(json, JSON_INDENT(1));
	bool ok = fs_write(path, text, strlen(text), error);

	free(text);
	json_decref(json);
	return ok;
}

json_t *engine_proof_json(const struct engine_proof *proof, double job_stress_s)
{
	const double c = ENGINE_PROOF_CONFIDENCE;
	double minutes = proof->stress_s / 60, per_minute = rate_upper(0, minutes, c);

	return json_pack("{s:b, s:i, s:f, s:o, s:i, s:f, s:f, s:o, s:f, s:f, s:s?, s:s?, s:s?}",
			 "sound", proof->sound, "boots", (int)proof->boots, "stress_s",
			 proof->stress_s, "models", models_json(proof), "weather",
			 (int)proof->weather, "confidence", c, "p_fault_per_boot_upper",
			 proportion_upper(0, proof->boots, c), "faults_per_stress_minute_upper",
			 minutes > 0 ? json_real(per_minute) : json_null(), "job_stress_s",
			 job_stress_s, "p_fault_per_job_upper",
			 fault_per_job_upper(proof->boots, proof->stress_s, job_stress_s, c),
			 "kernel", proof->kernel, "when", proof->when, "trouble", proof->trouble);
}

/* Signals, page faults and fork: the agent's own, in no list of probes, for the long proof. */
static char *signals_counters[] = { (char *)"rounds", (char *)"ticks", NULL };
static char *signals_amplify[] = { (char *)"get_signal", (char *)"do_wp_page",
				   (char *)"wake_up_new_task", (char *)"do_mprotect_pkey", NULL };
static char *nothing[] = { NULL };
static struct probe_info signals_info = {
	.name = (char *)"engine-signals",
	.hazards = nothing,
	.kconfig = nothing,
	.amplify = signals_amplify,
	.counters = signals_counters,
	.min_cpus = 1,
	.duration_s = LONG_DURATION_S,
};

/* --- trials -------------------------------------------------------------------------------- */

/* One job of the proof. */
struct trial {
	const struct engine *e;
	const struct engine_prove_params *params;
	const struct progress *progress;
	const char *agent, *path;
	unsigned index;
	const char *model;
	const struct probe_info *probe;
	bool alone;
};

static struct run *trial_run(const struct trial *t, const char *dir)
{
	const struct engine_prove_params *params = t->params;
	unsigned usual_s = params->minutes ? LONG_DURATION_S : QUICK_DURATION_S;
	struct plan_options options = {
		.smp = 4,
		.duration_s = params->duration_s ? params->duration_s : usual_s,
		.seed = PROOF_SEED + t->index,
		.amplify = AMPLIFY_AUTO,
		.accel = params->accel,
		.engine = t->e,
		.host = params->host,
		.agent_sha256 = t->agent,
	};
	struct run *r = run_new(dir, 0.5);
	struct cell *cell = run_add_cell(r, params->kernel, t->probe, &options);

	g_free(cell->job->cpu_model);
	cell->job->cpu_model = g_strdup(t->model);
	cell->job->alone = t->alone;
	return r;
}

static bool trial_execute(const struct trial *t, struct outcome **ret, char **ret_dir,
			  GError **error)
{
	const struct judge_params nothing = { 0 };
	g_autofree char *top = g_strdup_printf("%s.run/%d-%u%s", t->path, getpid(), t->index,
					       t->alone ? "-alone" : "");
	g_autoptr(run) r = trial_run(t, top);
	const struct cell *cell = r->cells->pdata[0];
	g_autofree char *dir = run_job_dir(r, cell, 0);

	if (!fs_remove(top, error) || !fs_mkdir(dir, error) ||
	    !job_save(cell->job, dir, error) ||
	    !job_execute(cell->job, dir, t->progress, NULL, error) ||
	    !outcome_load(dir, &nothing, ret, error))
		return false;
	*ret_dir = g_steal_pointer(&top);
	return true;
}

/* What a trial adds to the proof, which goes to *ret; a failure of the lab is an error. */
static bool trial_judge(const struct trial *t, const struct outcome *o, struct engine_proof *ret,
			GError **error)
{
	switch (o->verdict.value) {
	case VERDICT_CLEAN:
		proof_count(ret, t->model, 1, MAX(o->ended_us - o->began_us, 0) / 1e6);
		return true;
	case VERDICT_AFFECTED:
		ret->trouble = g_strdup_printf("%s on a clean %s under the %s stress, CPU model %s",
					       o->verdict.title, t->params->kernel->release,
					       t->probe->name, t->model);
		return true;
	case VERDICT_INFRA:
		if (!o->verdict.retry)
			return lab_fail(error, LAB_ERROR_INFRA, "engine proof with %s on %s: %s",
					t->probe->name, t->params->kernel->id, o->verdict.reason);
		ret->weather++;
		return true;
	default:
		ret->weather++;	/* it told nothing of the engine */
		return true;
	}
}

/*
 * A failure without a splat may be the host's: it counts if it is seen again alone on the host.
 * Folders of trials that went well are removed, the others stay to be looked at.
 */
static bool trial_do(struct trial *t, struct engine_proof *ret, GError **error)
{
	g_autoptr(outcome) o = NULL;
	g_autofree char *dir = NULL;

	if (!trial_execute(t, &o, &dir, error))
		return false;
	if (o->verdict.value == VERDICT_AFFECTED && !o->verdict.splat && !t->alone) {
		progress_say(t->progress, "engine: '%s', once more with the host to itself",
			     o->verdict.title);
		ret->weather++;
		t->alone = true;
		return trial_do(t, ret, error);
	}
	return trial_judge(t, o, ret, error) &&
	       (o->verdict.value != VERDICT_CLEAN || fs_remove(dir, error));
}

static char *now_text(void)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();

	return g_date_time_format_iso8601(now);
}

/* Add what a trial gave to the file, as others may have meanwhile; *proof is then all. */
static bool proof_add(const struct trial *t, const struct engine_proof *gain,
		      struct engine_proof *proof, GError **error)
{
	g_autofree char *lock = g_strdup_printf("%s.lock", t->path);
	auto_fd held = fs_lock(lock, FILE_LIMIT_S, error);
	struct engine_proof all = { 0 };

	if (held < 0)
		return false;
	proof_load(t->path, &all);
	all.cached = false;
	for (unsigned i = 0; i < gain->n_models; i++)
		proof_count(&all, gain->models[i].name, gain->models[i].boots,
			    gain->models[i].stress_s);
	all.weather += gain->weather;
	if (gain->trouble && !all.trouble)
		all.trouble = g_strdup(gain->trouble);
	all.sound = !all.trouble;
	g_free(all.kernel);
	g_free(all.when);
	all.kernel = g_strdup(t->params->kernel->release);
	all.when = now_text();
	engine_proof_clear(proof);
	*proof = all;
	/* weather alone is no proof yet: nothing to remember */
	return (!all.boots && !all.trouble) || proof_save(t->path, t->e, &all, error);
}

static bool trial_add(struct trial *t, struct engine_proof *proof, GError **error)
{
	struct engine_proof gain = { 0 };
	bool ok = trial_do(t, &gain, error) && proof_add(t, &gain, proof, error);

	t->alone = false;
	engine_proof_clear(&gain);
	if (ok && proof->weather > WEATHER_MAX(proof->boots))
		return lab_fail(error, LAB_ERROR_INFRA,
				"%u of %u jobs of the engine's proof told nothing", proof->weather,
				proof->weather + proof->boots);
	return ok;
}

/* A probe under the CPU model that runs use; weather has a second try. */
static bool prove_probe(struct trial *t, struct engine_proof *gain, GError **error)
{
	unsigned boots = gain->boots;

	for (int i = 0; i < 2 && gain->boots == boots && !gain->trouble; i++) {
		t->alone = false;
		if (!trial_do(t, gain, error))
			return false;
	}
	return gain->boots > boots || gain->trouble ||
	       lab_fail(error, LAB_ERROR_INFRA, "engine proof with %s told nothing, twice",
			t->probe->name);
}

/* Every probe once. Kept as a whole: half of it is no proof. */
static bool prove_quick(struct trial *t, struct engine_proof *proof, GError **error)
{
	GPtrArray *probes = t->params->probes;
	struct engine_proof gain = { 0 };
	bool ok = true;

	t->model = run_cpu_models(t->params->accel)[0];
	for (t->index = 0; ok && t->index < probes->len && !gain.trouble; t->index++) {
		t->probe = probes->pdata[t->index];
		ok = prove_probe(t, &gain, error);
	}
	ok = ok && proof_add(t, &gain, proof, error);
	engine_proof_clear(&gain);
	return ok;
}

static const struct probe_info *long_probe(const struct trial *t)
{
	GPtrArray *probes = t->params->probes;
	guint i = t->index % (probes->len + 1);

	return i < probes->len ? probes->pdata[i] : &signals_info;
}

/* Probes and CPU models in turn, until the time is over. */
static bool prove_long(struct trial *t, struct engine_proof *proof, GError **error)
{
	const struct engine_prove_params *params = t->params;
	const char *const *models = run_cpu_models(params->accel);
	unsigned n_models = g_strv_length((char **)models);
	int64_t until_us = clock_now_us(&clock_monotonic) + params->minutes * 60 * G_USEC_PER_SEC;

	while (!proof->trouble && clock_now_us(&clock_monotonic) < until_us) {
		t->index = proof->boots + proof->weather;
		t->probe = long_probe(t);
		t->model = models[t->index / (params->probes->len + 1) % n_models];
		if (!trial_add(t, proof, error))
			return false;
		progress_say(t->progress, "engine: %u boots, %.0f s of stress", proof->boots,
			     proof->stress_s);
	}
	return true;
}

/* One klab makes the quick proof, others that want it wait for it. */
static bool get_quick(struct trial *t, struct engine_proof *proof, GError **error)
{
	g_autofree char *lock = g_strdup_printf("%s.quick.lock", t->path), *where = NULL;
	auto_fd held = fs_lock(lock, QUICK_LIMIT_S, error);

	if (held < 0)
		return false;
	if (proof_load(t->path, proof))
		return true;
	where = t->params->host ? job_host_text(t->params->host) : g_strdup("this host");
	progress_say(t->progress, "engine: proving QEMU %s on %s with %s", t->e->version, where,
		     t->params->kernel->release);
	return prove_quick(t, proof, error);
}

bool engine_prove(const struct engine *e, const struct engine_prove_params *params,
		  const struct progress *progress, struct engine_proof *ret, GError **error)
{
	struct engine_proof proof = { 0 };
	g_autofree char *agent = agent_sha256(error);
	g_autofree char *path = agent ? proof_path(e, params, agent, error) : NULL;
	struct trial t = { .e = e, .params = params, .progress = progress, .agent = agent,
			   .path = path };
	bool ok = path && (!params->again || fs_remove(path, error));

	ok = ok && (proof_load(path, &proof) || get_quick(&t, &proof, error));
	if (ok && params->minutes)
		ok = prove_long(&t, &proof, error);
	if (!ok) {
		engine_proof_clear(&proof);
		return lab_prefix(error, "engine");
	}
	*ret = proof;
	return true;
}
