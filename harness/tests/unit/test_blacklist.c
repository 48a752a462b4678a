// SPDX-License-Identifier: GPL-2.0-or-later
/* The reports on what is known: evidence boiled down, the page, the twin read back, differences,
 * explanations. */
#include "base/embed.h"
#include "report/blacklist_diff.h"
#include "report/blacklist_evidence.h"
#include "report/blacklist_explain.h"
#include "report/blacklist_json.h"
#include "report/blacklist_markdown.h"
#include "report/blacklist_text.h"
#include "report/blacklist_twin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define KERNEL_610                                                                                 \
	"{\"id\":\"k\",\"release\":\"6.1.0-10-amd64\",\"version\":\"(x@y) #1 SMP Debian 6.1.38-1 " \
	"(2023)\",\"vendor\":\"debian\",\"package_version\":\"6.1.38-1\",\"sha256\":null,"         \
	"\"built_on\":\"a host\"}"
#define CELL(verdict, p_missed) CELL_WITH(verdict, p_missed, "")
#define CELL_WITH(verdict, p_missed, more)                                                    \
	"{\"kernel\":\"k\",\"probe\":\"nmi-user-read\",\"verdict\":\"" verdict                     \
	"\",\"kind\":\"deadlock\",\"title\":\"deadlock: a <- b\",\"p_missed\":" p_missed           \
	more ",\"jobs\":[{\"dir\":\"jobs/x/"                                                       \
	"0\",\"digest\":\"ab\",\"host\":{\"cpus\":2},\"excerpt\":\"e\""                            \
	"}]}"
#define RESULT(cells)                                                                              \
	"{\"schema\":1,\"started\":\"2026-01-01T00:00:00Z\",\"kernels\":[" KERNEL_610              \
	"],\"cells\":[" cells "],\"host\":\"a host\"}"

static GPtrArray *runs_of(const char *const *results)
{
	GPtrArray *runs = blacklist_evidence_new();
	g_autoptr(GError) error = NULL;

	for (; *results; results++)
		assert_true(blacklist_evidence_add(runs, "r", *results, strlen(*results), &error));
	return runs;
}

/* The JSON twin of the shipped declarations, or of `yaml`, and of one result or NULL. */
static json_t *twin_of(const char *yaml, const char *result)
{
	const char *const results[] = { result, NULL };
	g_autoptr(GPtrArray) runs = runs_of(results), probes = NULL;
	g_autoptr(GPtrArray) measured =
		g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
	g_autoptr(hazard_set) hazards = NULL;
	g_autoptr(knowledge) known = NULL;
	size_t len = yaml ? strlen(yaml) : EMBED_LEN(hazards_yaml);

	assert_true(hazard_set_parse("h", yaml ? yaml : embed_hazards_yaml, len, &hazards, NULL));
	assert_true(probes_parse(embed_probes_json, EMBED_LEN(probes_json), &probes, NULL));
	for (unsigned i = 0; i < runs->len; i++) {
		g_autofree char *text = blacklist_evidence_run_text(runs->pdata[i]);

		assert_true(
			measured_read("r", text, strlen(text), probes, hazards, measured, NULL));
	}
	known = know_new(hazards, measured);
	return blacklist_json_of_runs(known, hazards, measured, runs);
}

static void test_evidence(void **state)
{
	const char *const one[] = { RESULT(CELL("clean", "0.01")), RESULT(CELL("affected", "null")),
				    NULL };
	const char *const other[] = { one[1], one[0], one[1], NULL };
	g_autoptr(GPtrArray) runs = runs_of(one), again = runs_of(other);
	g_autofree char *text = blacklist_evidence_text(runs);
	g_autofree char *same = blacklist_evidence_text(again), *reread = NULL;
	const char *const itself[] = { text, NULL };
	const char *newer = "{\"evidence_schema\":2,\"runs\":[]}";
	g_autoptr(GPtrArray) back = runs_of(itself);
	g_autoptr(GError) error = NULL;

	(void)state;
	assert_string_equal(text, same); /* neither order nor repetition matter */
	reread = blacklist_evidence_text(back);
	assert_string_equal(text, reread);
	assert_non_null(strstr(text, "\"digest\":\"ab\""));
	assert_null(strstr(text, "host")); /* nothing of the machine goes along */
	assert_null(strstr(text, "excerpt"));
	assert_false(blacklist_evidence_add(runs, "r.json", newer, strlen(newer), &error));
	assert_true(g_str_has_prefix(error->message, "r.json: no result of schema 1"));
}

