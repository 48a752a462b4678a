// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whole guests' lives, made by hand, played through the session by the replay backend and judged:
 * what each must end in. Never clean without proof, and in milliseconds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/fs.h"
#include "judge/hang.h"
#include "parse/wire.h"
#include "run/evidence.h"
#include "run/session.h"
#include "store/journal.h"

#include <string.h>

#define S G_USEC_PER_SEC
#define NCPUS 2
#define JIFFIES 0xffffffff82000000
#define IF_ON 0x202

static char *dir;

/* --- making a recording ------------------------------------------------------------------------- */

struct tape {
	char *job;
	struct journal *j;
	struct job *spec;
	uint64_t seq;
	uint8_t nonce[WIRE_NONCE_LEN];
	uint64_t beats;
};

static struct job *make_spec(void)
{
	static const char text[] =
		"{\"schema\":1,\"cell\":\"k.p\",\"attempt\":0,\"kernel\":{\"id\":\"k\",\"source\":\"file\","
		"\"image\":\"bzImage\",\"sha256\":\"00\",\"release\":\"6.1.0\",\"version\":\"\"},"
		"\"probe\":\"text-poke\",\"amplify_globs\":[],\"counters\":[\"pokes\"],\"nmi_hz\":0,"
		"\"smp\":2,\"mem_mib\":512,\"duration_ms\":10000,\"boot_limit_ms\":30000,\"seed\":\"5\","
		"\"amplify\":\"off\",\"accel\":\"tcg\",\"cpu_model\":\"max\",\"engine\":{\"binary\":\"q\","
		"\"version\":\"10.0.2\",\"sha256\":\"00\",\"major\":10,\"minor\":0,\"micro\":2,"
		"\"args\":[],\"env\":[]},\"agent_sha256\":\"00\"}";
	json_t *json = json_loads(text, 0, NULL);
	struct job *job = NULL;

	assert_true(job_from_json(json, &job, NULL));
	json_decref(json);
	return job;
}

static struct tape *tape_new(void)
{
	static unsigned n;
	struct tape *t = g_new0(struct tape, 1);
	g_autoptr(GRand) rand = NULL;

	t->job = g_strdup_printf("%s/tape-%u", dir, n++);
	t->spec = make_spec();
	/* the session draws its nonce from the seed: a recording can know it */
	rand = g_rand_new_with_seed(t->spec->seed ^ t->spec->seed >> 32);
	for (int i = 0; i < WIRE_NONCE_LEN; i++)
		t->nonce[i] = g_rand_int(rand);
	assert_true(fs_mkdir(t->job, NULL));
	assert_true(job_save(t->spec, t->job, NULL));
	assert_true(journal_create(t->job, &t->j, NULL));
	return t;
}

static void tape_free(struct tape *t)
{
	journal_free(t->j);
	job_free(t->spec);
	g_free(t->job);
	g_free(t);
}

static void console_at(struct tape *t, int64_t at_us, const char *text)
{
	assert_true(journal_stream(t->j, at_us, STREAM_CONSOLE, text, strlen(text), NULL, NULL));
}

static void wire_at(struct tape *t, int64_t at_us, const char *type, const char *payload)
{
	char buf[WIRE_LINE_MAX + 1];
	size_t len = wire_format(buf, sizeof(buf), ++t->seq, type, payload);

	assert_true(len > 0);
	assert_true(journal_stream(t->j, at_us, STREAM_WIRE, buf, len, NULL, NULL));
}

static void hello_at(struct tape *t, int64_t at_us)
{
	wire_at(t, at_us, "hello", "{\"wire\":1,\"release\":\"6.1.0\",\"status_phys\":\"0x1000\","
				   "\"taint\":0,\"kallsyms\":true}");
}

static void begin_at(struct tape *t, int64_t at_us)
{
	wire_at(t, at_us, "begin", "{\"probe\":\"text-poke\",\"rung\":\"perf\",\"nmi_source\":"
				   "\"none\",\"counters\":[\"pokes\"],\"limits\":[]}");
}

