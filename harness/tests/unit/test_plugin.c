// SPDX-License-Identifier: GPL-2.0-or-later
/* The plugin inside QEMU, between a control page and an engine that this test plays. */
#include "plugin_fixture.h"

static struct amp_site *add_site(uint64_t lo, uint64_t hi, enum amp_at at)
{
	struct amp_site *site = &qemu.page->site[qemu.page->n_sites++];

	*site = (struct amp_site){ .lo = lo, .hi = hi, .at = at, .vcpu = -1, .every = 1,
				   .us_lo = 100, .us_hi = 100 };
	return site;
}

/* Time enough for any delay. */
static void wait(void)
{
	qemu.now_ns += 50000000;
}

static void exec_once(unsigned vcpu, struct qemu_plugin_insn *insn)
{
	qemu_exec(vcpu, insn);
	wait();
	qemu_exec(vcpu, insn);
	wait();
}

/* --- the start ------------------------------------------------------------------------------- */

/* Load with `arg`; what the plugin wrote to stderr. */
static const char *words_of_load(const char *arg)
{
	static char words[256];
	int old = dup(2), fd = memfd_create("stderr", 0);
	ssize_t n;

	dup2(fd, 2);
	assert_int_equal(qemu_load(arg), 0);
	dup2(old, 2);
	close(old);
	n = pread(fd, words, sizeof(words) - 1, 0);
	close(fd);
	words[MAX(n, 0)] = '\0';
	return words;
}

static void runs_on_without(const char *arg, const char *why)
{
	const char *words = words_of_load(arg);

	if (!strstr(words, why))
		fail_msg("'%s' does not say '%s'", words, why);
	assert_ptr_equal(strchr(words, '\n'), words + strlen(words) - 1);
	assert_null(qemu.translate);
	assert_null(qemu.resume);
	dlclose(qemu.plugin);
	qemu.plugin = NULL;
}

static void wants_its_page(void **state)
{
	g_autofree char *page = g_strdup_printf("page=%d", qemu.fd);
	g_autofree char *more = g_strdup_printf("%s,", page);
	const char *bad[] = { NULL, "", "page", "page=", "page=x", "page=-1", "page=99999999999",
			      "site=1-2", more };
	static struct amp_page before;

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		runs_on_without(bad[i], "page=FD");
	runs_on_without("page=1000", "missing");
	runs_on_without("page=/nonexistent", "missing");
	runs_on_without("page=/dev/null", "too short");
	qemu.page->magic++;
	before = *qemu.page;
	runs_on_without(page, "another build");
	qemu.page->magic--;
	qemu.page->size--;
	before = *qemu.page;
	runs_on_without(page, "another build");
	assert_memory_equal(qemu.page, &before, sizeof(before));
	assert_int_equal(ftruncate(qemu.fd, sizeof(*qemu.page) - 1), 0);
	runs_on_without(page, "too short");
}

static void takes_its_page_by_a_name(void **state)
{
	char arg[64];

	g_snprintf(arg, sizeof(arg), "page=/proc/%d/fd/%d", getpid(), qemu.fd);
	assert_int_equal(qemu_load(arg), 0);
	assert_string_equal(qemu.page->trouble, "");
	assert_int_equal(qemu.page->applied, qemu.page->wanted);
}

static void wants_an_api_that_it_knows(void **state)
{
	int api = qemu.api;

	for (qemu.api = 1; qemu.api < 10; qemu.api++) {
		bool known = qemu.api >= 4 && qemu.api <= 7;

		qemu_start();
		assert_int_equal(qemu.page->api_cur, qemu.api);
		assert_int_equal(qemu.page->api_min, MIN(qemu.api, 2));
		assert_int_equal(!*qemu.page->trouble, known);
		assert_int_equal(qemu.translate != NULL, known);
		assert_int_equal(qemu.page->applied, known);
		dlclose(qemu.plugin);
		memset(qemu.page->trouble, 0, sizeof(qemu.page->trouble));
		qemu.page->applied = 0;
		qemu.translate = qemu.resume = NULL;
	}
	qemu.plugin = NULL;
	qemu.api = api;
}

/* --- where ----------------------------------------------------------------------------------- */

