// SPDX-License-Identifier: GPL-2.0-or-later
/* probes/hazards.yaml: the shipped file says what is known, and nonsense is refused with its place.
 */
#include "base/embed.h"
#include "conf/hazards.h"
#include "conf/probes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void shipped_file_is_complete(void **state)
{
	static const char *const ids[] = { "nmi-user-read-deadlock", "text-poke-race",
					   "text-poke-desc-race" };
	g_autoptr(GError) error = NULL;
	g_autoptr(hazard_set) all = NULL;

	if (!hazard_set_parse("hazards.yaml", embed_hazards_yaml, EMBED_LEN(hazards_yaml), &all,
			      &error))
		fail_msg("%s", error->message);
	for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
		const struct hazard *h = hazard_set_find(all, ids[i]);

		assert_non_null(h);
		assert_true(h->ranges->len > 0);
		assert_true(h->sources->len > 0);
		assert_true(h->signatures->len > 0);
		assert_non_null(h->exposure);
		assert_non_null(h->needs);
		assert_non_null(h->fix);
	}
	assert_null(hazard_set_find(all, "no-such"));
	/* The articles' coarser claims stand beside what is known. */
	assert_true(hazard_set_find(all, ids[0])->claims->len > 0);
	assert_true(hazard_set_find(all, ids[1])->claims->len > 0);
}

/* Of the probes that look for a hazard, one at least has its exposure; others may count another. */
static bool somebody_counts(const GPtrArray *probes, const struct hazard *h)
{
	for (unsigned i = 0; i < probes->len; i++) {
		const struct probe_info *p = g_ptr_array_index(probes, i);

		if (g_strv_contains((const char *const *)p->hazards, h->id) &&
		    g_str_equal(h->exposure, p->counters[0]))
			return true;
	}
	return false;
}

static void probes_and_hazards_know_each_other(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(hazard_set) all = NULL;
	g_autoptr(GPtrArray) probes = NULL;

	assert_true(
		hazard_set_parse("h", embed_hazards_yaml, EMBED_LEN(hazards_yaml), &all, &error));
	assert_true(probes_parse(embed_probes_json, EMBED_LEN(probes_json), &probes, &error));
	for (unsigned i = 0; i < probes->len; i++) {
		const struct probe_info *p = g_ptr_array_index(probes, i);

		assert_true(*p->hazards || p->by_name);	/* a fixture looks for none */
		for (char **id = p->hazards; *id; id++) {
			const struct hazard *h = hazard_set_find(all, *id);

			assert_non_null(h);
			assert_true(somebody_counts(probes, h));
		}
	}
}

#define HEAD                                                                                       \
	"surveyed: '7.2'\nhazards:\n  - id: x\n    op: o\n    summary: s\n"                        \
	"    sources: [{how: seen, says: t}]\n"