static void end_at(struct tape *t, int64_t at_us, const char *result, const char *reason,
		   unsigned pokes)
{
	g_autofree char *payload = g_strdup_printf(
		"{\"probe\":\"text-poke\",\"result\":\"%s\",\"reason\":\"%s\",\"exposure\":"
		"{\"pokes\":%u},\"taint\":0}", result, reason, pokes);

	wire_at(t, at_us, "end", payload);
}

static void exit_at(struct tape *t, int64_t at_us, enum guest_exit_how how, int status)
{
	assert_true(journal_event(t->j, at_us, "exit", json_pack("{s:i, s:i, s:s}", "how", (int)how,
								 "status", status, "message", ""),
				  false, NULL));
}

static void status_pages(struct tape *t, int64_t from_us, int64_t to_us, unsigned dead,
			 double delay, bool paused, int64_t run_us)
{
	for (int64_t at_us = from_us; at_us < to_us; at_us += 100000) {
		struct wire_status page = { .magic = WIRE_STATUS_MAGIC, .version = WIRE_VERSION,
					    .ncpus = NCPUS, .counters = { at_us / 1000 } };

		memcpy(page.nonce, t->nonce, sizeof(page.nonce));
		t->beats++;
		for (unsigned i = 0; i < NCPUS; i++)
			page.cpu[i].beats = dead >> i & 1 ? 1 : t->beats;
		assert_true(journal_stream(t->j, at_us, STREAM_STATUS, &page,
					   offsetof(struct wire_status, cpu) +
						   NCPUS * sizeof(struct wire_cpu),
					   json_pack("{s:I, s:I, s:b, s:b}", "delay_us",
						     (json_int_t)(at_us * delay), "run_us",
						     (json_int_t)(run_us ? run_us : at_us),
						     "valid", 1, "paused", paused),
					   NULL));
	}
}

/* Status pages every 100 ms; CPUs of `dead` beat no more; the host starves the guest by `delay`. */
static void status_until(struct tape *t, int64_t from_us, int64_t to_us, unsigned dead, double delay)
{
	status_pages(t, from_us, to_us, dead, delay, false, 0);
}

/* The engine keeps the vCPUs from running. */
static void status_paused(struct tape *t, int64_t from_us, int64_t to_us)
{
	status_pages(t, from_us, to_us, 3, 0, true, 0);
}

/* Both vCPUs in one loop with interrupts off, for as long as anybody looks. */
static void registers_spin(struct tape *t, int64_t from_us, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_true(journal_event(
			t->j, from_us, "registers",
			json_pack("{s:[[I,I,I,I,b,i],[I,I,I,I,b,i]]}", "cpus",
				  (json_int_t)0xffffffff81000110, (json_int_t)0xffffc90000001000,
				  (json_int_t)1, (json_int_t)2, 0, 0, (json_int_t)0xffffffff81000110,
				  (json_int_t)0xffffc90000005000, (json_int_t)1, (json_int_t)2, 0, 0),
			false, NULL));
}

static void registers_halted(struct tape *t, int64_t from_us, unsigned n, unsigned rflags0,
			     unsigned rflags1)
{
	for (unsigned i = 0; i < n; i++)
		assert_true(journal_event(
			t->j, from_us, "registers",
			json_pack("{s:[[I,I,I,I,b,i],[I,I,I,I,b,i]]}", "cpus",
				  (json_int_t)0xffffffff81000210, (json_int_t)0xffffc90000001000,
				  (json_int_t)1, (json_int_t)rflags0, 1, 0,
				  (json_int_t)0xffffffff81000210, (json_int_t)0xffffc90000005000,
				  (json_int_t)1, (json_int_t)rflags1, 1, 0),
			false, NULL));
}

