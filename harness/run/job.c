// SPDX-License-Identifier: GPL-2.0-or-later
/* Job specs to JSON and back. */
#include "run/job.h"

#include "base/fs.h"

#include <string.h>

void job_host_free(struct job_host *host)
{
	if (!host)
		return;
	g_free(host->uri);
	g_free(host->name);
	g_free(host->hostname);
	g_free(host->pool);
	g_free(host);
}

struct job_host *job_host_copy(const struct job_host *host)
{
	struct job_host *copy = host ? g_new(struct job_host, 1) : NULL;

	if (copy)
		*copy = (struct job_host){ .uri = g_strdup(host->uri),
					   .name = g_strdup(host->name),
					   .hostname = g_strdup(host->hostname),
					   .pool = g_strdup(host->pool),
					   .remote = host->remote };
	return copy;
}

json_t *job_host_to_json(const struct job_host *host)
{
	if (!host)
		return NULL;
	return json_pack("{s:s, s:s?, s:s?, s:s?, s:b}", "uri", host->uri, "name", host->name,
			 "hostname", host->hostname, "pool", host->pool, "remote", host->remote);
}

char *job_host_text(const struct job_host *host)
{
	const char *name = host->name ? host->name : host->hostname;

	return name ? g_strdup_printf("%s (%s)", name, host->uri) : g_strdup(host->uri);
}

void job_host_place(const struct job_host *host, const struct engine *engine, const char *name,
		    struct guest_spec *spec)
{
	spec->connect = host->uri;
	spec->name = name;
	spec->pool = host->pool;
	/* what this machine has says nothing about the host's files */
	spec->emulator = host->remote ? engine->binary : NULL;
}

void job_free(struct job *j)
{
	if (!j)
		return;
	g_free(j->cell);
	kernel_free(j->kernel);
	g_free(j->probe);
	g_strfreev(j->amplify_globs);
	g_strfreev(j->counters);
	g_free(j->amplify_plan);
	g_free(j->accel);
	g_free(j->cpu_model);
	engine_free(j->engine);
	g_free(j->engine_trouble);
	job_host_free(j->host);
	g_free(j->agent_sha256);
	g_free(j->exposure_rung);
	json_decref(j->params);
	json_decref(j->console_rules);
	g_free(j);
}

static json_t *list_to_json(char **list)
{
	json_t *array = json_array();

	for (; list && *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

static char **list_from_json(const json_t *array)
{
	size_t n = json_array_size(array);
	char **list = g_new0(char *, n + 1);

	for (size_t i = 0; i < n; i++)
		list[i] = g_strdup(json_string_value(json_array_get(array, i)) ?: "");
	return list;
}

static json_t *kernel_to_json(const struct kernel *k)
{
	return json_pack("{s:s, s:s?, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:O*}", "id", k->id,
			 "source", k->source, "image", k->image, "sha256", k->sha256, "release",
			 k->release, "version", k->version, "vendor", k->vendor, "package",
			 k->package, "package_version", k->package_version,
			 "note", k->note, "build", k->identity);
}

static char *get_string(const json_t *json, const char *key)
{
	return g_strdup(json_string_value(json_object_get(json, key)));
}

static struct kernel *kernel_from_json(const json_t *json)
{
	struct kernel *k = g_new0(struct kernel, 1);

	k->id = get_string(json, "id");
	k->source = get_string(json, "source");
	k->image = get_string(json, "image");
	k->sha256 = get_string(json, "sha256");
	k->release = get_string(json, "release");
	k->version = get_string(json, "version");
	k->vendor = get_string(json, "vendor");
	k->package = get_string(json, "package");
	k->package_version = get_string(json, "package_version");
	k->note = get_string(json, "note");
	if (json_is_object(json_object_get(json, "build")))
		k->identity = json_incref(json_object_get(json, "build"));
	return k;
}

static json_t *engine_to_json(const struct engine *e)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:o, s:o}", "binary", e->binary, "version",
			 e->version, "sha256", e->sha256, "major", (int)e->major, "minor",
			 (int)e->minor, "micro", (int)e->micro, "args", list_to_json(e->args), "env",
			 list_to_json(e->env));
}

