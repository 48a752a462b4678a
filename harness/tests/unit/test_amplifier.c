// SPDX-License-Identifier: GPL-2.0-or-later
/* The lab's half of the amplifier, against a plugin and a clock that this test plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "amplify/page.h"
#include "base/fs.h"
#include "run/amplifier.h"

#include <string.h>
#include <sys/mman.h>

#define T0 1000000
#define TEXT 0xffffffff81000000

static char *dir;
static char glob[] = "poke_int3_*";	/* of the job's probe */
static int64_t now_us;

static int64_t fake_now(struct guest *g)
{
	return now_us;
}

static const struct guest_backend fake_backend = { .name = "fake", .now_us = fake_now };

/* One job, and the plugin's view of its page. */
struct stage {
	struct guest guest;
	char *out;
	struct job job;
	struct journal *journal;
	struct symbols *symbols;
	struct amplifier *a;
	struct amp_page *page;
};

static struct symbols *a_kernel(void)
{
	static const char text[] = "ffffffff81000000 _stext\nffffffff81001000 poke_int3_handler\n"
				   "ffffffff81001100 eventfd_write\n"
				   "ffffffff81002000 update_process_times\nffffffff81003000 _etext\n";

	return symbols_parse(text, strlen(text));
}

static void stage_open(struct stage *s, enum amplify_level level, const char *plan, bool symbols)
{
	static unsigned n;
	static char *globs[] = { glob, NULL };
	struct guest_spec spec = { 0 };

	memset(s, 0, sizeof(*s));
	now_us = T0;
	s->guest = (struct guest){ .be = &fake_backend, .smp = 4 };
	s->out = g_strdup_printf("%s/cell-%u/0", dir, n++);
	assert_true(fs_mkdir(s->out, NULL));
	assert_true(journal_create(s->out, &s->journal, NULL));
	s->symbols = symbols ? a_kernel() : NULL;
	s->job = (struct job){ .amplify = level, .amplify_plan = (char *)plan, .smp = 4,
			       .seed = 7, .accel = (char *)"tcg", .amplify_globs = globs };
	assert_true(amplifier_new(&s->job, s->symbols, &s->a, NULL));
	assert_true(amplifier_open(s->a, s->journal, NULL));
	amplifier_spec(s->a, &spec);
	if (!spec.plugin)
		return;
	assert_non_null(strstr(spec.plugin, ",page="));
	s->page = mmap(NULL, sizeof(*s->page), PROT_READ | PROT_WRITE, MAP_SHARED, spec.plugin_fd, 0);
	assert_true(s->page != MAP_FAILED);
	s->page->api_min = 2;
	s->page->api_cur = 5;
	s->page->applied = s->page->wanted;
}

static void pass(struct stage *s, int64_t us)
{
	now_us += us;
	assert_true(amplifier_poll(s->a, NULL));
}

static char *stage_close(struct stage *s)
{
	g_autofree char *path = g_build_filename(s->out, "journal.jsonl", NULL);
	char *text = NULL;
	size_t len;

	assert_true(amplifier_close(s->a, s->out, NULL));
	amplifier_free(s->a);
	journal_free(s->journal);
	symbols_free(s->symbols);
	if (s->page)
		munmap(s->page, sizeof(*s->page));
	assert_true(fs_read(path, 1 << 20, &text, &len, NULL));
	return text;
}

static char *file_of(struct stage *s, const char *name)
{
	g_autofree char *path = g_build_filename(s->out, name, NULL);
	char *text = NULL;
	size_t len;

	return fs_read(path, 1 << 20, &text, &len, NULL) ? text : NULL;
}