/* vCPU 0 is idle, vCPU 1 writes to a port in a loop, interrupts off. */
static void registers_print(struct tape *t, int64_t from_us, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_true(journal_event(
			t->j, from_us, "registers",
			json_pack("{s:[[I,I,I,I,b,i],[I,I,I,I,b,i]]}", "cpus",
				  (json_int_t)0xffffffff81000210, (json_int_t)0xffffc90000001000,
				  (json_int_t)1, (json_int_t)IF_ON, 1, 0,
				  (json_int_t)0xffffffff81000220, (json_int_t)0xffffc90000005000,
				  (json_int_t)1, (json_int_t)2, 0, 0),
			false, NULL));
}

/* What each reading of jiffies_64 gives: one more, `step` apart. */
static void jiffies_read(struct tape *t, int64_t from_us, unsigned n, uint64_t step)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t jiffies = 4294937296 + i * step;
		g_autofree char *text = g_base64_encode((guchar *)&jiffies, sizeof(jiffies));

		assert_true(journal_event(t->j, from_us, "memory",
					  json_pack("{s:i, s:I, s:i, s:s}", "cpu", 0, "addr",
						    (json_int_t)JIFFIES, "n", 8, "bytes", text),
					  false, NULL));
	}
}

/* The number of the rule that the played journal's autopsy names; -1: there is none. */
static int hang_rule_of(const struct outcome *o)
{
	g_autoptr(journal_view) view = NULL;
	json_t *event;
	size_t i;

	assert_true(journal_load(o->dir, &view, NULL));
	json_array_foreach(view->events, i, event)
		if (g_strcmp0(json_string_value(json_object_get(event, "ev")), "hang") == 0)
			return json_integer_value(json_object_get(event, "rule"));
	return -1;
}

/* --- playing it --------------------------------------------------------------------------------- */

static struct outcome *play(struct tape *t)
{
	static const char spin[] = "ffffffff81000100 native_queued_spin_lock_slowpath\n"
				   "ffffffff81000200 other\n"
				   "ffffffff82000000 jiffies_64\n";
	g_autoptr(symbols) symbols = symbols_parse(spin, strlen(spin));
	const struct judge_params nothing_known = { 0 };
	g_autofree char *out = g_strdup_printf("%s.played", t->job);
	struct session_params params = {
		.purpose = SESSION_PROBE,
		.job = t->spec,
		.backend = &guest_backend_replay,
		.dir = out,
		.symbols = symbols,
		.replay_of = t->job,
	};
	struct outcome *o = NULL;

	journal_free(g_steal_pointer(&t->j));
	assert_true(fs_mkdir(out, NULL));
	assert_true(job_save(t->spec, out, NULL));
	assert_true(session_run(&params, NULL, NULL, NULL));
	assert_true(outcome_load(out, &nothing_known, &o, NULL));
	return o;
}

static struct outcome *check(struct tape *t, enum job_end end, enum verdict_value value)
{
	struct outcome *o = play(t);

	if (o->end != end || o->verdict.value != value)
		print_message("%s: end %s, %s: %s\n", t->job, job_end_name(o->end),
			      verdict_value_name(o->verdict.value), o->verdict.reason);
	assert_int_equal(o->end, end);
	assert_int_equal(o->verdict.value, value);
	assert_true(*o->verdict.reason);
	tape_free(t);
	return o;
}

static struct tape *running_tape(void)
{
	struct tape *t = tape_new();

	console_at(t, S, "[    0.000000] Linux version 6.1.0\n");
	hello_at(t, 3 * S);
	status_until(t, 3 * S, 4 * S, 0, 0);
	begin_at(t, 4 * S);
	return t;
}

static void test_clean(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 14 * S, 0, 0);
	end_at(t, 14 * S, "pass", "", 9000);
	wire_at(t, 14 * S, "bye", "");
	g_autoptr(outcome) o = check(t, JOB_END_DONE, VERDICT_CLEAN);

	assert_true(o->verdict.exposure == 9000);
	assert_string_equal(o->rung, "perf");
}