static void test_builds(void **state)
{
	static const char *const table[][2] = {
		{ "{\"from\":\"1.1\",\"to\":\"1.5\"}", "1.1 until before 1.5" },
		{ "{\"from\":\"1.1\",\"to\":\"1.5-eol\"}", "1.1 up to the last 1.5" },
		{ "{\"from\":\"1.1\",\"last_seen\":\"1.2\",\"to\":\"1.5\"}",
		  "1.1 to 1.2; unknown from there until 1.5" },
		{ "{\"from\":\"1.1\",\"last_seen\":\"1.2\",\"to\":\"unknown\"}",
		  "1.1 to 1.2; unknown later in that branch" },
		{ "{\"from\":\"1.1\",\"to\":\"unknown\"}", "1.1; unknown later in that branch" },
		{ "{\"from\":\"1.1\"}", "1.1" },
		{ "{}", "all that are known" },
	};

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
		g_autoptr(GString) out = g_string_new(NULL);
		json_t *range = json_loads(table[i][0], 0, NULL);

		blacklist_append_builds(out, range);
		assert_string_equal(out->str, table[i][1]);
		json_decref(range);
	}
}

static void test_sources(void **state)
{
	static const struct {
		const char *says, *vendor, *from, *to;
		bool about;
	} table[] = {
		{ "fixed in 6.1.36", "mainline", "6.1.0", "6.1.36", true },
		{ "fixed in 6.1.360", "mainline", "6.1.0", "6.1.36", false },
		{ "fixed in 16.1.36", "mainline", "6.2.0", "6.1.36", false },
		{ "it is in v5.19-rc1.", "mainline", "5.19.0", "6.0-eol", true },
		{ "Debian: 6.1.37-1 fixed", "mainline", "6.1.37", "6.2", false },
		{ "Debian: 6.1.37-1 fixed", "debian", "5.19.6-1", "6.1.37-1", true },
		{ "6.1.37-1 fixed", "debian", "5.19.6-1", "6.1.37-1", false },
		{ "RHEL 9: with 5.14.0-293.el9", "rhel9", "5.14.0-293.el9", "unknown", true },
		{ "Amazon: 6.1.25-37.47 has it", "amazon", "6.1.25-37.47.amzn2023", "6.2", true },
		{ "RHEL 7 and RHEL 8 lack it", "rhel8", NULL, NULL, true },
		{ "RHEL 7 lacks it", "rhel8", NULL, NULL, false },
	};

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
		json_t *range = json_pack("{s:s, s:s?, s:s?}", "vendor", table[i].vendor, "from",
					  table[i].from, "to", table[i].to);

		assert_int_equal(blacklist_is_about(table[i].says, range), table[i].about);
		json_decref(range);
	}
}

/* A twin read back answers as what it was made of, for every kernel that a range names. */
static void test_twin(void **state)
{
	json_t *document = twin_of(NULL, RESULT(CELL("affected", "null"))), *diff;
	g_autoptr(hazard_set) hazards = NULL;
	g_autoptr(knowledge) known = NULL;
	struct blacklist_twin twin;
	unsigned asked = 0;

	(void)state;
	assert_true(blacklist_twin_read(document, &twin, NULL));
	assert_int_equal(twin.measured->len,
			 json_array_size(json_object_get(document, "measured")));
	hazard_set_parse("h", embed_hazards_yaml, EMBED_LEN(hazards_yaml), &hazards, NULL);
	known = know_new(hazards, twin.measured);
	for (unsigned i = 0; i < hazards->all->len; i++) {
		const struct hazard *h = hazards->all->pdata[i];

		for (unsigned j = 0; j < h->ranges->len; j++) {
			const struct ktb_range *r = &g_array_index(h->ranges, struct ktb_range, j);
			struct ktb_kernel k;
			struct ktb_answer a, b;

			if (!r->lo || !blacklist_kernel_of_bound(r->vendor, r->lo, &k))
				continue;
			a = ktb_table_check(&known->table, &k, h->op);
			b = ktb_table_check(&twin.known->table, &k, h->op);
			assert_int_equal(a.value, b.value);
			assert_string_equal(a.reason, b.reason);
			asked++;
		}
	}
	assert_true(asked > 100);
	diff = blacklist_diff(document, document, NULL);
	assert_true(blacklist_diff_is_same(diff));
	json_decref(diff);
	blacklist_twin_clear(&twin);
	json_decref(document);
}