static void instruments_only_what_is_wanted(void **state)
{
	qemu_start();
	qemu_translate(&tb, TEXT, INSNS_MAX);
	for (size_t i = 0; i < tb.n; i++)
		assert_int_equal(tb.insn[i].n_exec + tb.insn[i].n_access, 0);

	add_site(TEXT + 16, TEXT + 24, AMP_BEFORE);
	add_site(TEXT + 20, TEXT + 21, AMP_ACCESS);
	add_site(TEXT + 41, TEXT + 44, AMP_ACCESS);	/* between two instructions */
	qemu.page->tick = TEXT + 32;
	qemu_order();
	qemu_translate(&tb, TEXT, INSNS_MAX);
	for (size_t i = 0; i < tb.n; i++) {
		assert_int_equal(tb.insn[i].n_exec, i == 4 || i == 5 || i == 8);
		assert_int_equal(tb.insn[i].n_access, i == 5);
	}
	qemu_translate(&tb, TEXT + 24, 2);
	assert_int_equal(tb.insn[0].n_exec + tb.insn[1].n_exec, 0);
	qemu_translate(&tb, TEXT - 8, 3);
	assert_int_equal(tb.insn[2].n_exec, 0);
}

/* Sites 1, 2, 3 over [0,40), [20,60), [8,12): 2 has only what 1 leaves it, 3 nothing; 0 is of the
 * other kind. */
static void the_first_site_of_a_kind_wins(void **state)
{
	static const int owner[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, -1 };

	add_site(TEXT + 8, TEXT + 12, AMP_ACCESS);
	add_site(TEXT, TEXT + 40, AMP_BEFORE);
	add_site(TEXT + 20, TEXT + 60, AMP_BEFORE);
	add_site(TEXT + 8, TEXT + 12, AMP_BEFORE);
	qemu.page->armed = 1;
	qemu_start();
	qemu_translate(&tb, TEXT, G_N_ELEMENTS(owner));
	for (int i = 0; i < (int)G_N_ELEMENTS(owner); i++) {
		uint64_t before[4];

		for (int j = 0; j < 4; j++)
			before[j] = qemu.page->site[j].delays;
		exec_once(0, &tb.insn[i]);
		for (int j = 0; j < 4; j++)
			assert_int_equal(qemu.page->site[j].delays > before[j], j == owner[i]);
		assert_int_equal(tb.insn[i].n_access, i == 2);
	}
}

static void nonsense_binds_nowhere(void **state)
{
	add_site(TEXT + 8, TEXT, AMP_BEFORE);
	add_site(TEXT, TEXT, AMP_BEFORE);
	add_site(TEXT, TEXT + 8, 7);
	add_site(TEXT, TEXT + 8, AMP_BEFORE)->group = 2;
	qemu_start();
	qemu_translate(&tb, TEXT, 4);
	for (size_t i = 0; i < tb.n; i++)
		assert_int_equal(tb.insn[i].n_exec + tb.insn[i].n_access, 0);
}

/* --- when ------------------------------------------------------------------------------------ */

static void sleeps_only_while_armed(void **state)
{
	struct amp_site *site = add_site(TEXT, TEXT + 4, AMP_BEFORE);

	qemu_start();
	qemu_translate(&tb, TEXT, 1);
	exec_once(0, &tb.insn[0]);
	assert_int_equal(qemu.slept_ns, 0);
	qemu.page->armed = 1;
	exec_once(0, &tb.insn[0]);	/* the first only starts the vCPU's account */
	assert_int_equal(site->delays, 1);
	assert_in_range(site->slept_us, 100, 101);
	assert_int_equal(qemu.slept_ns, 100000);
	assert_int_equal(qemu.page->vcpu[0].delays, 1);
	assert_in_range(qemu.page->vcpu[0].slept_us, 100, 101);
	site->every = 0;
	exec_once(0, &tb.insn[0]);
	assert_int_equal(site->delays, 1);
	site->every = 1;
	site->us_lo = 7;		/* too short to sleep: spins */
	site->us_hi = 7;
	exec_once(0, &tb.insn[0]);
	assert_int_equal(site->delays, 3);
	assert_int_equal(qemu.slept_ns, 100000);
	assert_in_range(site->slept_us, 114, 117);
	qemu.page->armed = 0;
	exec_once(0, &tb.insn[0]);
	assert_int_equal(site->delays, 3);
}