/* A probe that did nothing proves nothing. */
static void test_no_exposure(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 14 * S, 0, 0);
	end_at(t, 14 * S, "pass", "", 0);
	wire_at(t, 14 * S, "bye", "");
	outcome_free(check(t, JOB_END_DONE, VERDICT_INCONCLUSIVE));
}

static void test_skip(void **state)
{
	struct tape *t = tape_new();

	hello_at(t, 3 * S);
	status_until(t, 3 * S, 4 * S, 0, 0);
	end_at(t, 4 * S, "skip", "CONFIG_KPROBES is off", 0);
	wire_at(t, 4 * S, "bye", "");
	g_autoptr(outcome) o = check(t, JOB_END_DONE, VERDICT_UNSUPPORTED);

	assert_non_null(strstr(o->verdict.reason, "CONFIG_KPROBES"));
}

static void test_never_hello(void **state)
{
	struct tape *t = tape_new();

	console_at(t, S, "[    0.000000] Linux version 6.1.0\n");
	outcome_free(check(t, JOB_END_NO_HELLO, VERDICT_INFRA));
}

static void test_flood_without_hello(void **state)
{
	struct tape *t = tape_new();
	g_autofree char *noise = g_strnfill(1 << 20, '#');

	for (int i = 0; i < 20; i++)
		console_at(t, i * S, noise);
	outcome_free(check(t, JOB_END_NO_HELLO, VERDICT_INFRA));
}

static void test_flood_and_clean(void **state)
{
	struct tape *t = running_tape();
	g_autofree char *noise = g_strnfill(1 << 20, '#');

	for (int i = 0; i < 20; i++)
		console_at(t, 5 * S + i * 100000, noise);
	status_until(t, 7 * S, 14 * S, 0, 0);
	end_at(t, 14 * S, "pass", "", 9000);
	wire_at(t, 14 * S, "bye", "");
	/* what the console said beyond its limit is unknown: that is no proof */
	g_autoptr(outcome) o = play(t);

	assert_int_not_equal(o->verdict.value, VERDICT_CLEAN);
	tape_free(t);
}

static void test_torn_records(void **state)
{
	struct tape *t = running_tape();
	static const char garbage[] = "@99 deadbeef end {\"result\":\"pass\"}\n\x01\x02\xff\n@@@@\n";

	status_until(t, 4 * S, 5 * S, 0, 0);
	assert_true(journal_stream(t->j, 5 * S, STREAM_WIRE, garbage, sizeof(garbage) - 1, NULL,
				   NULL));
	status_until(t, 5 * S, 14 * S, 0, 0);
	end_at(t, 14 * S, "pass", "", 9000);
	wire_at(t, 14 * S, "bye", "");
	outcome_free(check(t, JOB_END_DONE, VERDICT_CLEAN));
}

/* The only `end` is torn: there is no result. */
static void test_torn_end(void **state)
{
	struct tape *t = running_tape();
	static const char torn[] = "@3 deadbeef end {\"result\":\"pass\",\"exposure\":{\"pokes\":9}}\n";

	status_until(t, 4 * S, 14 * S, 0, 0);
	assert_true(journal_stream(t->j, 14 * S, STREAM_WIRE, torn, sizeof(torn) - 1, NULL, NULL));
	status_until(t, 14 * S, 140 * S, 0, 0);
	g_autoptr(outcome) o = play(t);

	assert_int_equal(o->end, JOB_END_TIMEOUT);
	assert_int_not_equal(o->verdict.value, VERDICT_CLEAN);
	tape_free(t);
}

static void test_engine_killed(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 8 * S, 0, 0);
	exit_at(t, 8 * S, GUEST_EXIT_KILLED, 9);
	g_autoptr(outcome) o = check(t, JOB_END_ENGINE, VERDICT_INFRA);

	assert_non_null(strstr(o->verdict.reason, "signal 9"));
}