static void test_auto(void **state)
{
	struct stage s;
	g_autofree char *text = NULL, *plan = NULL, *log = NULL;

	stage_open(&s, AMPLIFY_AUTO, NULL, true);
	assert_int_equal(s.page->n_sites, 1);
	assert_int_equal(s.page->site[0].lo, TEXT + 0x1000);
	assert_int_equal(s.page->tick, TEXT + 0x2000);
	assert_int_equal(s.page->armed, 0);	/* boots are not delayed */

	amplifier_arm(s.a, &s.guest, T0);
	assert_int_equal(s.page->armed, 1);
	pass(&s, 1000000);	/* its own sites first */
	assert_int_equal(s.page->profile, 0);
	pass(&s, 1000000);
	assert_int_equal(s.page->profile, 1);
	assert_int_not_equal(s.page->applied, s.page->wanted);
	pass(&s, 2000000);	/* not before the plugin has taken it over */
	assert_int_equal(s.page->profile, 1);
	s.page->applied = s.page->wanted;
	pass(&s, 200000);
	assert_int_equal(s.page->profile, 0);

	s.page->candidate[0] = (struct amp_candidate){ .pc = TEXT + 0x1120, .loads = 500,
						       .stores = 500, .execs = 600 };
	s.page->candidate[1] = (struct amp_candidate){ .pc = TEXT + 0x10c8, .loads = 300,
						       .execs = 300 };
	s.page->n_candidates = 2;
	s.page->applied = s.page->wanted;
	pass(&s, 200000);
	assert_int_equal(s.page->n_sites, 3);
	assert_int_equal(s.page->site[1].lo, TEXT + 0x10c8);	/* of the probe's own function */
	assert_int_equal(s.page->site[2].lo, TEXT + 0x1120);
	assert_int_equal(s.page->site[1].at, AMP_ACCESS);
	assert_int_equal(s.page->site[1].group, 1);
	assert_true(s.page->duty_percent[0] + s.page->duty_percent[1] <= AMP_DUTY_MAX);
	s.page->applied = s.page->wanted;
	pass(&s, 200000);

	for (unsigned i = 0; i < 40; i++) {
		s.page->site[2].delays += 50;
		s.page->site[2].conflicts += 40;
		s.page->vcpu[2].delays += 50;
		s.page->vcpu[2].slept_us += 15000;
		s.page->log[s.page->n_log % AMP_LOG_MAX] =
			(struct amp_delay){ .at_us = now_us, .us = 300, .site = 2, .vcpu = 2,
					    .generation = s.page->applied };
		s.page->n_log++;
		pass(&s, 250000);
	}
	assert_in_range(s.page->site[2].every, 1, 1 << 30);
	assert_int_equal(amplifier_injected_us(s.a), 40 * 15000);
	amplifier_hold(s.a, true);
	assert_int_equal(s.page->armed, 0);
	amplifier_hold(s.a, false);
	assert_int_equal(s.page->armed, 1);

	text = stage_close(&s);
	assert_non_null(strstr(text, "\"ev\":\"amplify\""));
	assert_non_null(strstr(text, "\"ev\":\"profile\""));
	assert_non_null(strstr(text, "\"delays\":2000"));
	plan = file_of(&s, "plan.txt");
	assert_non_null(strstr(plan, "\npoke_int3_handler"));
	assert_non_null(strstr(plan, "\neventfd_write+0x20"));
	assert_non_null(strstr(plan, "seed=7"));
	log = file_of(&s, "delays.log");
	assert_true(g_str_has_prefix(log, "# 2 eventfd_write+0x20\n"));
	assert_non_null(strstr(log, " 2 2 300\n"));
	g_free(s.out);
}

/* A guest that took QEMU over can write what it likes: nothing breaks, nothing grows, no bound moves. */
static void test_hostile(void **state)
{
	struct stage s;
	g_autoptr(GRand) rand = g_rand_new_with_seed(3);

	for (unsigned round = 0; round < 20; round++) {
		stage_open(&s, AMPLIFY_AUTO, NULL, true);
		amplifier_arm(s.a, &s.guest, T0);
		for (unsigned i = 0; i < 60; i++) {
			for (unsigned k = 0; k < 2000; k++)
				((uint32_t *)s.page)[g_rand_int(rand) % (sizeof(*s.page) / 4)] =
					g_rand_int(rand);
			s.page->n_candidates = g_rand_int(rand);
			s.page->applied = s.page->wanted;
			memset(s.page->trouble, i == 50 ? 0xff : 0, sizeof(s.page->trouble));
			pass(&s, 150000);
		}
		assert_true(amplifier_injected_us(s.a) <= now_us - T0);
		g_free(stage_close(&s));
		g_free(s.out);
	}
}

static void test_log_is_bounded(void **state)
{
	struct stage s;
	g_autofree char *text = NULL;

	stage_open(&s, AMPLIFY_LIGHT, NULL, true);
	amplifier_arm(s.a, &s.guest, T0);
	s.page->vcpu[0].delays = 1;
	s.page->n_log = UINT64_MAX / 2;
	pass(&s, 150000);
	s.page->n_log = 3;	/* backwards */
	pass(&s, 150000);
	text = stage_close(&s);
	assert_non_null(strstr(text, "\"ev\":\"amplified\""));
	g_free(s.out);
}

static void expect_unamplified(struct stage *s, const char *why)
{
	g_autofree char *text = NULL;

	assert_false(amplifier_as_asked(s->a));
	text = stage_close(s);
	assert_non_null(strstr(text, "\"ev\":\"unamplified\""));
	assert_non_null(strstr(text, why));
	assert_null(strstr(text, "\"ev\":\"amplified\""));
	g_free(s->out);
}

