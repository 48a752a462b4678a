// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Look-ups search, they do not scan: a table a hundred times as long costs a few comparisons more.
 * Counted, not timed: this file is compiled with -finstrument-functions, so that each call within
 * the header's look-up is seen, whatever the machine does besides. Times are bench_blacklist's.
 */
#include "know_fixture.h"

#define FEW 100
#define MANY 10000
#define FACTOR 2          /* log2(10000) / log2(100); a scan would have 100 */
#define CALLS_OF_RANGE 10 /* for both neighbours of a release candidate */

static unsigned long calls, tells;

__attribute__((no_instrument_function)) void __cyg_profile_func_enter(void *fn, void *site);
__attribute__((no_instrument_function)) void __cyg_profile_func_exit(void *fn, void *site);

void __cyg_profile_func_enter(void *fn, void *site)
{
	calls++;
	tells += fn == (void *)ktb_tell;
}

void __cyg_profile_func_exit(void *fn, void *site)
{
}

/* Every other build failed, so that no two make a span; or all are clean, and all make spans. */
static GPtrArray *builds(unsigned n, bool alike)
{
	GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);

	for (unsigned i = 0; i < n; i++) {
		g_autofree char *release = g_strdup_printf("6.1.0-%u-amd64", i);
		g_autofree char *version =
			g_strdup_printf("#1 SMP Debian 6.1.%u-1 (2026-01-01)", i);

		g_ptr_array_add(all,
				measured_new(release, version, "text-poke", !alike && i % 2, 1e-5));
	}
	return all;
}

/* Calls that the costliest of some look-ups makes. */
static unsigned long cost(const struct hazard_set *hazards, unsigned n, bool alike)
{
	static const char *const versions[] = { "6.1.0-1", "6.1.33-1", "6.1.50-2", "6.1.98-1" };
	g_autoptr(GPtrArray) measured = builds(n, alike);
	g_autoptr(knowledge) known = know_new(hazards, measured);
	unsigned long most = 0;

	assert_int_equal(known->table.n_measured, n);
	for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
		g_autofree char *text = g_strdup_printf("#1 SMP Debian %s (2026)", versions[i]);
		struct ktb_kernel kernel;
		unsigned long before;

		ktb_identify(&kernel, "6.1.0-50-amd64", text, NULL);
		before = calls;
		ktb_table_check(&known->table, &kernel, "text-poke");
		most = MAX(most, calls - before);
	}
	return most;
}

static void measured_are_searched(void **state)
{
	g_autoptr(hazard_set) hazards = shipped();

	for (int alike = 0; alike < 2; alike++) {
		unsigned long few = cost(hazards, FEW, alike), many = cost(hazards, MANY, alike);

		assert_true(few > 0);
		if (many > few * FACTOR)
			fail_msg("%lu calls for %d builds, %lu for %d", few, FEW, many, MANY);
	}
}

/* So many operations with a hazard each. */
static struct hazard_set *operations(unsigned n)
{
	g_autoptr(GString) yaml = g_string_new("surveyed: \"7.2\"\nhazards:\n");
	g_autoptr(GError) error = NULL;
	struct hazard_set *set = NULL;

	for (unsigned i = 0; i < n; i++)
		g_string_append_printf(
			yaml,
			"  - {id: h%u, op: o%u, summary: s, mainline: [\"5.1..6.2\"], "
			"sources: [{how: memory, says: t}]}\n",
			i, i);
	if (!hazard_set_parse("made", yaml->str, yaml->len, &set, &error))
		fail_msg("%s", error->message);
	return set;
}

static unsigned long cost_of_op(unsigned n)
{
	g_autoptr(hazard_set) hazards = operations(n);
	g_autoptr(knowledge) known = know_new(hazards, NULL);
	struct ktb_kernel kernel;
	unsigned long before;

	ktb_identify(&kernel, "6.1.20", "#1 SMP", NULL);
	before = calls;
	assert_int_equal(ktb_table_check(&known->table, &kernel, "o7").value, KTB_AFFECTED);
	return calls - before;
}

static void operations_are_searched(void **state)
{
	unsigned long few = cost_of_op(10), many = cost_of_op(1000);

	assert_true(few > 0);
	if (many > few * FACTOR)
		fail_msg("%lu calls for 10 operations, %lu for 1000", few, many);
}

/* A hazard with so many ranges of older branches. */
static unsigned long cost_of_ranges(unsigned n)
{
	g_autoptr(GString) yaml = g_string_new("surveyed: \"7.2\"\nhazards:\n  - id: h\n"
					       "    op: o\n    summary: s\n    sources: "
					       "[{how: memory, says: t}]\n    mainline: [");
	g_autoptr(hazard_set) hazards = NULL;
	g_autoptr(knowledge) known = NULL;
	g_autoptr(GError) error = NULL;
	struct ktb_kernel kernel;
	unsigned long before;

	for (unsigned i = 0; i < n; i++)
		g_string_append_printf(yaml, "%s\"4.%u..4.%u.9\"", i ? ", " : "", i, i);
	g_string_append(yaml, "]\n");
	if (!hazard_set_parse("made", yaml->str, yaml->len, &hazards, &error))
		fail_msg("%s", error->message);
	known = know_new(hazards, NULL);
	ktb_identify(&kernel, "6.2.0-rc3", "#1 SMP", NULL);
	before = calls;
	assert_int_equal(ktb_table_check(&known->table, &kernel, "o").value, KTB_CLEAN);
	return calls - before;
}

static void ranges_of_other_branches_are_stepped_over(void **state)
{
	unsigned long few = cost_of_ranges(10), many = cost_of_ranges(110);

	if (many - few > 100 * CALLS_OF_RANGE)
		fail_msg("%lu calls for 10 ranges, %lu for 110", few, many);
}

/* Copying texts is much of what a look-up costs: of an answer that a measurement replaces, none is.
 */
static void reasons_are_told_once(void **state)
{
	g_autoptr(hazard_set) hazards = shipped();
	g_autoptr(GPtrArray) measured = builds(1, true);
	g_autoptr(knowledge) known = know_new(hazards, measured);
	struct ktb_kernel kernel;

	ktb_identify(&kernel, "6.1.0-0-amd64", "#1 SMP Debian 6.1.0-1 (2026-01-01)", NULL);
	tells = 0;
	assert_int_equal(ktb_table_check(&known->table, &kernel, "text-poke").evidence,
			 KTB_MEASURED);
	assert_int_equal(tells, 0);
	assert_int_equal(ktb_table_check(&known->table, &kernel, "nmi-user-read").evidence,
			 KTB_DECLARED);
	assert_int_equal(tells, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(measured_are_searched),
		cmocka_unit_test(operations_are_searched),
		cmocka_unit_test(ranges_of_other_branches_are_stepped_over),
		cmocka_unit_test(reasons_are_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