static void test_reset_in_the_run(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 8 * S, 0, 0);
	exit_at(t, 8 * S, GUEST_EXIT_POWEROFF, 0);
	g_autoptr(outcome) o = check(t, JOB_END_GUEST_EXIT, VERDICT_AFFECTED);

	assert_int_equal(o->verdict.kind, KIND_SILENT_STOP);
}

static void test_reset_at_boot(void **state)
{
	struct tape *t = tape_new();

	exit_at(t, 2 * S, GUEST_EXIT_POWEROFF, 0);
	outcome_free(check(t, JOB_END_GUEST_EXIT, VERDICT_INFRA));
}

static const char oops[] =
	"[    4.421067] BUG: kernel NULL pointer dereference, address: 0000000000000000\n"
	"[    4.423627] Oops: 0000 [#1] SMP\n"
	"[    4.423627] CPU: 1 PID: 52 Comm: init Not tainted 6.1.0 #2\n"
	"[    4.423627] RIP: 0010:poke_int3_handler+0x35/0x1a0\n"
	"[    4.423627] Call Trace:\n[    4.423627]  <TASK>\n[    4.423627]  exc_int3+0xa/0x110\n"
	"[    4.571097] Kernel panic - not syncing: Fatal exception\n";

static void test_oops(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 6 * S, 0, 0);
	console_at(t, 6 * S, oops);
	exit_at(t, 7 * S, GUEST_EXIT_POWEROFF, 0);
	g_autoptr(outcome) o = check(t, JOB_END_SPLAT, VERDICT_AFFECTED);

	assert_int_equal(o->verdict.kind, KIND_OOPS);
	assert_string_equal(o->verdict.title, "oops: NULL pointer dereference in poke_int3_handler");
	assert_true(o->ended_us == 6 * S);	/* dated by its first sign */
}

static void test_oops_at_boot(void **state)
{
	struct tape *t = tape_new();

	console_at(t, 2 * S, oops);
	exit_at(t, 3 * S, GUEST_EXIT_POWEROFF, 0);
	outcome_free(check(t, JOB_END_SPLAT, VERDICT_INFRA));
}

/* The trap's byte is the one before <>: 0f is a NOP's, so memory held no int3 when it was told. */
static void test_phantom_int3(void **state)
{
	static const struct {
		const char *byte;
		enum verdict_value value;
	} cases[] = { { "0f", VERDICT_INFRA }, { "cc", VERDICT_AFFECTED } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct tape *t = running_tape();
		g_autofree char *text = g_strdup_printf(
			"[   17.369400] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\n"
			"[   17.369411] CPU: 2 UID: 0 PID: 52 Comm: init Not tainted 6.12.95 #1\n"
			"[   17.369420] RIP: 0010:dequeue_entity+0x86/0x580\n"
			"[   17.369430] Code: 89 d6 48 89 b3 b0 00 00 00 %s <1f> 44 00 00 48 89 de 48\n"
			"[   17.369440] Call Trace:\n[   17.369450]  <TASK>\n"
			"[   17.369460]  dequeue_entities+0xce/0x670\n", cases[i].byte);

		status_until(t, 4 * S, 6 * S, 0, 0);
		console_at(t, 6 * S, text);
		exit_at(t, 7 * S, GUEST_EXIT_POWEROFF, 0);
		g_autoptr(outcome) o = check(t, JOB_END_SPLAT, cases[i].value);

		assert_int_equal(o->verdict.retry, cases[i].value == VERDICT_INFRA);
	}
}

static void test_deadlock(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 6 * S, 0, 0);
	registers_spin(t, 6 * S, 64);
	status_until(t, 6 * S, 40 * S, 3, 0);
	g_autoptr(outcome) o = check(t, JOB_END_HANG, VERDICT_AFFECTED);

	assert_int_equal(o->verdict.kind, KIND_DEADLOCK);
	assert_true(o->ended_us >= 5 * S && o->ended_us <= 7 * S);
}