static void errors_name_their_place(void **state)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{ "hazards: []\n", "h:1:1: 'surveyed' is missing" },
		{ "surveyed: '7.2'\n", "h:1:1: 'hazards' is missing" },
		{ HEAD, "h:3:5: a hazard needs 'mainline' or 'vendor' ranges" },
		{ HEAD "    mainline: [\"6.1\"]\n",
		  "h:7:16: '6.1' is no range, LO..HI or LO..LAST..HI" },
		{ HEAD "    mainline: [\"6.2..6.1\"]\n", "h:7:16: '6.2..6.1': nothing lies between "
							 "'6.2.0' and '6.1.0'" },
		{ HEAD "    mainline: [\"6.2..6.1-eol\"]\n", "h:7:16: '6.2..6.1-eol': nothing lies "
							     "between '6.2.0' and '6.1-eol'" },
		{ HEAD "    mainline: [\"6.1..6.1\"]\n", "h:7:16: '6.1..6.1': nothing lies between "
							 "'6.1.0' and '6.1.0'" },
		{ HEAD "    mainline: [\"6.1-1..6.2\"]\n",
		  "h:7:16: '6.1-1..6.2': '6.1-1' is no upstream release" },
		{ HEAD "    mainline: [\"6.1..6.2..6.1.9..7\"]\n",
		  "h:7:16: '6.1..6.2..6.1.9..7' is no range, LO..HI or LO..LAST..HI" },
		{ HEAD "    mainline: [\"v6.1..6.2\"]\n",
		  "h:7:16: 'v6.1..6.2': 'v6.1' is no version" },
		{ HEAD "    mainline: [\"..6.2\"]\n", "h:7:16: '..6.2': '' is no version" },
		{ HEAD "    mainline: [\"6.1-eol..6.2\"]\n",
		  "h:7:16: '6.1-eol..6.2': '6.1-eol' is no version" },
		{ HEAD "    mainline: [\"5.19..6.2\", \"6.1..6.3\"]\n",
		  "h:3:5: 'x': '6.1.0' of mainline lies within another range" },
		{ HEAD "    vendor: {debain: [\"6.1-1..6.2-1\"]}\n",
		  "h:7:22: unknown vendor 'debain'; did you mean 'debian'?" },
		{ HEAD "    vendor: {rhel9: [\"5.14.0-9.el9..5.14.0-8.el9..unknown\"]}\n",
		  "h:7:22: '5.14.0-9.el9..5.14.0-8.el9..unknown': '5.14.0-9.el9' is newer than "
		  "'5.14.0-8.el9'" },
		{ HEAD "    vendor: {rhel8: [\"4.18.0-161.el8..4.18.0-240.el8\"]}\n"
		       "    clean: {rhel8: all-known}\n",
		  "h:3:5: 'x': rhel8 is all-known clean and affected" },
		{ HEAD "    mainline: [\"6.1..6.2\"]\n    clean: {rhel8: some}\n",
		  "h:8:20: ranges must be a list, not a single value" },
		{ HEAD "    mainline: [\"6.1..6.2\"]\n    clean: {rhel8: [\"4.18..unknown\"]}\n",
		  "h:8:21: '4.18..unknown': clean builds need an end that is known" },
		{ HEAD "    mainline: [\"6.1..6.2\"]\n    signatures: [{kind: opps}]\n",
		  "h:8:25: unknown kind 'opps'; did you mean 'oops'?" },
		{ HEAD "    mainline: [\"6.1..6.2\"]\n    fixed: v6.2\n",
		  "h:8:12: 'v6.2' is no commit id of 12 to 40 hex digits" },
		{ HEAD "    mainline: [\"6.1..6.2\"]\n    needs: {kconfig: [SMP]}\n",
		  "h:8:22: 'SMP' must read CONFIG_NAME=value" },
		{ HEAD "    mainline: [\"6.1..6.2\"]\n    claims: [{says: x}]\n",
		  "h:8:14: 'who' is missing" },
		{ "surveyed: '7'\nhazards:\n  - {id: X, op: o, summary: s}\n",
		  "h:3:10: 'X' is no id: lower-case letters, digits and - only, a letter first" },
		{ "surveyed: '7'\nhazards:\n  - {id: x, op: o, summary: s}\n",
		  "h:3:5: a hazard needs 'sources': who says so" },
		{ "surveyed: '7'\nhazards:\n"
		  "  - {id: x, op: o, summary: s, sources: [{how: guessed, says: t}]}\n",
		  "h:3:48: 'how' must be seen, derived, measured or memory, not 'guessed'" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_auto(GStrv) lines = NULL;
		struct hazard_set *all = NULL;

		assert_false(
			hazard_set_parse("h", rows[i].text, strlen(rows[i].text), &all, &error));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_USAGE));
		lines = g_strsplit(error->message, "\n", -1);
		if (!g_strv_contains((const char *const *)lines, rows[i].line))
			fail_msg("row %u: '%s' is not among:\n%s", i, rows[i].line, error->message);
	}
}

