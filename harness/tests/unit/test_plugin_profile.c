// SPDX-License-Identifier: GPL-2.0-or-later
/* The plugin's profile, and the plugin on a page that anybody may have written. */
#include "plugin_fixture.h"

/* --- the profile ----------------------------------------------------------------------------- */

static void encode(struct qemu_plugin_insn *insn, const char *hex)
{
	insn->len = strlen(hex) / 2;
	for (size_t i = 0; i < insn->len; i++)
		insn->bytes[i] = g_ascii_xdigit_value(hex[2 * i]) << 4 |
				 g_ascii_xdigit_value(hex[2 * i + 1]);
}

static const struct amp_candidate *candidate(uint64_t pc)
{
	for (unsigned i = 0; i < qemu.page->n_candidates; i++)
		if (qemu.page->candidate[i].pc == pc)
			return &qemu.page->candidate[i];
	return NULL;
}

static void profile_starts(uint64_t lo, uint64_t hi)
{
	qemu.page->profile = 1;
	qemu.page->text_lo = lo;
	qemu.page->text_hi = hi;
	qemu_order();
}

static void profile_ends(void)
{
	qemu.page->profile = 0;
	qemu_order();
}

/*
 * insn 0 loads a granule that vCPU 1's insn 1 stores to; 2 and 3 only read one together; 4 is one
 * vCPU's alone; 5 works on a user's memory; 6 lies outside; 7 never runs.
 */
static void play_trace(void)
{
	for (unsigned i = 0; i < 10; i++) {
		qemu_access(0, &tb.insn[0], DATA + 4, false);
		qemu_access(1, &tb.insn[1], DATA, true);
		qemu_access(0, &tb.insn[2], DATA + 64, false);
		qemu_access(1, &tb.insn[3], DATA + 64, false);
		qemu_access(2, &tb.insn[4], DATA + 128, true);
		qemu_access(2, &tb.insn[4], DATA + 128, false);
		qemu_access(i % 2, &tb.insn[5], 0x7ffd00001000, true);
		qemu_access(i % 2, &tb.insn[6], DATA + 256, true);
	}
}

static void a_profile_finds_what_is_shared(void **state)
{
	qemu_start();
	encode(&tb.insn[1], "f0480fc102");
	profile_starts(TEXT, TEXT + 24);
	qemu_translate(&tb, TEXT, 8);
	play_trace();
	qemu_translate(&tb, TEXT, 8);	/* again: the same records */
	play_trace();
	assert_int_equal(qemu.page->n_candidates, 0);
	profile_ends();

	assert_int_equal(qemu.page->n_candidates, 2);
	/* the first load of all met nobody yet */
	assert_int_equal(qemu.page->candidate[0].pc, TEXT + 4);
	assert_int_equal(qemu.page->candidate[0].stores, 20);
	assert_int_equal(qemu.page->candidate[0].loads, 0);
	assert_int_equal(qemu.page->candidate[0].execs, 20);
	assert_int_equal(qemu.page->candidate[0].atomic, 1);
	assert_int_equal(qemu.page->candidate[1].pc, TEXT);
	assert_int_equal(qemu.page->candidate[1].loads, 19);
	assert_int_equal(qemu.page->candidate[1].stores, 0);
	assert_int_equal(qemu.page->candidate[1].execs, 20);
	assert_int_equal(qemu.page->candidate[1].atomic, 0);
	assert_int_equal(qemu.page->granules_shared, 1);
	assert_int_equal(qemu.page->accesses, 120);
	qemu_translate(&tb, TEXT, 8);
	assert_int_equal(tb.insn[0].n_access, 0);

	/* the next one begins with nothing */
	profile_starts(TEXT, TEXT + 24);
	profile_ends();
	assert_int_equal(qemu.page->n_candidates, 0);
	assert_int_equal(qemu.page->accesses, 0);
}

static void atomic_instructions_are_told(void **state)
{
	static const struct {
		const char *bytes;
		bool atomic;
	} rows[] = {
		{ "488b07", false },	   /* mov (%rdi),%rax */
		{ "f0ff07", true },	   /* lock incl (%rdi) */
		{ "f0480fb117", true },	   /* lock cmpxchg %rdx,(%rdi) */
		{ "66f00fc107", true },	   /* lock xadd %ax,(%rdi) */
		{ "488707", true },	   /* xchg %rax,(%rdi) */
		{ "8607", true },	   /* xchg %al,(%rdi) */
		{ "654c8704250000", true }, /* xchg %r8,%gs:... */
		{ "6690", false },	   /* xchg %ax,%ax */
		{ "4887c7", false },	   /* xchg %rax,%rdi */
		{ "65ff0f", false },	   /* decl %gs:(%rdi) */
		{ "6666666666666666666666666666f0", true },
		{ "66", false },
		{ "87", false },
		{ "", false },
	};

	qemu_start();
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		encode(&tb.insn[i], rows[i].bytes);
	profile_starts(TEXT, TEXT + 4096);
	qemu_translate(&tb, TEXT, G_N_ELEMENTS(rows));
	for (size_t i = 0; i < 2 * G_N_ELEMENTS(rows); i++)
		qemu_access(i % 2, &tb.insn[i / 2], DATA + 8 * (i / 2), true);
	profile_ends();
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		assert_non_null(candidate(TEXT + 4 * i));
		if (candidate(TEXT + 4 * i)->atomic != rows[i].atomic)
			fail_msg("%s", rows[i].bytes);
	}
}

