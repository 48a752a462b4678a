// SPDX-License-Identifier: GPL-2.0-or-later
/* What the host was doing: its texts, hostile ones included, and what two readings say. Turns on it. */
#include "run/host.h"
#include "run/turn.h"

#include "base/fs.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

static void parses(void **unused)
{
	const struct host_texts texts = {
		.stat = "cpu  999864 361319 343969 530517 11380 0 1778 2762 0 0\ncpu0 1 2 3 4\n",
		.loadavg = "3.95 2.05 1.94 2/106 31136\n",
		.pressure = "some avg10=92.01 avg60=47.87 avg300=19.07 total=5628386262\n"
			    "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
		.ticks_s = 100,
	};
	struct host_load load;

	host_load_parse(&texts, &load);
	assert_true(load.load1 == 3.95);
	assert_int_equal(load.busy_ms, 9998640 + 3613190 + 3439690 + 0 + 17780);
	assert_int_equal(load.idle_ms, 5305170 + 113800);
	assert_int_equal(load.steal_ms, 27620);
	assert_int_equal(load.psi_some_us, 5628386262);
}

static void parses_hostile(void **unused)
{
	static const char *const stats[] = { NULL, "", "cpu", "cpu ", "cpu 1 2 3", "cpu -1 -2 -3 -4",
					     "cpu0 1 2 3 4 5 6 7 8", "cpu x y", "cpu 1 2 x 4 5" };
	static const char *const others[] = { NULL, "", "nan", "-1 2 3", "inf", "some total=",
					      "full total=5", "some avg\nfull total=5",
					      "some total=x", "total=3" };

	for (unsigned i = 0; i < G_N_ELEMENTS(stats); i++)
		for (unsigned j = 0; j < G_N_ELEMENTS(others); j++) {
			const struct host_texts texts = { stats[i], others[j], others[j], 100 };
			struct host_load load;

			host_load_parse(&texts, &load);
			if (load.busy_ms != -1 || load.idle_ms != -1 || load.steal_ms != -1 ||
			    load.psi_some_us != -1 || load.load1 != -1)
				fail_msg("'%s' or '%s' was taken", stats[i], others[j]);
		}
	/* numbers beyond any clock end at a limit whose sums fit */
	struct host_load load;

	host_load_parse(&(struct host_texts){ .stat = "cpu 99999999999999999999 1 1 "
						      "99999999999999999999 99999999999999999999",
					      .ticks_s = 1 }, &load);
	assert_true(load.busy_ms > 0 && load.idle_ms > 0 && load.steal_ms == 0);
	host_load_parse(&(struct host_texts){ .stat = "cpu 1 2 3 4", .ticks_s = 0 }, &load);
	assert_int_equal(load.busy_ms, -1);
	/* old kernels have no steal, and no interrupts */
	host_load_parse(&(struct host_texts){ .stat = "cpu 1 2 3 4\n", .ticks_s = 100 }, &load);
	assert_int_equal(load.busy_ms, 60);
}

static void limits(void **unused)
{
	assert_true(host_limit_parse("150000 100000\n", NULL) == 1.5);
	assert_true(host_limit_parse("max 100000\n", NULL) < 0);
	assert_true(host_limit_parse("50000\n", "100000\n") == 0.5);
	assert_true(host_limit_parse("-1\n", "100000\n") < 0);
	assert_true(host_limit_parse("5 0", NULL) < 0 && host_limit_parse("", NULL) < 0 &&
		    host_limit_parse(NULL, NULL) < 0 && host_limit_parse("7", NULL) < 0);
}

static void this_host(void **unused)
{
	struct host_load load;
	json_t *json;

	host_load_take(&load);
	assert_true(load.cpus >= 1 && load.busy_ms > 0 && load.load1 >= 0);
	json = host_load_json(&load);
	assert_true(json_is_object(json));
	json_decref(json);
}