/* The same silence, but the host gave the vCPUs a twentieth of the time: no verdict on the kernel. */
static void test_starved(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 6 * S, 0, 0.95);
	registers_spin(t, 6 * S, 64);
	status_until(t, 6 * S, 30 * S, 3, 0.95);
	status_until(t, 30 * S, 31 * S, 0, 0.95);
	end_at(t, 31 * S, "pass", "", 9000);
	wire_at(t, 31 * S, "bye", "");
	outcome_free(check(t, JOB_END_DONE, VERDICT_CLEAN));
}

/* Nobody lets it go on: that is no fault of the kernel, and no time for it to fail in. */
static void test_paused(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 6 * S, 0, 0);
	status_paused(t, 6 * S, 40 * S);
	g_autoptr(outcome) o = check(t, JOB_END_PAUSED, VERDICT_INFRA);

	assert_int_equal(o->verdict.infra, INFRA_PAUSED);
	assert_int_equal(hang_rule_of(o), -1);
}

static void test_paused_for_a_while(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 6 * S, 0, 0);
	for (int64_t at_us = 6 * S; at_us < 96 * S; at_us += 9 * S) {
		status_paused(t, at_us, at_us + 8 * S);
		status_until(t, at_us + 8 * S, at_us + 9 * S, 0, 0);
	}
	end_at(t, 96 * S, "pass", "", 9000);
	wire_at(t, 96 * S, "bye", "");
	/* 80 s of pauses are more than the probe's whole limit, and do not count for it */
	outcome_free(check(t, JOB_END_DONE, VERDICT_CLEAN));
}

/* Its threads want to run, and the host gives them nothing, without a word of waiting (a cgroup). */
static void test_frozen(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 6 * S, 0, 0);
	registers_spin(t, 6 * S, 200);
	status_pages(t, 6 * S, 40 * S, 3, 0, false, 6 * S);
	g_autoptr(outcome) o = check(t, JOB_END_PAUSED, VERDICT_INFRA);

	assert_int_equal(o->verdict.infra, INFRA_PAUSED);
	assert_non_null(strstr(o->verdict.reason, "no vCPU had any time"));
}

/* It thaws, and is as dead as before: now that counts. */
static void test_frozen_and_hung(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 6 * S, 0, 0);
	registers_spin(t, 6 * S, 200);
	status_pages(t, 6 * S, 12 * S, 3, 0, false, 6 * S);
	status_until(t, 12 * S, 40 * S, 3, 0);
	g_autoptr(outcome) o = check(t, JOB_END_HANG, VERDICT_AFFECTED);

	assert_int_equal(hang_rule_of(o), HANG_D1);
}

/* The probe does not need the CPU that died, and passes. */
static void test_passed_with_a_dead_cpu(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 13 * S, 0, 0);
	registers_halted(t, 13 * S, 64, IF_ON, 2);
	status_until(t, 13 * S, 14 * S, 2, 0);
	end_at(t, 14 * S, "pass", "", 9000);
	status_until(t, 14 * S, 40 * S, 2, 0);
	g_autoptr(outcome) o = check(t, JOB_END_HANG, VERDICT_AFFECTED);

	assert_int_equal(hang_rule_of(o), HANG_D3);
	assert_true(o->ended_us >= 12 * S && o->ended_us <= 14 * S);
}

/* All idle, and time passes for the kernel: somebody sleeps for ever. */
static void test_sleeping_deadlock(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 6 * S, 0, 0);
	registers_halted(t, 6 * S, 100, IF_ON, IF_ON);
	jiffies_read(t, 6 * S, 100, 25);
	status_until(t, 6 * S, 40 * S, 3, 0);
	g_autoptr(outcome) o = check(t, JOB_END_HANG, VERDICT_AFFECTED);

	assert_int_equal(hang_rule_of(o), HANG_D5);
	assert_non_null(strstr(o->verdict.reason, "tasks sleep on each other"));
}