static void expect_no_delay(struct stage *s)
{
	g_autofree char *text = stage_close(s), *plan = file_of(s, "plan.txt");

	assert_non_null(strstr(text, "\"ev\":\"unamplified\""));
	assert_non_null(strstr(text, "no delay was made"));
	assert_null(plan);
	g_free(s->out);
}

static void test_no_symbols(void **state)
{
	struct stage s;

	stage_open(&s, AMPLIFY_AUTO, NULL, false);
	assert_null(s.page);
	expect_unamplified(&s, "no list of symbols");
}

static void test_wrong_symbol(void **state)
{
	struct stage s;

	stage_open(&s, AMPLIFY_PLAN, "no_such_function+0x10", true);
	assert_null(s.page);
	expect_unamplified(&s, "no_such_function");
}

static void test_refused(void **state)
{
	struct stage s;

	stage_open(&s, AMPLIFY_LIGHT, NULL, true);
	assert_true(amplifier_as_asked(s.a));
	assert_true(amplifier_give_up(s.a, "it wants API 9"));
	assert_false(amplifier_give_up(s.a, "again"));
	amplifier_arm(s.a, &s.guest, T0);
	pass(&s, 500000);
	expect_unamplified(&s, "it wants API 9");
}

static void test_plugin_never_ran(void **state)
{
	struct stage s;

	stage_open(&s, AMPLIFY_LIGHT, NULL, true);
	s.page->api_cur = 0;
	amplifier_arm(s.a, &s.guest, T0);
	pass(&s, 500000);
	assert_int_equal(s.page->armed, 0);
	expect_unamplified(&s, "did not run the plugin");
}

static void test_trouble(void **state)
{
	struct stage s;

	stage_open(&s, AMPLIFY_LIGHT, NULL, true);
	memset(s.page->trouble, 'x', sizeof(s.page->trouble));	/* unterminated */
	amplifier_arm(s.a, &s.guest, T0);
	expect_unamplified(&s, "the plugin: xxx");
}

static void test_kvm(void **state)
{
	struct symbols *symbols = a_kernel();
	struct job job = { .amplify = AMPLIFY_LIGHT, .smp = 2, .accel = (char *)"kvm" };
	g_autoptr(amplifier) a = NULL;

	assert_true(amplifier_new(&job, symbols, &a, NULL));
	assert_false(amplifier_as_asked(a));
	symbols_free(symbols);
}

/* Its functions have other names here: what a profile finds is no ground for a rate of theirs. */
static void test_profile_only(void **state)
{
	struct stage s;
	g_autofree char *text = NULL;

	glob[0] = 'x';
	stage_open(&s, AMPLIFY_AUTO, NULL, true);
	glob[0] = 'p';
	assert_int_equal(s.page->n_sites, 0);
	assert_false(amplifier_as_asked(s.a));
	amplifier_arm(s.a, &s.guest, T0);
	pass(&s, 200000);	/* nothing of its own to wait for */
	assert_int_equal(s.page->profile, 1);
	s.page->vcpu[0].delays = 1;
	text = stage_close(&s);
	assert_non_null(strstr(text, "\"level\":\"profile\""));
	assert_null(strstr(text, "unamplified"));
	g_free(s.out);
}

/* Sites that nobody came by amplified nothing. */
static void test_no_delay(void **state)
{
	struct stage s;

	stage_open(&s, AMPLIFY_AUTO, NULL, true);
	amplifier_arm(s.a, &s.guest, T0);
	pass(&s, 500000);
	assert_true(amplifier_as_asked(s.a));
	expect_no_delay(&s);
}

static void test_off(void **state)
{
	struct stage s;
	g_autofree char *text = NULL;

	stage_open(&s, AMPLIFY_OFF, NULL, true);
	assert_null(s.page);
	assert_true(amplifier_as_asked(s.a) && amplifier_as_asked(NULL));
	amplifier_arm(s.a, &s.guest, T0);
	pass(&s, 500000);
	text = stage_close(&s);
	assert_null(strstr(text, "amplif"));
	g_free(s.out);
}

static int make_dir(void **state)
{
	dir = g_dir_make_tmp("klab-amplifier-XXXXXX", NULL);
	return dir ? 0 : -1;
}

static int remove_dir(void **state)
{
	fs_remove(dir, NULL);
	g_free(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auto),	     cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_log_is_bounded), cmocka_unit_test(test_no_symbols),
		cmocka_unit_test(test_wrong_symbol), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_plugin_never_ran), cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_profile_only), cmocka_unit_test(test_no_delay),
		cmocka_unit_test(test_kvm),	     cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
