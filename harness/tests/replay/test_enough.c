// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest's life, played through the session: when is the probe told to stop, and when has it its
 * whole time? The guest here does not listen, so that what it would have gained shows.
 */
#include "base/fs.h"
#include "parse/wire.h"
#include "run/amplifier.h"
#include "run/evidence.h"
#include "run/session.h"
#include "store/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define S G_USEC_PER_SEC
#define NCPUS 2

static char *dir;

static const char spec_text[] =
	"{\"schema\":1,\"cell\":\"k.p\",\"attempt\":0,\"kernel\":{\"id\":\"k\",\"source\":\"file\","
	"\"image\":\"bzImage\",\"sha256\":\"00\",\"release\":\"6.1.0\",\"version\":\"\"},"
	"\"probe\":\"text-poke\",\"amplify_globs\":[],\"counters\":[\"pokes\"],\"nmi_hz\":0,\"smp\":2,"
	"\"mem_mib\":512,\"duration_ms\":10000,\"boot_limit_ms\":30000,\"seed\":\"5\",\"amplify\":"
	"\"auto\",\"accel\":\"tcg\",\"cpu_model\":\"max\",\"engine\":{\"binary\":\"q\",\"version\":"
	"\"10.0.2\",\"sha256\":\"00\",\"major\":10,\"minor\":0,\"micro\":2,\"args\":[],\"env\":[]},"
	"\"agent_sha256\":\"00\"}";

static struct job *make_spec(double target, const char *rung)
{
	json_t *json = json_loads(spec_text, 0, NULL);
	struct job *job = NULL;

	assert_true(job_from_json(json, &job, NULL));
	json_decref(json);
	job->exposure_target = target;
	job->exposure_rung = g_strdup(rung);
	return job;
}

static void wire_at(struct journal *j, int64_t at_us, uint64_t seq, const char *type,
		    const char *payload)
{
	char buf[WIRE_LINE_MAX + 1];
	size_t len = wire_format(buf, sizeof(buf), seq, type, payload);

	assert_true(journal_stream(j, at_us, STREAM_WIRE, buf, len, NULL, NULL));
}

/* A hundred pokes a second from second 4 on; the session draws its nonce from the seed. */
static void page_at(struct journal *j, int64_t at_us, const uint8_t *nonce)
{
	struct wire_status page = { .magic = WIRE_STATUS_MAGIC, .version = WIRE_VERSION,
				    .ncpus = NCPUS,
				    .counters = { at_us > 4 * S ? (at_us - 4 * S) / 10000 : 0 } };

	memcpy(page.nonce, nonce, sizeof(page.nonce));
	for (unsigned i = 0; i < NCPUS; i++)
		page.cpu[i].beats = at_us / 50000;
	assert_true(journal_stream(j, at_us, STREAM_STATUS, &page,
				   offsetof(struct wire_status, cpu) +
					   NCPUS * sizeof(struct wire_cpu),
				   json_pack("{s:i, s:b}", "delay_us", 0, "valid", 1), NULL));
}

static void record(const char *tape, const struct job *job)
{
	g_autoptr(journal) j = NULL;
	g_autoptr(GRand) rand = g_rand_new_with_seed(job->seed ^ job->seed >> 32);
	uint8_t nonce[WIRE_NONCE_LEN];

	for (int i = 0; i < WIRE_NONCE_LEN; i++)
		nonce[i] = g_rand_int(rand);
	assert_true(fs_mkdir(tape, NULL) && job_save(job, tape, NULL) &&
		    journal_create(tape, &j, NULL));
	wire_at(j, 3 * S, 1, "hello", "{\"wire\":1,\"release\":\"6.1.0\",\"status_phys\":\"0x1000\","
				      "\"taint\":0,\"kallsyms\":true}");
	for (int64_t at_us = 3 * S; at_us < 4 * S; at_us += 100000)
		page_at(j, at_us, nonce);
	wire_at(j, 4 * S, 2, "begin", "{\"probe\":\"text-poke\",\"rung\":\"perf\",\"nmi_source\":"
				      "\"none\",\"counters\":[\"pokes\"],\"limits\":[]}");
	for (int64_t at_us = 4 * S; at_us < 14 * S; at_us += 100000)
		page_at(j, at_us, nonce);
	wire_at(j, 14 * S, 3, "end", "{\"probe\":\"text-poke\",\"result\":\"pass\",\"reason\":\"\","
				     "\"exposure\":{\"pokes\":1000},\"taint\":0}");
	for (int64_t at_us = 14 * S; at_us < 16 * S; at_us += 100000)
		page_at(j, at_us, nonce);
	wire_at(j, 16 * S, 4, "bye", "");
	assert_true(journal_event(j, 17 * S, "exit", json_pack("{s:i, s:i, s:s}", "how",
							       (int)GUEST_EXIT_POWEROFF, "status",
							       0, "message", ""), false, NULL));
}

