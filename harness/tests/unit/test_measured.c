// SPDX-License-Identifier: GPL-2.0-or-later
/* result.json to evidence: which verdict speaks of which operations of which build. */
#include "know_fixture.h"
#include "base/proc.h"

static int compare_texts(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

#define CELL(probe, verdict, more)                                                                 \
	"{\"schema\":1,\"kernels\":[{\"id\":\"a\",\"release\":\"6.12.1-x\",\"version\":\"#1\"}],"  \
	"\"cells\":[{\"kernel\":\"a\",\"probe\":\"" probe "\",\"verdict\":\"" verdict              \
	"\",\"title\":\"oops: t\"" more "}]}"

static void cells_speak_of_operations(void **state)
{
	static const struct {
		const char *text, *ops;
		bool untold;
	} rows[] = {
		{ CELL("nmi-user-read", "clean", ""), "nmi-user-read" },
		/* the weaker probe's clean is none for what the stronger one counts */
		{ CELL("irq-user-read", "clean", ""), "irq-user-read" },
		{ CELL("irq-user-read", "clean",
		       ",\"limits\":[null,\"no BPF on perf events (x)\"]"),
		  "" },
		{ CELL("irq-user-read", "affected", ",\"hazard\":\"nmi-user-read-deadlock\""),
		  "irq-user-read nmi-user-read" },
		{ CELL("irq-user-read", "affected", ",\"hazard\":\"irq-user-read-deadlock\""),
		  "irq-user-read" },
		{ CELL("irq-user-read", "affected", ""), "irq-user-read nmi-user-read", true },
		{ CELL("nmi-user-read", "affected", ""), "nmi-user-read" },
		/* several operations under one counter */
		{ CELL("bpf-attach", "affected", ",\"hazard\":\"raw-tp-recursion\""),
		  "raw-tp-recursion" },
		{ CELL("bpf-attach", "affected", ",\"hazard\":null"),
		  "bpf-kprobe-offset kprobe-rcu-tick raw-tp-recursion", true },
		{ CELL("bpf-attach", "affected", ",\"hazard\":\"no-such\""),
		  "bpf-kprobe-offset kprobe-rcu-tick raw-tp-recursion", true },
		{ CELL("bpf-attach", "clean", ""),
		  "bpf-kprobe-offset kprobe-rcu-tick raw-tp-recursion" },
		{ CELL("bpf-attach", "clean",
		       ",\"limits\":[\"no program on lock:contention_begin: old\"]"),
		  "bpf-kprobe-offset kprobe-rcu-tick" },
		{ CELL("kprobe-churn", "clean", ""),
		  "kprobe-conditional-jump kprobe-indirect-call" },
		{ CELL("kprobe-churn", "clean", ",\"limits\":[\"neither /proc/kcore nor\"]"), "" },
		{ CELL("sched-trace", "clean",
		       ",\"limits\":[\"no bpf_send_signal() (5.3): nobody sends signals\"]"),
		  "" },
		/* two hazards of one operation */
		{ CELL("text-poke", "clean", ""), "text-poke" },
		{ CELL("text-poke", "affected", ",\"hazard\":\"text-poke-desc-race\""),
		  "text-poke" },
		{ CELL("text-poke", "affected", ""), "text-poke" },
		/* a probe of another klab */
		{ CELL("my-probe", "clean", ""), "my-probe" },
		{ CELL("my-probe", "affected", ""), "my-probe" },
		{ CELL("my-probe", "affected", ",\"hazard\":\"text-poke-race\""),
		  "my-probe text-poke" },
		{ CELL("ftrace-call-skipped", "clean", ""), "ftrace-call-skipped" },
		/* they measure the lab */
		{ CELL("shared-counter", "clean", ""), "" },
		{ CELL("lock-order", "affected", ""), "" },
		/* its name is an operation that it does not press on */
		{ CELL("ftrace-flip", "clean", ""), "ftrace-flip" },
		{ CELL("fentry-spin-lock", "clean", ""), "fentry-spin-lock" },
		{ CELL("text-poke", "infra", ""), "" },
		{ CELL("text-poke", "inconclusive", ""), "" },
	};
	g_autoptr(GPtrArray) probes = NULL;
	g_autoptr(hazard_set) hazards = shipped();

	assert_true(probes_parse(embed_probes_json, EMBED_LEN(probes_json), &probes, NULL));
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GPtrArray) list =
			g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
		g_autoptr(GPtrArray) ops = g_ptr_array_new();
		g_autofree char *got = NULL;

		assert_true(measured_read("r", rows[i].text, strlen(rows[i].text), probes, hazards,
					  list, NULL));
		for (unsigned j = 0; j < list->len; j++) {
			const struct measured *m = g_ptr_array_index(list, j);

			g_ptr_array_add(ops, m->op);
			assert_int_equal(m->untold, rows[i].untold);
		}
		g_ptr_array_sort(ops, compare_texts);
		g_ptr_array_add(ops, NULL);
		got = g_strjoinv(" ", (char **)ops->pdata);
		if (strcmp(got, rows[i].ops))
			fail_msg("row %u: '%s', expected '%s'", i, got, rows[i].ops);
	}
}