static void a_site_may_be_one_vcpus(void **state)
{
	struct amp_site *site = add_site(TEXT, TEXT + 4, AMP_BEFORE);

	site->vcpu = 2;
	site->after = 5;
	qemu.page->armed = 1;
	qemu_start();
	qemu_translate(&tb, TEXT, 1);
	for (unsigned vcpu = 0; vcpu < 4; vcpu++)
		exec_once(vcpu, &tb.insn[0]);
	assert_int_equal(site->delays, 0);
	wait();
	for (unsigned i = 0; i < 3; i++)
		qemu_exec(2, &tb.insn[0]);
	assert_int_equal(site->delays, 0);
	qemu_exec(2, &tb.insn[0]);
	assert_int_equal(site->delays, 1);
	qemu_order();			/* counts anew */
	qemu_translate(&tb, TEXT, 1);
	for (unsigned i = 0; i < 5; i++)
		exec_once(2, &tb.insn[0]);
	assert_int_equal(site->delays, 5);
	/* numbers that have no account are left alone */
	site->vcpu = -1;
	qemu_order();
	qemu_translate(&tb, TEXT, 1);
	for (unsigned vcpu = AMP_VCPUS_MAX; vcpu < AMP_VCPUS_MAX + 300; vcpu++)
		exec_once(vcpu, &tb.insn[0]);
	assert_int_equal(site->delays, 0);
	assert_int_equal(qemu.page->n_vcpus, 3);
}

/* The log of 5000 executions: what was decided, and when. */
static GString *decisions(uint64_t seed, unsigned vcpu, uint64_t pace_ns)
{
	GString *ret = g_string_new(NULL);

	qemu_teardown(NULL);
	qemu_setup(NULL);
	add_site(TEXT, TEXT + 4, AMP_BEFORE)->every = 20;
	add_site(TEXT + 4, TEXT + 8, AMP_BEFORE)->us_hi = 900;
	qemu.page->site[1].every = 50;
	qemu.page->seed = seed;
	qemu.page->armed = 1;
	qemu_start();
	qemu_translate(&tb, TEXT, 2);
	for (unsigned i = 0; i < 5000; i++) {
		uint64_t n = qemu.page->n_log;

		qemu.now_ns += pace_ns;
		qemu_exec(vcpu, &tb.insn[i % 2]);
		if (qemu.page->n_log == n)
			continue;
		assert_int_equal(qemu.page->log[n].vcpu, vcpu);
		g_string_append_printf(ret, "%u:%u:%u ", i, qemu.page->log[n].site,
				       qemu.page->log[n].us);
	}
	return ret;
}

static void a_seed_decides(void **state)
{
	g_autoptr(GString) a = decisions(5, 0, 5000000), again = decisions(5, 0, 9000000);
	g_autoptr(GString) other = decisions(6, 0, 5000000);
	g_autoptr(GString) neighbour = decisions(5, 1, 5000000);
	unsigned n = 0;

	assert_string_equal(a->str, again->str);
	assert_string_not_equal(a->str, other->str);
	assert_string_not_equal(a->str, neighbour->str);
	for (const char *at = a->str; (at = strchr(at, ' ')); at++)
		n++;
	assert_in_range(n, 120, 230);	/* 2500/20 + 2500/50 = 175 */
}

/* --- how much -------------------------------------------------------------------------------- */

/* Execute instruction 0, 1 or both in turn for `seconds`, one each 10 us at least. */
static void keep_busy(unsigned n, double seconds)
{
	uint64_t end = qemu.now_ns + seconds * 1e9;

	for (unsigned i = 0; qemu.now_ns < end; i++) {
		qemu.now_ns += 10000;
		qemu_exec(0, &tb.insn[i % n]);
	}
}

static void two_greedy_sites(uint32_t us, uint32_t first, uint32_t second)
{
	add_site(TEXT, TEXT + 4, AMP_BEFORE)->us_hi = us;
	add_site(TEXT + 4, TEXT + 8, AMP_BEFORE)->us_hi = us;
	qemu.page->site[0].us_lo = qemu.page->site[1].us_lo = us;
	qemu.page->site[1].group = 1;
	qemu.page->duty_percent[0] = first;
	qemu.page->duty_percent[1] = second;
	qemu.page->armed = 1;
	qemu_start();
	qemu_translate(&tb, TEXT, 2);
}

static void delays_have_a_share_of_time(void **state)
{
	two_greedy_sites(300, 12, 5);
	keep_busy(2, 10);
	assert_in_range(qemu.page->site[0].slept_us, 1100000, 1200000);
	assert_in_range(qemu.page->site[1].slept_us, 450000, 500000);
}

