// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long does a product's look-up take? ktb_table_check() and ktb_identify() against the shipped
 * declarations, and against tables of 10 000 entries:
 *
 *	bench_blacklist [LIMIT_NS]	with a limit: exit 1 if a look-up takes longer
 *
 * The best of many short rounds in CPU time: what a busy machine changes least.
 */
#include "base/embed.h"
#include "know/know.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ENTRIES 10000
#define RANGES 25  /* of a hazard: a rich one */
#define HAZARDS 2  /* of an operation */
#define ROUNDS 500 /* each asks about every kernel below */
#define REPEAT 20

static const struct {
	const char *release, *version, *os_release;
} kernels[] = {
	{ "6.1.20", "#1 SMP", NULL },
	{ "7.2.13", "#1 SMP", NULL },
	{ "5.15.71", "#1 SMP", NULL },
	{ "6.2.0-rc3", "#1 SMP", NULL },
	{ "6.1.0-9-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.27-1 (2023-05-08)", "ID=debian\n" },
	{ "6.1.0-56-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-05-08)", NULL },
	{ "6.2.0-36-generic", "#37~22.04.1-Ubuntu SMP PREEMPT_DYNAMIC", "ID=ubuntu\n" },
	{ "5.14.0-427.13.1.el9_4.x86_64", "#1 SMP PREEMPT_DYNAMIC", NULL },
	{ "4.18.0-372.32.1.el8_6.x86_64", "#1 SMP", NULL },
	{ "3.10.0-1160.119.1.el7.x86_64", "#1 SMP", NULL },
	{ "5.14.21-150500.55.19-default", "#1 SMP", NULL },
	{ "6.1.56-82.125.amzn2023.x86_64", "#1 SMP", NULL },
	{ "banana", "", NULL },
};

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static struct hazard_set *shipped(void)
{
	g_autoptr(GError) error = NULL;
	struct hazard_set *set = NULL;

	if (!hazard_set_parse("hazards.yaml", embed_hazards_yaml, EMBED_LEN(hazards_yaml), &set,
			      &error))
		g_error("%s", error->message);
	return set;
}

/* Declarations as hazards.yaml has them: `n` ranges, RANGES a hazard, HAZARDS an operation. */
static struct hazard_set *many_ranges(unsigned n)
{
	static const char *const vendors[] = { "debian", "ubuntu", "rhel8", "rhel9", "amazon" };
	g_autoptr(GString) yaml = g_string_new("surveyed: \"7.2\"\nhazards:\n");
	struct hazard_set *set = NULL;
	g_autoptr(GError) error = NULL;

	for (unsigned i = 0; i < n / RANGES; i++) {
		g_string_append_printf(yaml,
				       "  - id: h%u\n    op: operation-%u\n    summary: s\n"
				       "    mainline: [",
				       i, i / HAZARDS);
		for (unsigned r = 0; r < RANGES - 2 * G_N_ELEMENTS(vendors); r++)
			g_string_append_printf(yaml, "%s\"%u.%u..%u.%u.%u\"", r ? ", " : "",
					       4 + r / 8, r % 8 * 2, 4 + r / 8, r % 8 * 2, 3 + i);
		g_string_append(yaml, "]\n    vendor:\n");
		for (unsigned v = 0; v < G_N_ELEMENTS(vendors); v++)
			g_string_append_printf(yaml,
					       "      %s: [\"5.14.0-%u..5.14.0-%u\", "
					       "\"6.1.3-%u..6.1.3-%u\"]\n",
					       vendors[v], 100 + i, 150 + i, 1 + i, 9 + i);
		g_string_append(yaml, "    sources: [{how: memory, says: made up}]\n");
	}
	if (!hazard_set_parse("many", yaml->str, yaml->len, &set, &error))
		g_error("%s", error->message);
	return set;
}

