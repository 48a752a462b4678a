// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long a large kernels.yaml takes: bench_matrix [KERNELS] (10000). Reads it, selects all, plans
 * a cell for each as if all were in the cache, writes the plan, and prints seconds (of a busy host,
 * CPU seconds say more) and memory.
 */
#include "base/fs.h"
#include "conf/matrix.h"
#include "run/run.h"

#include <stdio.h>
#include <sys/resource.h>

static char *make(unsigned n)
{
	GString *text = g_string_new("defaults: {source: apt, vendor: debian, suites: [a, b]}\n"
				     "kernels:\n");

	for (unsigned i = 0; i < n / 2; i++)
		g_string_append_printf(text,
				       "  - id: debian-%u\n    suites: [bookworm, "
				       "bookworm-security]\n    package: linux-image-6.1.%u-amd64\n"
				       "    aliases: [d-%u]\n",
				       i, i, i);
	g_string_append(text, "families:\n  - id: centos\n    source: rpm\n    package: kernel\n"
			      "    repo: https://example.org/{name}\n"
			      "    versions:\n");
	for (unsigned i = n / 2; i < n; i++)
		g_string_append_printf(text, "      %u: {version: 3.10.0-%u.el7, sha256: %064u}\n",
				       i, i, i);
	return g_string_free(text, FALSE);
}

static double cpu_s(const struct rusage *usage)
{
	return usage->ru_utime.tv_sec + usage->ru_stime.tv_sec +
	       (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

static void report(const char *what, gint64 *since, double *cpu_since)
{
	gint64 now = g_get_monotonic_time();
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("%-10s %7.3f s, %7.3f s of CPU, at most %ld MiB so far\n", what,
	       (now - *since) / 1e6, cpu_s(&usage) - *cpu_since, usage.ru_maxrss / 1024);
	*since = now;
	*cpu_since = cpu_s(&usage);
}

static char *none[] = { NULL };

static void add_cell(struct run *r, const struct kernel_spec *spec)
{
	const struct kernel kernel = {
		.id = spec->id,
		.source = spec->source,
		.image = (char *)"/boot/vmlinuz",
		.sha256 = (char *)"00",
		.release = (char *)"6.1.0",
		.version = (char *)"#1",
		.vendor = spec->vendor,
		.package = spec->package,
	};
	const struct probe_info probe = {
		.name = (char *)"text-poke",
		.hazards = none,
		.kconfig = none,
		.amplify = none,
		.counters = none,
		.min_cpus = 1,
		.duration_s = 20,
	};
	const struct engine engine = {
		.binary = (char *)"qemu",
		.version = (char *)"10.0.2",
		.sha256 = (char *)"11",
		.major = 10,
		.args = none,
		.env = none,
	};
	const struct plan_options options = {
		.smp = 4, .seed = 1, .accel = "tcg", .engine = &engine, .agent_sha256 = "22"
	};

	run_add_cell(r, &kernel, &probe, &options);
}

static bool plan_all(GPtrArray *specs, GError **error)
{
	g_autofree char *dir = g_dir_make_tmp("bench-matrix-XXXXXX", error);
	g_autoptr(run) r = NULL;
	bool ok;

	if (!dir)
		return false;
	r = run_new(dir, 0.99);
	for (unsigned i = 0; i < specs->len; i++)
		add_cell(r, specs->pdata[i]);
	ok = run_save(r, error);
	return fs_remove(dir, ok ? error : NULL) && ok;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? g_ascii_strtoull(argv[1], NULL, 10) : 10000;
	const char *const all[] = { "*", NULL };
	g_autofree char *text = make(n);
	g_autoptr(GPtrArray) specs = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(matrix) m = NULL;
	gint64 since = g_get_monotonic_time();
	double cpu = 0;

	printf("%u kernels, %zu KiB\n", n, strlen(text) / 1024);
	if (!matrix_parse("bench.yaml", text, strlen(text), &m, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return 1;
	}
	report("validated", &since, &cpu);
	if (!matrix_select(m, all, &specs, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return 1;
	}
	report("selected", &since, &cpu);
	if (!plan_all(specs, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return 1;
	}
	report("planned", &since, &cpu);
	return specs->len == n ? 0 : 1;
}