static void shares_are_clamped(void **state)
{
	two_greedy_sites(5000, 90, UINT32_MAX);
	keep_busy(2, 10);
	assert_in_range(qemu.page->site[0].slept_us, 1900000, 2000000);
	assert_int_equal(qemu.page->site[1].slept_us, 0);
	qemu.page->duty_percent[0] = 15;
	keep_busy(2, 10);
	assert_in_range(qemu.page->vcpu[0].slept_us, 3900000, 4060000);
	assert_in_range(qemu.page->site[1].slept_us, 450000, 560000);
}

static void an_idle_past_buys_little(void **state)
{
	uint64_t before;

	two_greedy_sites(5000, 20, 0);
	keep_busy(1, 1);
	qemu.now_ns += UINT64_C(3600000000000);
	before = qemu.page->vcpu[0].slept_us;
	keep_busy(1, 1);
	assert_in_range(qemu.page->vcpu[0].slept_us - before, 235000, 250000);
}

static void lengths_are_clamped(void **state)
{
	struct amp_site *site = add_site(TEXT, TEXT + 4, AMP_BEFORE);

	site->us_lo = UINT32_MAX;
	site->us_hi = 0;		/* either way round */
	qemu.page->armed = 1;
	qemu_start();
	qemu_translate(&tb, TEXT, 1);
	keep_busy(1, 10);
	assert_true(site->delays > 100);
	for (unsigned i = 0; i < site->delays; i++)
		assert_in_range(qemu.page->log[i].us, 1, AMP_DELAY_MAX_US);
}

static void the_log_goes_round(void **state)
{
	struct amp_site *site = add_site(TEXT, TEXT + 4, AMP_BEFORE);
	unsigned oldest;

	site->us_lo = site->us_hi = 1;
	qemu.page->armed = 1;
	qemu.page->wanted = 9;
	qemu_start();
	qemu_translate(&tb, TEXT, 1);
	while (qemu.page->n_log < AMP_LOG_MAX + 10)
		keep_busy(1, 0.01);
	assert_int_equal(qemu.page->n_log, site->delays);
	for (unsigned i = 0; i < AMP_LOG_MAX; i++)
		assert_int_equal(qemu.page->log[i].generation, 9);
	oldest = qemu.page->n_log % AMP_LOG_MAX;
	for (unsigned i = 1; i < AMP_LOG_MAX; i++)
		assert_true(qemu.page->log[(oldest + i) % AMP_LOG_MAX].at_us >
			    qemu.page->log[(oldest + i - 1) % AMP_LOG_MAX].at_us);
}

/* --- who meets whom -------------------------------------------------------------------------- */

static struct {
	unsigned vcpu, times;
	uint64_t addr;
	bool store;
} peer;

static void peer_accesses(void)
{
	uint32_t armed = qemu.page->armed;

	qemu.page->armed = 0;	/* the peer is not to sleep itself */
	for (unsigned i = 0; i < peer.times; i++)
		qemu_access(peer.vcpu, &tb.insn[1], peer.addr, peer.store);
	qemu.page->armed = armed;
}

static void conflicts_are_counted(void **state)
{
	static const struct {
		bool store;
		unsigned vcpu, times;
		uint64_t addr;
		bool peer_stores;
		unsigned conflicts;
	} rows[] = {
		{ false, 1, 1, DATA, true, 1 },
		{ true, 1, 1, DATA, false, 1 },
		{ true, 1, 1, DATA, true, 1 },
		{ false, 1, 1, DATA, false, 0 },
		{ true, 1, 1, DATA + 7, true, 1 },
		{ true, 1, 1, DATA + 8, true, 0 },
		{ true, 1, 1, DATA - 1, true, 0 },
		{ true, 0, 1, DATA, true, 0 },
		{ true, 1, 5, DATA, true, 1 },
		{ true, AMP_VCPUS_MAX - 1, 1, DATA, true, 1 },
		{ true, AMP_VCPUS_MAX, 1, DATA, true, 0 },
	};
	struct amp_site *site = add_site(TEXT, TEXT + 4, AMP_ACCESS);

	add_site(TEXT + 4, TEXT + 8, AMP_ACCESS);
	qemu.page->armed = 1;
	qemu_start();
	qemu_translate(&tb, TEXT, 2);
	qemu_access(0, &tb.insn[0], DATA, false);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		uint64_t delays = site->delays, conflicts = site->conflicts;

		wait();
		peer.vcpu = rows[i].vcpu;
		peer.times = rows[i].times;
		peer.addr = rows[i].addr;
		peer.store = rows[i].peer_stores;
		qemu.while_asleep = peer_accesses;
		qemu_access(0, &tb.insn[0], DATA, rows[i].store);
		qemu.while_asleep = NULL;
		peer_accesses();	/* too late */
		assert_int_equal(site->delays, delays + 1);
		if (site->conflicts != conflicts + rows[i].conflicts)
			fail_msg("row %zu", i);
	}
	assert_int_equal(qemu.page->site[1].conflicts, 0);
}