/* More instructions than there is room for: the page gets the busiest of what fits. */
static void a_profile_is_bounded(void **state)
{
	enum { BLOCKS = 8192 };
	uint64_t fewest = UINT64_MAX;

	qemu_start();
	profile_starts(0, UINT64_MAX);
	for (unsigned i = 0; i < BLOCKS; i++) {
		uint64_t hits = i == 47 ? 100 : i % 3;

		qemu_translate(&tb, TEXT + 4 * INSNS_MAX * i, INSNS_MAX);
		for (unsigned j = 0; j <= hits; j++)
			for (unsigned k = 0; k < INSNS_MAX; k++)
				qemu_access(j % 70, &tb.insn[k], DATA + 8 * k, true);
	}
	profile_ends();
	assert_int_equal(qemu.page->n_candidates, AMP_CANDIDATES_MAX);
	for (unsigned i = 0; i < AMP_CANDIDATES_MAX; i++) {
		const struct amp_candidate *c = &qemu.page->candidate[i];

		assert_true(c->stores <= fewest);
		assert_true(c->stores <= c->execs);
		fewest = c->stores;
	}
	assert_true(qemu.page->candidate[0].stores >= 99);
	assert_true(fewest >= 2);
}

/* Granules that come to the same place of a table are not taken for each other. */
static void strangers_share_nothing(void **state)
{
	enum { GRANULES = 5 << 18 };

	qemu_start();
	profile_starts(TEXT, TEXT + 4);
	qemu_translate(&tb, TEXT, 1);
	for (unsigned vcpu = 0; vcpu < 2; vcpu++)
		for (uint64_t i = 0; i < GRANULES; i++)
			qemu_access(vcpu, &tb.insn[0], DATA + AMP_GRANULE * (vcpu * GRANULES + i),
				    true);
	profile_ends();
	assert_int_equal(qemu.page->accesses, 2 * GRANULES);
	assert_int_equal(qemu.page->granules_shared, 0);
	assert_int_equal(qemu.page->n_candidates, 0);
}

/* --- a page that anybody may have written ---------------------------------------------------- */

static void fill_with(GRand *rand, void *mem, size_t len)
{
	uint32_t *at = mem;

	for (size_t i = 0; i < len / 4; i++)
		at[i] = g_rand_int(rand);
}

/* Half of the time numbers that nearly make sense. */
static void scramble(GRand *rand)
{
	struct amp_page *page = qemu.page;
	size_t from = offsetof(struct amp_page, armed), to = offsetof(struct amp_page, vcpu);
	uint64_t wanted = page->wanted;

	fill_with(rand, (char *)page + from, to - from);
	fill_with(rand, page->site, sizeof(page->site));
	page->wanted = wanted;
	if (g_rand_boolean(rand))
		page->armed = 1;
	if (g_rand_int(rand) % 8)
		page->profile = 0;
	page->tick = TEXT + g_rand_int_range(rand, 0, 64);
	for (unsigned i = 0; i < AMP_SITES_MAX && g_rand_int(rand) % 64; i++) {
		struct amp_site *site = &page->site[i];

		site->lo = TEXT + g_rand_int_range(rand, -300, 300);
		site->hi = site->lo + g_rand_int_range(rand, -9, 99);
		if (g_rand_int(rand) % 4 == 0)
			site->hi = UINT64_MAX;
		site->at = g_rand_int_range(rand, 0, 3);
		site->group = g_rand_int_range(rand, 0, 3);
		site->vcpu = g_rand_int_range(rand, -2, 3);
		site->after = g_rand_int(rand) % 3;
		site->every = g_rand_int(rand) % 3;
	}
}

static GRand *hostile;

static void run_a_little(unsigned steps)
{
	static unsigned depth;

	if (++depth > 3)
		steps = 0;
	for (unsigned i = 0; i < steps; i++) {
		struct qemu_plugin_insn *insn = &tb.insn[g_rand_int(hostile) % INSNS_MAX];
		unsigned vcpu = g_rand_int(hostile) % 8 ? i % 5 : g_rand_int(hostile);

		qemu.now_ns += 3000000;
		qemu_exec(vcpu, insn);
		qemu_access(vcpu, insn, g_rand_int(hostile) % 4 ? DATA : UINT64_MAX, i & 1);
	}
	depth--;
}

static void others_run(void)
{
	run_a_little(3);
	qemu.page->site[g_rand_int(hostile) % AMP_SITES_MAX].every = g_rand_int(hostile);
	qemu.page->n_log = g_rand_int(hostile) * UINT64_C(0x100000001);
}

static void believes_nothing(void **state)
{
	g_autoptr(GRand) rand = hostile = g_rand_new_with_seed(5);
	uint64_t end_ns;

	qemu_start();
	qemu.while_asleep = others_run;
	for (unsigned round = 0; round < 400; round++) {
		scramble(rand);
		qemu_order();
		qemu.page->applied = g_rand_int(rand);
		qemu_translate(&tb, round % 9 ? TEXT - 100 : (uint64_t)-200, INSNS_MAX);
		run_a_little(40);
		qemu.page->trouble[AMP_TROUBLE_MAX - 1] = 'x';
		if (qemu.reset)
			qemu_stop_the_world();
	}
	/* and no vCPU had more than its share */
	end_ns = qemu.now_ns - 1000000000;
	assert_true(qemu.slept_ns < 5 * (end_ns / 100 * AMP_DUTY_MAX + 50000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit(a_profile_finds_what_is_shared),
		unit(atomic_instructions_are_told),
		unit(a_profile_is_bounded),
		unit(strangers_share_nothing),
		unit(believes_nothing),
	};

	return qemu_run(tests);
}
