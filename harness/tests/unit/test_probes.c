// SPDX-License-Identifier: GPL-2.0-or-later
/* The probes' records as the build embedded them, and parameters chosen by hand. */
#include "base/embed.h"
#include "conf/probes.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static const char records[] =
	"[{\"name\":\"a-probe\",\"counters\":[\"c\"],\"params\":["
	"{\"name\":\"threads\",\"summary\":\"a CPU\",\"min\":1,\"max\":64},"
	"{\"name\":\"rate\",\"summary\":\"Hz\",\"min\":10,\"max\":1000}]},"
	"{\"name\":\"bare\",\"counters\":[\"c\"]}]";

static GPtrArray *two_probes(void)
{
	GPtrArray *probes;

	assert_true(probes_parse(records, sizeof(records) - 1, &probes, NULL));
	return probes;
}

static const char by_name[] = "[{\"name\":\"usual\",\"counters\":[\"c\"]},"
			      "{\"name\":\"known-to-fail\",\"counters\":[\"c\"],\"by_name\":true}]";

static void what_fails_everywhere_is_asked_for(void **state)
{
	static const char *const all[] = { "*", NULL }, *const named[] = { "known*", NULL };
	g_autoptr(GPtrArray) probes = NULL, usual = NULL, both = NULL, one = NULL;

	assert_true(probes_parse(by_name, sizeof(by_name) - 1, &probes, NULL));
	assert_true(probes_select(probes, NULL, &usual, NULL));
	assert_int_equal(usual->len, 1);
	assert_string_equal(((struct probe_info *)usual->pdata[0])->name, "usual");
	assert_true(probes_select(probes, all, &both, NULL));
	assert_int_equal(both->len, 2);
	assert_true(probes_select(probes, named, &one, NULL));
	assert_int_equal(one->len, 1);
}

static void parameters_are_checked(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "", "'' is no PROBE.NAME=VALUE" },
		{ "a-probe", "is no PROBE.NAME=VALUE" },
		{ "a-probe.threads", "is no PROBE.NAME=VALUE" },
		{ "a-probe.threads=", "is no PROBE.NAME=VALUE" },
		{ ".threads=1", "is no PROBE.NAME=VALUE" },
		{ "a-probe.=1", "is no PROBE.NAME=VALUE" },
		{ "a-prob.threads=1", "no probe 'a-prob'; did you mean 'a-probe'?" },
		{ "a-probe.thread=1", "no parameter 'thread'; did you mean 'threads'?" },
		{ "a-probe.size=1", "it has threads, rate" },
		{ "bare.threads=1", "it has none" },
		{ "a-probe.threads=0", "a-probe.threads is '0', wants 1..64" },
		{ "a-probe.threads=65", "wants 1..64" },
		{ "a-probe.threads=-1", "wants 1..64" },
		{ "a-probe.threads=1x", "wants 1..64" },
		{ "a-probe.rate=99999999999999999999", "wants 10..1000" },
	};
	g_autoptr(GPtrArray) probes = two_probes();

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const char *const texts[] = { rows[i].text, NULL };
		g_autoptr(GError) error = NULL;
		json_t *params;

		if (probes_params_parse(probes, texts, &params, &error))
			fail_msg("taken: '%s'", rows[i].text);
		if (!strstr(error->message, rows[i].says))
			fail_msg("'%s' instead of '%s'", error->message, rows[i].says);
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_USAGE));
	}
}

static void parameters_are_kept(void **state)
{
	static const char *const texts[] = { "a-probe.threads=3", "a-probe.rate=10",
					     "a-probe.threads=64", NULL };
	g_autoptr(GPtrArray) probes = two_probes();
	json_t *params;
	char *text;

	assert_true(probes_params_parse(probes, texts, &params, NULL));
	text = json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, "{\"a-probe\":{\"rate\":10,\"threads\":64}}");
	free(text);
	json_decref(params);
	assert_true(probes_params_parse(probes, NULL, &params, NULL));
	assert_int_equal(json_object_size(params), 0);
	json_decref(params);
}

/* What ships: names, exposure and limits of each record make sense. */
static void records_are_whole(void **state)
{
	g_autoptr(GPtrArray) probes = NULL;
	unsigned prove = 0;

	assert_true(probes_parse(embed_probes_json, EMBED_LEN(probes_json), &probes, NULL));
	for (guint i = 0; i < probes->len; i++) {
		const struct probe_info *p = probes->pdata[i];

		assert_non_null(p->counters[0]);
		assert_true(p->hazards[0] || p->by_name);	/* a fixture looks for none */
		prove += p->proves_engine;
		for (guint k = 0; k < p->knobs->len; k++) {
			const struct probe_knob *knob = p->knobs->pdata[k];

			assert_true(*knob->name && *knob->summary);
			assert_true(knob->min >= 1 && knob->min < knob->max);
		}
	}
	assert_int_equal(prove, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fails_everywhere_is_asked_for),
		cmocka_unit_test(parameters_are_checked),
		cmocka_unit_test(parameters_are_kept),
		cmocka_unit_test(records_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
