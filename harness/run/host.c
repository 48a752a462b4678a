// SPDX-License-Identifier: GPL-2.0-or-later
/* Readings of the host's load, and what two of them say about the time between. See host.h. */
#include "run/host.h"

#include "base/fs.h"

#include <math.h>
#include <sched.h>
#include <string.h>

#define PROC_FILE_MAX (1u << 20)
#define CGROUP_DEPTH_MAX 32

/* --- parsing ------------------------------------------------------------------------------- */

/* The number behind `*at`, which moves behind it; -1 without one. */
static int64_t next_number(const char **at)
{
	char *end;
	guint64 n;

	*at += strspn(*at, " \t");
	if (!g_ascii_isdigit(**at))
		return -1;
	n = g_ascii_strtoull(*at, &end, 10);
	*at = end;
	return MIN(n, (guint64)G_MAXINT64 / 2000000);
}

/* "cpu  user nice system idle iowait irq softirq steal ...", in ticks. */
static void parse_stat(const char *text, long ticks_s, struct host_load *ret)
{
	enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
	const char *at = text;
	int64_t ticks[FIELDS];

	if (!g_str_has_prefix(text, "cpu ") || ticks_s <= 0)
		return;
	at += strlen("cpu ");
	for (int i = 0; i < FIELDS; i++) {
		ticks[i] = next_number(&at);
		if (ticks[i] < 0 && i <= IDLE)
			return;
		ticks[i] = MAX(ticks[i], 0) * 1000 / ticks_s;
	}
	ret->busy_ms = ticks[USER] + ticks[NICE] + ticks[SYSTEM] + ticks[IRQ] + ticks[SOFTIRQ];
	ret->idle_ms = ticks[IDLE] + ticks[IOWAIT];
	ret->steal_ms = ticks[STEAL];
}

void host_load_parse(const struct host_texts *texts, struct host_load *ret)
{
	const char *some = texts->pressure ? strstr(texts->pressure, "some ") : NULL;
	const char *total = some ? strstr(some, "total=") : NULL;
	char *end;

	ret->load1 = ret->busy_ms = ret->idle_ms = ret->steal_ms = ret->psi_some_us = -1;
	if (texts->stat)
		parse_stat(texts->stat, texts->ticks_s, ret);
	if (texts->loadavg) {
		ret->load1 = g_ascii_strtod(texts->loadavg, &end);
		if (end == texts->loadavg || !isfinite(ret->load1) || ret->load1 < 0)
			ret->load1 = -1;
	}
	if (total && !memchr(some, '\n', total - some)) {
		total += strlen("total=");
		ret->psi_some_us = next_number(&total);
	}
}

double host_limit_parse(const char *quota, const char *period)
{
	int64_t q = quota ? next_number(&quota) : -1;
	int64_t p = period ? next_number(&period) : quota ? next_number(&quota) : -1;

	return q > 0 && p > 0 ? (double)q / p : -1;
}

/* --- reading ------------------------------------------------------------------------------- */

static char *read_text(const char *path)
{
	char *text = NULL;

	return fs_read(path, PROC_FILE_MAX, &text, NULL, NULL) ? text : NULL;
}

static double group_limit(const char *dir)
{
	g_autofree char *v2 = g_build_filename(dir, "cpu.max", NULL);
	g_autofree char *v1 = g_build_filename(dir, "cpu.cfs_quota_us", NULL);
	g_autofree char *v1_period = g_build_filename(dir, "cpu.cfs_period_us", NULL);
	g_autofree char *max = read_text(v2), *quota = NULL, *period = NULL;

	if (max)
		return host_limit_parse(max, NULL);
	quota = read_text(v1);
	period = quota ? read_text(v1_period) : NULL;
	return period ? host_limit_parse(quota, period) : -1;
}

/* The tightest limit of a group and all above it. */
static double path_limit(const char *root, const char *group)
{
	g_autofree char *path = g_build_filename(root, group, NULL);
	double tightest = -1;

	for (int i = 0; i < CGROUP_DEPTH_MAX && strlen(path) >= strlen(root); i++) {
		double limit = group_limit(path);
		char *up = g_path_get_dirname(path);

		if (limit > 0 && (tightest < 0 || limit < tightest))
			tightest = limit;
		g_free(path);
		path = up;
	}
	return tightest;
}