static void test_digest(void **state)
{
	json_t *document = twin_of(NULL, RESULT(CELL("clean", "0.0123456789")));
	char *text = blacklist_json_text(document);
	json_t *back = json_loads(text, 0, NULL);
	g_autofree char *digest = blacklist_json_compute_digest(back), *other = NULL;

	(void)state;
	assert_string_equal(digest, blacklist_json_digest(document)); /* numbers survive */
	blacklist_json_add_file(back, "x.h", "text");
	other = blacklist_json_compute_digest(back);
	assert_string_equal(other, digest);
	g_free(other);
	json_object_set_new(back, "surveyed", json_string("1.0"));
	other = blacklist_json_compute_digest(back);
	assert_string_not_equal(other, digest);
	free(text);
	json_decref(back);
	json_decref(document);
}

#define YAML(more)                                                                                 \
	"surveyed: \"7.2\"\n"                                                                      \
	"hazards:\n"                                                                               \
	"  - {id: a, op: nmi-user-read, summary: s, mainline: [\"6.1..6.1.36\"],\n"                \
	"     exposure: nmi-user-reads, sources: [{how: seen, says: x}]" more "}\n"

static json_t *find_row(const json_t *diff, const char *kernel)
{
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(diff, "answers"), i, row)
		if (!strcmp(blacklist_text_of(row, "kernel"), kernel))
			return row;
	return NULL;
}

static void expect_diff(const char *new_yaml, const char *result, const char *kernel,
			const char *change, const char *says)
{
	json_t *old = twin_of(YAML(""), NULL), *new = twin_of(new_yaml, result);
	json_t *diff = blacklist_diff(old, new, NULL);
	g_autofree char *page = blacklist_diff_markdown(diff);

	assert_false(blacklist_diff_is_same(diff));
	if (kernel) {
		assert_non_null(find_row(diff, kernel));
		assert_string_equal(blacklist_text_of(find_row(diff, kernel), "change"), change);
	}
	if (!strstr(page, says))
		fail_msg("no '%s' in:\n%s", says, page);
	json_decref(diff);
	json_decref(old);
	json_decref(new);
}

static void test_diff(void **state)
{
	(void)state;
	/* a declaration that was clean by extrapolation, measured otherwise */
	expect_diff(YAML(""), RESULT(CELL("affected", "null")), "debian 6.1.38-1", "changed",
		    "clean (extrapolated) | **affected (measured)**");
	expect_diff(YAML(""), RESULT(CELL("clean", "0.01")), "debian 6.1.38-1", "better",
		    "## Answers that are better founded");
	expect_diff(YAML(", vendor: {debian: [\"6.1.5-1..6.1.38-1\"]}"), NULL, "debian 6.1.38-1",
		    "better", "  - now: debian affected 6.1.5-1 until before 6.1.38-1");
	expect_diff(YAML(", workaround: w"), NULL, NULL, NULL, "- a (nmi-user-read): workaround");
	expect_diff(YAML("") "  - {id: b, op: nmi-user-read, summary: more, "
			     "mainline: [\"6.2..6.2.3\"], sources: [{how: seen, says: x}]}\n",
		    NULL, "mainline 6.2.0", "changed", "- b (nmi-user-read): more");
}

static void test_diff_refuses(void **state)
{
	json_t *good = twin_of(YAML(""), NULL), *bad = json_object();
	json_t *newer = json_deep_copy(good);
	g_autoptr(GError) error = NULL;

	(void)state;
	assert_null(blacklist_diff(good, bad, &error));
	assert_true(g_str_has_prefix(error->message, "new: no JSON twin"));
	g_clear_error(&error);
	json_object_set_new(newer, "schema", json_integer(2));
	assert_null(blacklist_diff(newer, good, &error));
	assert_true(g_str_has_prefix(error->message, "old: schema 2"));
	json_decref(good);
	json_decref(bad);
	json_decref(newer);
}