/* Builds as runs leave them, among them those that are asked about. */
static GPtrArray *many_measured(unsigned n, const char *const *ops)
{
	GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);

	for (unsigned i = 0; i < n; i++) {
		struct measured *m = g_new0(struct measured, 1);

		if (i < G_N_ELEMENTS(kernels)) {
			m->release = g_strdup(kernels[i].release);
			m->version = g_strdup(kernels[i].version);
		} else {
			m->release = g_strdup_printf("6.1.0-%u-amd64", i / 8);
			m->version = g_strdup_printf("#1 SMP Debian 6.1.%u-%u (2026-01-01)", i / 8,
						     i % 8);
		}
		m->kernel = g_strdup("k");
		m->op = g_strdup(ops[i % g_strv_length((char **)ops)]);
		m->probe = g_strdup(m->op);
		m->confidence = 0.99;
		m->p_missed = 1e-5;
		m->journals = g_new0(char *, 1);
		m->digests = g_new0(char *, 1);
		g_ptr_array_add(all, m);
	}
	return all;
}

/* One round of look-ups of a kernel, or without a table of identifying it: ns for one. */
static double round_ns(const struct ktb_table *table, const char *op, unsigned i)
{
	struct ktb_kernel k;
	volatile int sum = 0;
	double start;

	ktb_identify(&k, kernels[i].release, kernels[i].version, kernels[i].os_release);
	start = cpu_ns();
	for (unsigned j = 0; j < REPEAT; j++) {
		if (table)
			sum += ktb_table_check(table, &k, op).value;
		else
			sum += ktb_identify(&k, kernels[i].release, kernels[i].version,
					    kernels[i].os_release);
	}
	return (cpu_ns() - start) / REPEAT;
}

/* What the slowest of the kernels takes, in ns: the best of all rounds. They take turns, so that a
 * moment in which the machine is slow does not hold all rounds of one. */
static double worst_of_kernels(const struct ktb_table *table, const char *op, const char **ret_name)
{
	double best[G_N_ELEMENTS(kernels)], worst = 0;

	for (unsigned round = 0; round < ROUNDS; round++)
		for (unsigned i = 0; i < G_N_ELEMENTS(kernels); i++) {
			double ns = round_ns(table, op, i);

			best[i] = round ? MIN(best[i], ns) : ns;
		}
	for (unsigned i = 0; i < G_N_ELEMENTS(kernels); i++)
		if (best[i] > worst) {
			worst = best[i];
			*ret_name = kernels[i].release;
		}
	return worst;
}

/* Prints a line for each of the operations; the slowest look-up in ns. */
static double measure(const char *what, const struct hazard_set *hazards, unsigned n_measured,
		      const char *const *ops)
{
	g_autoptr(GPtrArray) measured = many_measured(n_measured, ops);
	g_autoptr(knowledge) known = know_new(hazards, measured);
	const char *name = "";
	size_t ranges = 0;
	double worst = 0;

	for (size_t i = 0; i < known->table.n_hazards; i++)
		ranges += known->table.hazards[i].n_ranges;
	for (const char *const *op = ops; *op; op++) {
		double ns = worst_of_kernels(&known->table, *op, &name);

		printf("%-9s %5zu measured %5zu ranges of %3zu hazards: %-15s %7.0f ns (%s)\n",
		       what, known->table.n_measured, ranges, known->table.n_hazards, *op, ns,
		       name);
		worst = MAX(worst, ns);
	}
	return worst;
}

int main(int argc, char **argv)
{
	static const char *const real[] = { "nmi-user-read", "text-poke", NULL };
	static const char *const made[] = { "operation-0", "operation-100", "operation-199", NULL };
	static const char *const halved[] = { "operation-0", "operation-99", NULL };
	double limit_ns = argc > 1 ? strtod(argv[1], NULL) : INFINITY, worst;
	g_autoptr(hazard_set) few = shipped();
	g_autoptr(hazard_set) many = many_ranges(ENTRIES), half = many_ranges(ENTRIES / 2);
	const char *name = "";

	worst = worst_of_kernels(NULL, NULL, &name);
	printf("%-61s %7.0f ns (%s)\n", "ktb_identify", worst, name);
	worst = fmax(worst, measure("shipped", few, 0, real));
	worst = fmax(worst, measure("measured", few, ENTRIES, real));
	worst = fmax(worst, measure("ranges", many, 0, made));
	worst = fmax(worst, measure("both", half, ENTRIES / 2, halved));
	if (worst <= limit_ns)
		return 0;
	fprintf(stderr, "a look-up took %.0f ns, more than %.0f\n", worst, limit_ns);
	return 1;
}