static struct engine *engine_from_json(const json_t *json)
{
	struct engine *e = g_new0(struct engine, 1);

	e->binary = get_string(json, "binary");
	e->version = get_string(json, "version");
	e->sha256 = get_string(json, "sha256");
	e->major = json_integer_value(json_object_get(json, "major"));
	e->minor = json_integer_value(json_object_get(json, "minor"));
	e->micro = json_integer_value(json_object_get(json, "micro"));
	e->args = list_from_json(json_object_get(json, "args"));
	e->env = list_from_json(json_object_get(json, "env"));
	return e;
}

static struct job_host *host_from_json(const json_t *json)
{
	struct job_host *host = json_is_object(json) ? g_new0(struct job_host, 1) : NULL;

	if (!host)
		return NULL;
	host->uri = get_string(json, "uri");
	host->name = get_string(json, "name");
	host->hostname = get_string(json, "hostname");
	host->pool = get_string(json, "pool");
	host->remote = json_is_true(json_object_get(json, "remote"));
	return host;
}

json_t *job_to_json(const struct job *j)
{
	g_autofree char *seed = g_strdup_printf("%" G_GUINT64_FORMAT, j->seed);

	/* the seed is a string: JSON readers elsewhere keep 53 bits of a number */
	return json_pack("{s:i, s:s, s:i, s:o, s:s, s:o, s:o, s:i, s:i, s:i, s:i, s:i, s:s, s:s, s:s, s:s, "
			 "s:o, s:s?, s:s, s:f, s:s*, s:b, s:b, s:O*, s:O*, s:s*, s:o*}",
			 "schema", JOB_SCHEMA, "cell", j->cell, "attempt", (int)j->attempt, "kernel",
			 kernel_to_json(j->kernel), "probe", j->probe, "amplify_globs",
			 list_to_json(j->amplify_globs), "counters", list_to_json(j->counters),
			 "nmi_hz", (int)j->nmi_hz, "smp", (int)j->smp, "mem_mib", (int)j->mem_mib,
			 "duration_ms", (int)j->duration_ms, "boot_limit_ms", (int)j->boot_limit_ms, "seed", seed, "amplify",
			 amplify_level_name(j->amplify), "accel", j->accel, "cpu_model", j->cpu_model,
			 "engine", engine_to_json(j->engine), "engine_trouble", j->engine_trouble,
			 "agent_sha256", j->agent_sha256, "exposure_target", j->exposure_target,
			 "exposure_rung", j->exposure_rung,
			 "alone", j->alone, "dump", j->dump, "console_rules", j->console_rules,
			 "params", j->params, "amplify_plan", j->amplify_plan, "connect",
			 job_host_to_json(j->host));
}

static bool get_ranged(const json_t *json, const char *key, unsigned lo, unsigned hi, unsigned *ret)
{
	json_int_t n = json_integer_value(json_object_get(json, key));

	if (!json_is_integer(json_object_get(json, key)) || n < lo || n > hi)
		return false;
	*ret = n;
	return true;
}

static bool get_numbers(const json_t *json, struct job *j)
{
	g_autofree char *seed = get_string(json, "seed");
	unsigned schema;

	j->seed = seed ? g_ascii_strtoull(seed, NULL, 10) : 0;
	return get_ranged(json, "schema", JOB_SCHEMA, JOB_SCHEMA, &schema) &&
	       get_ranged(json, "attempt", 0, 1000000, &j->attempt) &&
	       get_ranged(json, "nmi_hz", 0, 100000, &j->nmi_hz) &&
	       get_ranged(json, "smp", 1, 128, &j->smp) &&
	       get_ranged(json, "mem_mib", 64, 1 << 20, &j->mem_mib) &&
	       get_ranged(json, "boot_limit_ms", 100, 3600000, &j->boot_limit_ms) &&
	       get_ranged(json, "duration_ms", 1, 1000000000, &j->duration_ms);
}