static double get(const json_t *json, const char *key)
{
	json_t *value = json_object_get(json, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static void sums_up(void **unused)
{
	json_t *start = json_loads("{\"at_us\":1000000,\"cpus\":2,\"cpu_limit\":null,\"load1\":0.5,"
				   "\"busy_ms\":100,\"idle_ms\":900,\"steal_ms\":0,"
				   "\"psi_some_us\":0,\"alone\":true,\"waited_ms\":7}", 0, NULL);
	json_t *end = json_loads("{\"at_us\":2000000,\"load1\":2.5,\"busy_ms\":1700,"
				 "\"idle_ms\":1000,\"steal_ms\":300,\"psi_some_us\":250000,"
				 "\"run_us\":900000}", 0, NULL);
	json_t *sum = host_summary(start, end), *again = host_summary(start, end);
	g_autofree char *one = json_dumps(sum, 0), *two = json_dumps(again, 0);

	assert_string_equal(one, two);
	assert_true(get(sum, "busy") == 0.8 && get(sum, "steal") == 0.15);
	assert_true(get(sum, "guest") == 0.45 && get(sum, "others") == 0.35);
	assert_true(get(sum, "psi_some") == 0.25 && get(sum, "waited_ms") == 7);
	assert_true(json_is_true(json_object_get(sum, "alone")));
	assert_true(fabs(host_taken(sum) - 0.5) < 1e-9);
	json_decref(sum);
	json_decref(again);
	/* a host that tells little, or whose counters went back */
	json_object_set_new(end, "busy_ms", json_integer(-1));
	json_object_set_new(end, "psi_some_us", json_string("x"));
	sum = host_summary(start, end);
	assert_true(json_is_null(json_object_get(sum, "busy")) &&
		    json_is_null(json_object_get(sum, "psi_some")));
	assert_true(host_taken(sum) == 0);
	json_decref(sum);
	assert_null(host_summary(start, NULL));
	assert_null(host_summary(NULL, end));
	assert_true(host_taken(NULL) == 0);
	json_decref(start);
	json_decref(end);
}

/* --- turns ----------------------------------------------------------------------------------- */

/* Another process takes a turn: 0 it got it, 1 it did not in time, 2 it went on without. */
static int ask_elsewhere(bool alone)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct turn turn = TURN_NONE;
		bool ok = turn_take(alone, 0, NULL, NULL, &turn, NULL);

		_exit(!ok ? 1 : turn.crowded ? 2 : turn.alone == alone ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void turns(void **unused)
{
	struct turn turn = TURN_NONE;

	assert_true(turn_take(false, 5, NULL, NULL, &turn, NULL));
	assert_false(turn.alone);
	assert_int_equal(ask_elsewhere(false), 0);	/* guests share */
	assert_int_equal(ask_elsewhere(true), 1);	/* nobody is alone beside them */
	turn_end(&turn);
	assert_true(turn_take(true, 5, NULL, NULL, &turn, NULL));
	assert_true(turn.alone);
	assert_int_equal(ask_elsewhere(true), 1);
	assert_int_equal(ask_elsewhere(false), 2);
	turn_end(&turn);
	turn_end(&turn);
	assert_int_equal(ask_elsewhere(true), 0);
}

/* Who waits to be alone is not overtaken: newcomers queue behind him. */
static void no_overtaking(void **unused)
{
	struct turn turn = TURN_NONE;
	pid_t pid;
	int status;

	assert_true(turn_take(false, 5, NULL, NULL, &turn, NULL));
	pid = fork();
	if (pid == 0) {
		struct turn lone = TURN_NONE;

		turn_end(&turn);	/* a lock lives as long as any copy of its descriptor */
		_exit(turn_take(true, 20, NULL, NULL, &lone, NULL) && lone.waited_ms > 0 ? 0 : 1);
	}
	for (int i = 0; i < 200 && ask_elsewhere(false) == 0; i++)
		g_usleep(20000);
	assert_int_equal(ask_elsewhere(false), 2);
	turn_end(&turn);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void interrupted(void **unused)
{
	struct turn turn = TURN_NONE, other = TURN_NONE;
	volatile sig_atomic_t stop = 1;
	g_autoptr(GError) error = NULL;

	assert_true(turn_take(true, 5, NULL, NULL, &turn, NULL));
	assert_false(turn_take(false, 60, NULL, &stop, &other, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_INTERRUPTED));
	turn_end(&turn);
}

static int own_cache(void **state)
{
	char *dir = g_dir_make_tmp("klab-test-host-XXXXXX", NULL);

	*state = dir;
	return !dir || !g_setenv("XDG_CACHE_HOME", dir, TRUE);
}

static int drop_cache(void **state)
{
	bool ok = fs_remove(*state, NULL);

	g_free(*state);
	return !ok;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),	 cmocka_unit_test(parses_hostile),
		cmocka_unit_test(limits),	 cmocka_unit_test(this_host),
		cmocka_unit_test(sums_up),	 cmocka_unit_test(turns),
		cmocka_unit_test(no_overtaking), cmocka_unit_test(interrupted),
	};

	return cmocka_run_group_tests(tests, own_cache, drop_cache);
}