/* --- orders ---------------------------------------------------------------------------------- */

static void orders_are_taken_over(void **state)
{
	struct amp_site *site = add_site(TEXT, TEXT + 4, AMP_BEFORE);

	qemu.page->armed = 1;
	qemu.page->tick = TEXT + 4;
	qemu_start();
	assert_int_equal(qemu.page->applied, 1);
	qemu_translate(&tb, TEXT, 2);
	exec_once(0, &tb.insn[0]);
	assert_int_equal(site->delays, 1);
	assert_int_equal(qemu.n_resets, 0);

	*site = (struct amp_site){ .lo = TEXT + 8, .hi = TEXT + 12, .vcpu = -1, .every = 1,
				   .us_lo = 60, .us_hi = 60, .delays = 5 };
	qemu.page->wanted = 2;
	for (unsigned i = 0; i < 9; i++)
		qemu_exec(i % 3, &tb.insn[1]);	/* the tick */
	qemu_exec(0, &tb.insn[0]);
	qemu_resume(7);
	qemu_translate(&tb, TEXT, 3);
	assert_int_equal(tb.insn[0].n_exec, 1);
	assert_int_equal(qemu.n_resets, 1);	/* asked for once */
	assert_int_equal(qemu.page->applied, 1);

	assert_true(qemu_stop_the_world());
	assert_int_equal(qemu.page->applied, 2);
	assert_int_equal(site->delays, 0);
	assert_int_equal(qemu.page->n_vcpus, 8);
	qemu_translate(&tb, TEXT, 3);
	assert_int_equal(tb.insn[0].n_exec, 0);
	assert_int_equal(tb.insn[2].n_exec, 1);
	exec_once(1, &tb.insn[2]);
	assert_int_equal(site->delays, 1);
	assert_int_equal(qemu.page->log[qemu.page->n_log - 1].generation, 2);
}

static void each_callback_looks_for_orders(void **state)
{
	static struct qemu_plugin_tb other;

	add_site(TEXT, TEXT + 4, AMP_BEFORE);
	add_site(TEXT + 4, TEXT + 8, AMP_ACCESS);
	qemu.page->tick = TEXT + 8;
	qemu.page->profile = 1;
	qemu.page->text_lo = TEXT + 12;
	qemu.page->text_hi = TEXT + 16;
	qemu_start();
	for (unsigned way = 0; way < 6; way++) {
		qemu_translate(&tb, TEXT, 4);
		qemu.page->wanted++;
		assert_null(qemu.reset);
		switch (way) {
		case 0: qemu_exec(0, &tb.insn[0]); break;
		case 1: qemu_access(0, &tb.insn[1], DATA, false); break;
		case 2: qemu_exec(0, &tb.insn[2]); break;
		case 3: qemu_access(0, &tb.insn[3], DATA, false); break;
		case 4: qemu_resume(0); break;
		case 5: qemu_translate(&other, TEXT, 1); break;
		}
		assert_true(qemu_stop_the_world());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit(wants_its_page),
		unit(takes_its_page_by_a_name),
		unit(wants_an_api_that_it_knows),
		unit(instruments_only_what_is_wanted),
		unit(the_first_site_of_a_kind_wins),
		unit(nonsense_binds_nowhere),
		unit(sleeps_only_while_armed),
		unit(a_site_may_be_one_vcpus),
		unit(a_seed_decides),
		unit(delays_have_a_share_of_time),
		unit(shares_are_clamped),
		unit(an_idle_past_buys_little),
		unit(lengths_are_clamped),
		unit(the_log_goes_round),
		unit(conflicts_are_counted),
		unit(orders_are_taken_over),
		unit(each_callback_looks_for_orders),
	};

	return qemu_run(tests);
}