/* What cannot be told apart is told so; a clean nmi-user-read outlives no such failure. */
static void untold_failures_say_so(void **state)
{
	static const char text[] = CELL("irq-user-read", "affected", "");
	static const char clean[] = CELL("nmi-user-read", "clean", ",\"p_missed\":1e-6");
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
	g_autoptr(GPtrArray) probes = NULL;
	g_autoptr(hazard_set) hazards = shipped();
	g_autoptr(knowledge) known = NULL;
	struct ktb_kernel k;
	struct ktb_answer a;

	assert_true(probes_parse(embed_probes_json, EMBED_LEN(probes_json), &probes, NULL));
	assert_true(measured_read("r", text, strlen(text), probes, hazards, list, NULL));
	assert_true(measured_read("r", clean, strlen(clean), probes, hazards, list, NULL));
	known = know_new(hazards, list);
	ktb_identify(&k, "6.12.1-x", "#1", NULL);
	a = ktb_table_check(&known->table, &k, "nmi-user-read");
	assert_int_equal(a.value, KTB_AFFECTED);
	assert_true(a.contradicted);
	assert_string_equal(a.reason, "measured on this build: probe irq-user-read: oops: t, its "
				      "operations not told apart");
}

/* The words by which limits are known are in a probe's source, where that probe can say them. */
static void limits_are_what_probes_say(void **state)
{
	g_autoptr(GPtrArray) probes = NULL;
	g_autoptr(hazard_set) hazards = shipped();
	unsigned n = 0;

	assert_true(probes_parse(embed_probes_json, EMBED_LEN(probes_json), &probes, NULL));
	for (unsigned i = 0; i < hazards->all->len; i++) {
		const struct hazard *h = g_ptr_array_index(hazards->all, i);

		for (char **words = h->untested_if; *words; words++, n++) {
			const char *const argv[] = {
				"grep", "-rqF", "--include=*.c", *words, SOURCE_DIR "/probes", NULL
			};
			int status;

			assert_true(proc_run(&(struct proc_spec){ .argv = argv, .timeout_s = 30 },
					     NULL, &status, NULL));
			if (status)
				fail_msg("%s: no probe says '%s'", h->id, *words);
		}
	}
	assert_true(n >= 9);
}

static const char result[] =
	"{\"schema\":1,\"kernels\":[{\"id\":\"a\",\"release\":\"6.1.0-9-amd64\",\"version\":"
	"\"(x@y) #1 SMP Debian 6.1.27-1 "
	"(2023)\",\"vendor\":\"debian\",\"package_version\":\"6.1.27-1\","
	"\"sha256\":\"abc\"}],\"cells\":["
	"{\"kernel\":\"a\",\"probe\":\"nmi-user-read\",\"verdict\":\"affected\",\"kind\":"
	"\"deadlock\","
	"\"title\":\"deadlock: x\",\"hazard\":\"nmi-user-read-deadlock\",\"p_missed\":null,"
	"\"jobs\":[{\"dir\":\"jobs/a/1\",\"digest\":\"d1\"}]},"
	"{\"kernel\":\"a\",\"probe\":\"text-poke\",\"verdict\":\"clean\",\"p_missed\":0.001,"
	"\"jobs\":[]},"
	"{\"kernel\":\"a\",\"probe\":\"text-poke\",\"verdict\":\"inconclusive\"},"
	"{\"kernel\":\"a\",\"probe\":\"text-poke\",\"verdict\":\"infra\"},"
	"{\"kernel\":\"a\",\"probe\":\"text-poke\",\"verdict\":\"unsupported\"},"
	"{\"kernel\":\"gone\",\"probe\":\"text-poke\",\"verdict\":\"clean\"},"
	"{\"verdict\":\"clean\"}, 7, null]}";

static void results_are_read(void **state)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
	g_autoptr(GPtrArray) probes = NULL;
	g_autoptr(hazard_set) hazards = shipped();
	g_autoptr(GError) error = NULL;
	const struct measured *m;

	assert_true(probes_parse(embed_probes_json, EMBED_LEN(probes_json), &probes, &error));
	assert_true(measured_read("r", result, sizeof(result) - 1, probes, hazards, list, &error));
	assert_int_equal(list->len, 2);
	m = g_ptr_array_index(list, 0);
	assert_true(m->affected);
	assert_string_equal(m->op, "nmi-user-read");
	assert_string_equal(m->version, "#1 SMP Debian 6.1.27-1 (2023)");
	assert_string_equal(m->digests[0], "d1");
	assert_true(isnan(m->p_missed));
	m = g_ptr_array_index(list, 1);
	assert_false(m->affected);
	assert_float_equal(m->p_missed, 0.001, 1e-9);
}

static void bad_results_are_refused(void **state)
{
	static const char *const texts[] = { "",
					     "[]",
					     "{",
					     "7",
					     "{}",
					     "{\"schema\":2,\"cells\":[]}",
					     "{\"schema\":1}",
					     "{\"schema\":1,\"cells\":{}}",
					     "{\"schema\":1,\"schema\":1,\"cells\":[]}" };
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
	g_autoptr(GPtrArray) probes = g_ptr_array_new();
	g_autoptr(hazard_set) hazards = shipped();

	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;

		assert_false(measured_read("r.json", texts[i], strlen(texts[i]), probes, hazards,
					   list, &error));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INPUT));
		assert_true(g_str_has_prefix(error->message, "r.json: "));
	}
	assert_int_equal(list->len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_speak_of_operations),
		cmocka_unit_test(untold_failures_say_so),
		cmocka_unit_test(limits_are_what_probes_say),
		cmocka_unit_test(results_are_read),
		cmocka_unit_test(bad_results_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