static void test_markdown(void **state)
{
	json_t *document = twin_of(NULL, RESULT(CELL("affected", "null")));
	g_autofree char *page = blacklist_markdown(document), *again = blacklist_markdown(document);
	const char *disputes = strstr(page, "## Contradictions");

	(void)state;
	assert_string_equal(page, again);
	assert_non_null(disputes);
	assert_true(disputes < strstr(page, "## Overview"));
	assert_true(strstr(disputes, "- k (6.1.0-10-amd64): nmi-user-read") <
		    strstr(page, "## Over"));
	assert_non_null(strstr(page,
			       "| debian 6.1.38-1 | 6.1.0-10-amd64 | nmi-user-read | affected "
			       "| deadlock: a &lt;- b | affected | `ab` |"));
	assert_non_null(strstr(page, "| debian | 5.19.6-1 until before 6.1.37-1 | **affected** | "
				     "declared [4] |"));
	assert_non_null(strstr(page, "- Fixed by: `d319f344561d`"));
	assert_non_null(strstr(page, blacklist_json_digest(document)));
	json_decref(document);
}

/* Found with injected delays: that, and what it means, goes all the way to the page. */
static void test_reachable(void **state)
{
	static const struct {
		const char *result;
		bool reachable;
	} cases[] = {
		{ RESULT(CELL_WITH("affected", "null", ",\"schedule\":\"reachable\"")), true },
		{ RESULT(CELL_WITH("affected", "null", ",\"schedule\":\"plain\"")), false },
		{ RESULT(CELL("affected", "null")), false },
		{ RESULT(CELL_WITH("clean", "0.01", ",\"schedule\":\"reachable\"")), false },
	};

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		json_t *document = twin_of(NULL, cases[i].result);
		const json_t *row = json_array_get(json_object_get(document, "measured"), 0);
		g_autofree char *page = blacklist_markdown(document);
		struct blacklist_twin twin = { 0 };

		assert_int_equal(!strcmp(blacklist_text_of(row, "schedule"), "reachable"),
				 cases[i].reachable);
		assert_int_equal(json_object_get(row, "schedule") != NULL, cases[i].reachable);
		assert_int_equal(strstr(page, "deadlock: a &lt;- b (reachable schedule) |") != NULL,
				 cases[i].reachable);
		assert_int_equal(strstr(page, "\n*Reachable schedule*: found with") != NULL,
				 cases[i].reachable);
		assert_true(blacklist_twin_read(document, &twin, NULL));
		assert_int_equal(((struct measured *)twin.measured->pdata[0])->reachable,
				 cases[i].reachable);
		blacklist_twin_clear(&twin);
		json_decref(document);
	}
}

static json_t *explain(const char *release, const char *version, const char *op)
{
	g_autoptr(hazard_set) hazards = NULL;
	g_autoptr(knowledge) known = NULL;
	struct ktb_kernel kernel;

	hazard_set_parse("h", embed_hazards_yaml, EMBED_LEN(hazards_yaml), &hazards, NULL);
	known = know_new(hazards, NULL);
	ktb_identify(&kernel, release, version, NULL);
	return blacklist_explain_op(
		&(struct blacklist_question){ .known = known, .hazards = hazards }, &kernel, op,
		NULL);
}

/* From one hazard's end into the next one's range, and out of that. */
static void test_later(void **state)
{
	json_t *e = explain("5.5.0-1-amd64", "#1 SMP Debian 5.5.13-2 (2020-03-30)", "text-poke");
	json_t *list = json_object_get(e, "later");
	json_t *first = json_array_get(list, 0), *last = json_array_get(list, 1);

	(void)state;
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(blacklist_text_of(first, "build"), "5.6.7-1");
	assert_string_equal(blacklist_text_of(first, "value"), "affected");
	assert_string_equal(blacklist_text_of(last, "build"), "5.10.148-1");
	assert_string_equal(blacklist_text_of(last, "vendor"), "debian");
	assert_string_equal(blacklist_text_of(last, "value"), "clean");
	json_decref(e);

	e = explain("5.14.0-300.el9.x86_64", NULL, "nmi-user-read");
	assert_string_equal(blacklist_text_of(e, "later_ends_at"), "unknown");
	json_decref(e);
	e = explain("6.2.16", NULL, "nmi-user-read");
	assert_string_equal(blacklist_text_of(e, "later_ends_at"), "6.2-eol");
	json_decref(e);
	e = explain("6.1.36", NULL, "nmi-user-read");
	assert_int_equal(json_array_size(json_object_get(e, "later")), 0);
	json_decref(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evidence),     cmocka_unit_test(test_builds),
		cmocka_unit_test(test_sources),      cmocka_unit_test(test_twin),
		cmocka_unit_test(test_digest),       cmocka_unit_test(test_diff),
		cmocka_unit_test(test_diff_refuses), cmocka_unit_test(test_reachable),
		cmocka_unit_test(test_markdown),     cmocka_unit_test(test_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