/* The same, but its time stands still: no rule explains that, and 12 s of silence do. */
static void test_silent_and_idle(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 6 * S, 0, 0);
	registers_halted(t, 6 * S, 100, IF_ON, IF_ON);
	jiffies_read(t, 6 * S, 100, 0);
	status_until(t, 6 * S, 40 * S, 3, 0);
	g_autoptr(outcome) o = check(t, JOB_END_HANG, VERDICT_AFFECTED);

	assert_int_equal(hang_rule_of(o), HANG_NONE);
	assert_int_equal(o->verdict.kind, KIND_SILENT_STOP);
}

/* The console tells of nothing but itself, for longer than it could be silent for. */
static void test_talking_guest(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 6 * S, 0, 0);
	registers_print(t, 6 * S, 100);
	for (int64_t at_us = 6 * S; at_us < 14 * S; at_us += 100000) {
		console_at(t, at_us, "[    6.000000] usb 1-1: device descriptor read/64, error -71\n");
		status_until(t, at_us, at_us + 100000, 2, 0);
	}
	status_until(t, 14 * S, 15 * S, 0, 0);
	end_at(t, 15 * S, "pass", "", 9000);
	wire_at(t, 15 * S, "bye", "");
	outcome_free(check(t, JOB_END_DONE, VERDICT_CLEAN));
}

/* The same registers of a guest that says nothing. */
static void test_stuck_cpu(void **state)
{
	struct tape *t = running_tape();

	status_until(t, 4 * S, 6 * S, 0, 0);
	registers_print(t, 6 * S, 100);
	status_until(t, 6 * S, 14 * S, 2, 0);
	g_autoptr(outcome) o = check(t, JOB_END_HANG, VERDICT_AFFECTED);

	assert_int_equal(hang_rule_of(o), HANG_D2);
	assert_int_equal(o->verdict.kind, KIND_LOCKUP);
}

static void test_same_tape_same_verdict(void **state)
{
	g_autofree char *digest = NULL;

	for (int i = 0; i < 3; i++) {
		struct tape *t = running_tape();

		status_until(t, 4 * S, 14 * S, 0, 0);
		end_at(t, 14 * S, "pass", "", 9000);
		wire_at(t, 14 * S, "bye", "");
		g_autoptr(outcome) o = check(t, JOB_END_DONE, VERDICT_CLEAN);

		if (digest)
			assert_string_equal(o->digest, digest);
		g_free(digest);
		digest = g_strdup(o->digest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_no_exposure),
		cmocka_unit_test(test_skip),
		cmocka_unit_test(test_never_hello),
		cmocka_unit_test(test_flood_without_hello),
		cmocka_unit_test(test_flood_and_clean),
		cmocka_unit_test(test_torn_records),
		cmocka_unit_test(test_torn_end),
		cmocka_unit_test(test_engine_killed),
		cmocka_unit_test(test_reset_in_the_run),
		cmocka_unit_test(test_reset_at_boot),
		cmocka_unit_test(test_oops),
		cmocka_unit_test(test_oops_at_boot),
		cmocka_unit_test(test_phantom_int3),
		cmocka_unit_test(test_deadlock),
		cmocka_unit_test(test_starved),
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_paused_for_a_while),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_frozen_and_hung),
		cmocka_unit_test(test_passed_with_a_dead_cpu),
		cmocka_unit_test(test_sleeping_deadlock),
		cmocka_unit_test(test_silent_and_idle),
		cmocka_unit_test(test_talking_guest),
		cmocka_unit_test(test_stuck_cpu),
		cmocka_unit_test(test_same_tape_same_verdict),
	};

	dir = g_dir_make_tmp("klab-test-XXXXXX", NULL);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	fs_remove(dir, NULL);
	g_free(dir);
	return failed;
}