/* The event's time in milliseconds, -1 without one; *ret_exposure: what was read then. */
static int64_t enough_ms(const char *out, double *ret_exposure)
{
	g_autoptr(journal_view) view = NULL;
	json_t *event;
	size_t i;

	assert_true(journal_load(out, &view, NULL));
	json_array_foreach(view->events, i, event) {
		if (g_strcmp0(json_string_value(json_object_get(event, "ev")), "enough") != 0)
			continue;
		*ret_exposure = json_number_value(json_object_get(event, "exposure"));
		return json_integer_value(json_object_get(event, "t")) / 1000;
	}
	return -1;
}

static void test_enough(void **unused)
{
	static const struct {
		double target;
		bool amplified;		/* as it was asked to be */
		bool enough;
		const char *rung;	/* of the rate; the tape's is "perf" */
	} cases[] = {
		{ 250, true, true },
		{ 970, true, true },
		{ 0, true, false },	/* no rate applies */
		{ 5000, true, false },	/* more than the time gives */
		{ 250, false, false },	/* no symbols to delay: the rate says nothing */
		{ 250, true, true, "perf" },
		{ 250, true, false, "bpf" },	/* another way to do something else */
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *tape = g_strdup_printf("%s/tape%u", dir, i);
		g_autofree char *out = g_strdup_printf("%s/out%u", dir, i);
		g_autoptr(job) job = make_spec(cases[i].target, cases[i].rung);
		g_autoptr(outcome) o = NULL;
		struct session_params params = { .backend = &guest_backend_replay, .dir = out,
						 .job = job, .replay_of = tape };
		g_autoptr(amplifier) refused = NULL;
		double exposure = 0;
		int64_t at_ms;

		if (!cases[i].amplified)
			assert_true(amplifier_new(job, NULL, &refused, NULL));
		params.amplifier = refused;
		record(tape, job);
		assert_true(fs_mkdir(out, NULL) && job_save(job, out, NULL));
		assert_true(session_run(&params, NULL, NULL, NULL));
		at_ms = enough_ms(out, &exposure);
		if ((at_ms >= 0) != cases[i].enough)
			fail_msg("case %u: %" G_GINT64_FORMAT " ms", i, at_ms);
		/* at the first page that shows it, which is at most a poll or two late */
		if (cases[i].enough)
			assert_true(exposure >= cases[i].target &&
				    exposure <= cases[i].target + 30);
		assert_true(outcome_load(out, &(struct judge_params){ 0 }, &o, NULL));
		assert_int_equal(o->verdict.value, VERDICT_CLEAN);
		assert_int_equal(o->enough, cases[i].enough);
		assert_int_equal(o->unamplified != NULL, !cases[i].amplified);
		/* what counts is the probe's last word */
		assert_true(o->verdict.exposure == 1000);
	}
}

static int make_dir(void **unused)
{
	dir = g_dir_make_tmp("klab-test-enough-XXXXXX", NULL);
	return !dir;
}

static int drop_dir(void **unused)
{
	bool ok = fs_remove(dir, NULL);

	g_free(dir);
	return !ok;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_enough) };

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