/* Lines "ID:CONTROLLERS:PATH"; version 2 is "0::PATH". */
static double cgroup_limit(void)
{
	g_autofree char *text = read_text("/proc/self/cgroup");
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", 64);

	for (char **line = lines; *line; line++) {
		g_auto(GStrv) part = g_strsplit(*line, ":", 3);
		g_auto(GStrv) names = part[0] && part[1] ? g_strsplit(part[1], ",", 16) : NULL;
		double limit = -1;

		if (!part[0] || !part[1] || !part[2])
			continue;
		if (!*part[1])
			limit = path_limit("/sys/fs/cgroup", part[2]);
		else if (g_strv_contains((const char *const *)names, "cpu"))
			limit = path_limit("/sys/fs/cgroup/cpu", part[2]);
		if (limit > 0)
			return limit;
	}
	return -1;
}

static unsigned usable_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return g_get_num_processors();
	return CPU_COUNT(&set);
}

void host_load_take(struct host_load *ret)
{
	g_autofree char *stat = read_text("/proc/stat"), *loadavg = read_text("/proc/loadavg");
	g_autofree char *pressure = read_text("/proc/pressure/cpu");
	const struct host_texts texts = {
		.stat = stat,
		.loadavg = loadavg,
		.pressure = pressure,
		.ticks_s = sysconf(_SC_CLK_TCK),
	};

	host_load_parse(&texts, ret);
	ret->at_us = clock_now_us(&clock_monotonic);
	ret->cpus = usable_cpus();
	ret->cpu_limit = cgroup_limit();
}

/* --- events -------------------------------------------------------------------------------- */

static json_t *known(double x)
{
	return isfinite(x) && x >= 0 ? json_real(x) : json_null();
}

json_t *host_load_json(const struct host_load *load)
{
	return json_pack("{s:I, s:i, s:o, s:o, s:I, s:I, s:I, s:I}", "at_us", (json_int_t)load->at_us,
			 "cpus", (int)load->cpus, "cpu_limit", known(load->cpu_limit), "load1",
			 known(load->load1), "busy_ms", (json_int_t)load->busy_ms, "idle_ms",
			 (json_int_t)load->idle_ms, "steal_ms", (json_int_t)load->steal_ms,
			 "psi_some_us", (json_int_t)load->psi_some_us);
}

/* Growth of a counter between two events; NAN when one of them lacks it, or it went back. */
static double growth(const json_t *start, const json_t *end, const char *key)
{
	double a = json_number_value(json_object_get(start, key));
	double b = json_number_value(json_object_get(end, key));

	if (!json_is_number(json_object_get(start, key)) ||
	    !json_is_number(json_object_get(end, key)) || a < 0 || b < a)
		return NAN;
	return b - a;
}

/* Rounded to a thousandth: a reader wants no more, and a longer number says no more. */
static json_t *share(double part, double whole)
{
	double x = part / whole;

	if (!isfinite(x) || x < 0)
		return json_null();
	return json_real(round(1000 * fmin(x, 1)) / 1000);
}

static json_t *copy_of(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return value ? json_deep_copy(value) : json_null();
}

json_t *host_summary(const json_t *start, const json_t *end)
{
	double busy = growth(start, end, "busy_ms"), idle = growth(start, end, "idle_ms");
	double steal = growth(start, end, "steal_ms"), all = busy + idle + steal;
	double wall_us = growth(start, end, "at_us");
	json_t *run_us = json_object_get(end, "run_us");
	double guest = json_is_number(run_us) ? json_number_value(run_us) / 1000 : NAN;

	if (!json_is_object(start) || !json_is_object(end))
		return NULL;
	return json_pack("{s:o, s:o, s:[o,o], s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "cpus",
			 copy_of(start, "cpus"), "cpu_limit", copy_of(start, "cpu_limit"), "load1",
			 copy_of(start, "load1"), copy_of(end, "load1"), "busy", share(busy, all),
			 "steal", share(steal, all), "guest", share(guest, all), "others",
			 share(isnan(guest) ? NAN : fmax(busy - guest, 0), all), "psi_some",
			 share(growth(start, end, "psi_some_us"), wall_us), "alone",
			 copy_of(start, "alone"), "waited_ms", copy_of(start, "waited_ms"));
}

double host_taken(const json_t *summary)
{
	double others = json_number_value(json_object_get(summary, "others"));
	double steal = json_number_value(json_object_get(summary, "steal"));

	return CLAMP(others + steal, 0, 1);
}