/* Ranges of every shape, and where versions fall among them. */
static void ranges_mean_what_they_say(void **state)
{
	static const struct {
		struct ktb_range range;
		enum ktb_order order;
		const char *version;
		enum ktb_place place;
	} rows[] = {
		{ { "mainline", KTB_RANGE_AFFECTED, "5.19.0", NULL, "6.0-eol" },
		  KTB_ORDER_DPKG,
		  "5.18.99",
		  KTB_BELOW },
		{ { "mainline", KTB_RANGE_AFFECTED, "5.19.0", NULL, "6.0-eol" },
		  KTB_ORDER_DPKG,
		  "6.0.999",
		  KTB_INSIDE },
		{ { "mainline", KTB_RANGE_AFFECTED, "5.19.0", NULL, "6.0-eol" },
		  KTB_ORDER_DPKG,
		  "6.1.0",
		  KTB_ABOVE },
		{ { "mainline", KTB_RANGE_AFFECTED, "6.1.0", NULL, "6.1.36" },
		  KTB_ORDER_DPKG,
		  "6.1.35",
		  KTB_INSIDE },
		{ { "mainline", KTB_RANGE_AFFECTED, "6.1.0", NULL, "6.1.36" },
		  KTB_ORDER_DPKG,
		  "6.1.36",
		  KTB_ABOVE },
		{ { "mainline", KTB_RANGE_AFFECTED, "6.1.0", NULL, "6.1.36" },
		  KTB_ORDER_DPKG,
		  "6.1.360",
		  KTB_ABOVE },
		{ { "ubuntu", KTB_RANGE_AFFECTED, "6.2.0", NULL, "6.2.0-36.37" },
		  KTB_ORDER_DPKG,
		  "6.2.0-36",
		  KTB_UNSURE },
		{ { "ubuntu", KTB_RANGE_AFFECTED, "6.2.0", NULL, "6.2.0-36.37" },
		  KTB_ORDER_DPKG,
		  "6.2.0-3",
		  KTB_INSIDE },
		{ { "ubuntu", KTB_RANGE_AFFECTED, "5.4.0", "5.4.0-216", "unknown" },
		  KTB_ORDER_DPKG,
		  "5.4.0-216.236",
		  KTB_INSIDE },
		{ { "ubuntu", KTB_RANGE_AFFECTED, "5.4.0", "5.4.0-216", "unknown" },
		  KTB_ORDER_DPKG,
		  "5.4.0-2160.1",
		  KTB_GAP },
		{ { "rhel9", KTB_RANGE_AFFECTED, "5.14.0-293.el9", NULL, "unknown" },
		  KTB_ORDER_RPM,
		  "5.14.0-293.el9",
		  KTB_INSIDE },
		{ { "rhel9", KTB_RANGE_AFFECTED, "5.14.0-293.el9", NULL, "unknown" },
		  KTB_ORDER_RPM,
		  "5.14.0-294.el9",
		  KTB_GAP },
		{ { "amazon", KTB_RANGE_AFFECTED, "6.1.25-1", "6.1.27-1", "6.1.56-1" },
		  KTB_ORDER_RPM,
		  "6.1.27-1",
		  KTB_INSIDE },
		{ { "amazon", KTB_RANGE_AFFECTED, "6.1.25-1", "6.1.27-1", "6.1.56-1" },
		  KTB_ORDER_RPM,
		  "6.1.55-9",
		  KTB_GAP },
		{ { "amazon", KTB_RANGE_AFFECTED, "6.1.25-1", "6.1.27-1", "6.1.56-1" },
		  KTB_ORDER_RPM,
		  "6.1.56-1",
		  KTB_ABOVE },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ktb_range range = rows[i].range;

		for (int told = 0; told < 2; told++) {
			enum ktb_place place = ktb_place_of(rows[i].order, rows[i].version, &range);

			if (place != rows[i].place)
				fail_msg("row %u: '%s' is at %d, expected %d", i, rows[i].version,
					 place, rows[i].place);
			range.hi_branch = ktb_point_of(range.hi).branch;
		}
	}
}

/* The number of a branch says of two versions what their texts say, or nothing. */
static void branches_have_numbers(void **state)
{
	static const struct {
		const char *version;
		unsigned long branch;
	} rows[] = {
		{ "6.1", 60001 },
		{ "6.01.0-9", 60001 },
		{ "6.10.3", 60010 },
		{ "6.1-eol", 60001 },
		{ "6.9999", 69999 },
		{ "9999.9999", 99999999 },
		{ "6.1~rc3", 60001 },
		{ "6", 0 },
		{ "6.", 0 },
		{ "6.x", 0 },
		{ ".1", 0 },
		{ "0.1", 0 },
		{ "1:6.1", 0 },
		{ "6.10000", 0 },
		{ "10000.1", 0 },
		{ "unknown", 0 },
		{ "", 0 },
		{ "6.18446744073709551617", 0 },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ktb_point a = ktb_point_of(rows[i].version);

		assert_int_equal(a.branch, rows[i].branch);
		for (unsigned j = 0; j < G_N_ELEMENTS(rows); j++) {
			struct ktb_point b = ktb_point_of(rows[j].version);

			assert_int_equal(ktb_point_compare_branch(a, b),
					 ktb_branch_compare(a.text, b.text));
			for (int order = KTB_ORDER_DPKG; order <= KTB_ORDER_RPM; order++)
				assert_int_equal(ktb_point_compare(order, a, b),
						 ktb_compare(order, a.text, b.text));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shipped_file_is_complete),
		cmocka_unit_test(probes_and_hazards_know_each_other),
		cmocka_unit_test(errors_name_their_place),
		cmocka_unit_test(ranges_mean_what_they_say),
		cmocka_unit_test(branches_have_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