/* A plan that cannot be parsed is no spec: what it delays is what the job is for. */
static bool get_amplify(const json_t *json, struct job *j, GError **error)
{
	const char *level = json_string_value(json_object_get(json, "amplify"));
	g_autoptr(plan) p = NULL;
	g_autoptr(GError) why = NULL;

	j->amplify_plan = get_string(json, "amplify_plan");
	if (!level || !amplify_level_parse(level, &j->amplify) ||
	    (j->amplify == AMPLIFY_PLAN) != (j->amplify_plan != NULL))
		return lab_fail(error, LAB_ERROR_INPUT, "not a job spec of schema %d: "
				"'amplify' is no level, or is 'plan' without one", JOB_SCHEMA);
	return !j->amplify_plan ||
	       plan_parse(j->amplify_plan, strlen(j->amplify_plan), &p, &why) ||
	       lab_fail(error, LAB_ERROR_INPUT, "not a job spec of schema %d: 'amplify_plan': %s",
			JOB_SCHEMA, why->message);
}

bool job_from_json(const json_t *json, struct job **ret, GError **error)
{
	g_autoptr(job) j = g_new0(struct job, 1);

	j->cell = get_string(json, "cell");
	j->probe = get_string(json, "probe");
	j->kernel = kernel_from_json(json_object_get(json, "kernel"));
	j->engine = engine_from_json(json_object_get(json, "engine"));
	j->amplify_globs = list_from_json(json_object_get(json, "amplify_globs"));
	j->counters = list_from_json(json_object_get(json, "counters"));
	j->accel = get_string(json, "accel");
	j->cpu_model = get_string(json, "cpu_model");
	j->engine_trouble = get_string(json, "engine_trouble");
	j->agent_sha256 = get_string(json, "agent_sha256");
	j->exposure_target = MAX(json_number_value(json_object_get(json, "exposure_target")), 0);
	j->exposure_rung = get_string(json, "exposure_rung");
	j->host = host_from_json(json_object_get(json, "connect"));
	j->alone = json_is_true(json_object_get(json, "alone"));
	j->dump = json_is_true(json_object_get(json, "dump"));
	j->params = json_deep_copy(json_object_get(json, "params"));
	j->console_rules = json_deep_copy(json_object_get(json, "console_rules"));
	if (!get_numbers(json, j) || (j->host && !j->host->uri) || !j->cell || !j->probe || !j->accel || !j->cpu_model ||
	    !j->agent_sha256 ||
	    !j->kernel->id || !j->kernel->image || !j->kernel->sha256 || !j->kernel->release ||
	    !j->kernel->version || !j->engine->binary || !j->engine->version || !j->engine->sha256)
		return lab_fail(error, LAB_ERROR_INPUT, "not a job spec of schema %d", JOB_SCHEMA);
	if (!get_amplify(json, j, error))
		return false;
	*ret = g_steal_pointer(&j);
	return true;
}

bool job_load(const char *path, struct job **ret, GError **error)
{
	g_autofree char *text = NULL;
	json_t *json;
	size_t len;
	bool ok;

	if (!fs_read(path, 1 << 20, &text, &len, error))
		return false;
	json = json_loadb(text, len, 0, NULL);
	ok = job_from_json(json, ret, error) || lab_prefix(error, "'%s'", path);
	json_decref(json);
	return ok;
}

bool job_save(const struct job *j, const char *dir, GError **error)
{
	g_autofree char *path = g_build_filename(dir, "spec.json", NULL);
	json_t *json = job_to_json(j);
	char *text = json_dumps(json, JSON_INDENT(1));
	bool ok = text && fs_write(path, text, strlen(text), error);

	json_decref(json);
	free(text);
	return ok;
}
