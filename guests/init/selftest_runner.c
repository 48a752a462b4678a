// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Self-test of a probe's life: made-up probes that pass, fail, skip, crash, sit too long and refuse
 * to stop run in real child processes, and each ends in the one `end` record that is true.
 */
#include "init.h"
#include "link.h"
#include "status.h"
#include "wire_codec.h"

#include "probes/lib/util.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEST_CPUS 1
#define TEST_LIMIT_MS 20000

static enum probe_result setup_skip(struct probe_run *run)
{
	return probe_skip(run, "CONFIG_%s is off", "THING");
}

static enum probe_result setup_die(struct probe_run *run)
{
	raise(SIGKILL);
	return PROBE_PASS;
}

static enum probe_result setup_leave(struct probe_run *run)
{
	_exit(7);
}

static enum probe_result setup_sit(struct probe_run *run)
{
	sleep_ms(10 * TEST_LIMIT_MS);
	return PROBE_PASS;
}

static void worker_count(struct probe_run *run, unsigned cpu)
{
	for (uint64_t n = 1; !probe_stopped(run); n++) {
		probe_count(run, 0, n);
		sleep_ms(1);
	}
}

static enum probe_result check_fail(struct probe_run *run)
{
	return probe_fail(run, FAIL_CORRUPTION "%d is not %d", 1, 2);
}

#define FAKE(...)                                                                                  \
	&(const struct probe)                                                                      \
	{                                                                                          \
		.name = "fake", .counters = LIST("rounds"), __VA_ARGS__                            \
	}

struct life {
	const struct probe *probe;
	unsigned duration_ms, grace_ms;
	bool stop; /* ask it to stop at its begin */
	const char *result, *reason;
	int64_t rounds_min;
};

/* One whole run through runner.c; returns the payload of its only `end`, or NULL. */
static char *life_live(const struct life *life, int fd)
{
	static struct wire_decoder decoder;
	static struct runner runner;
	uint64_t limit = clock_ns() + TEST_LIMIT_MS * 1000000ull;
	struct runner_order order = { .probe = life->probe,
				      .duration_ms = life->duration_ms,
				      .grace_ms = life->grace_ms };
	struct wire_record r;
	char *end = NULL, c;
	unsigned ends = 0;

	decoder = (struct wire_decoder){ 0 };
	runner_start(&runner, &order);
	while (clock_ns() < limit) {
		bool over = !runner.pid;

		runner_read(&runner);
		runner_tick(&runner);
		while (read(fd, &c, 1) == 1) {
			if (!wire_decode(&decoder, c, &r))
				continue;
			if (life->stop && !strcmp(r.type, "begin"))
				runner_stop(&runner);
			if (strcmp(r.type, "end"))
				continue;
			ends++;
			free(end);
			end = strdup(r.payload);
		}
		if (over)
			break;
		sleep_ms(2);
	}
	if (ends == 1 && !decoder.torn && !runner.pid)
		return end;
	free(end);
	return NULL;
}

static bool life_ends_as_it_should(const struct life *life)
{
	char *end = NULL;
	json_t *json;
	int fds[2];
	bool ok;

	if ((!status_page() && status_init(TEST_CPUS, NULL)) || pipe2(fds, O_NONBLOCK))
		return false;
	link_use(fds[1]);
	end = life_live(life, fds[0]);
	link_use(-1);
	close(fds[0]);
	close(fds[1]);
	json = end ? json_loads(end, 0, NULL) : NULL;
	ok = json && !strcmp(json_string_value(json_object_get(json, "result")), life->result) &&
	     !strcmp(json_string_value(json_object_get(json, "reason")), life->reason) &&
	     json_integer_value(json_object_get(json_object_get(json, "exposure"), "rounds")) >=
		     life->rounds_min;
	json_decref(json);
	free(end);
	return ok;
}

static bool test_pass(void)
{
	return life_ends_as_it_should(&(struct life){ .probe = FAKE(.worker = worker_count),
						      .duration_ms = 100,
						      .result = "pass",
						      .reason = "",
						      .rounds_min = 2 });
}

static bool test_fail(void)
{
	return life_ends_as_it_should(
		&(struct life){ .probe = FAKE(.worker = worker_count, .check = check_fail),
				.duration_ms = 20,
				.result = "fail",
				.reason = "corruption: 1 is not 2" });
}

static bool test_skip(void)
{
	return life_ends_as_it_should(&(struct life){ .probe = FAKE(.setup = setup_skip),
						      .result = "skip",
						      .reason = "CONFIG_THING is off" });
}

static bool test_cpus(void)
{
	return life_ends_as_it_should(&(struct life){ .probe = FAKE(.min_cpus = TEST_CPUS + 1),
						      .result = "skip",
						      .reason = "needs 2 CPUs, there are 1" });
}

static bool test_signal(void)
{
	return life_ends_as_it_should(&(struct life){ .probe = FAKE(.setup = setup_die),
						      .result = "error",
						      .reason = "the probe died of signal 9" });
}

static bool test_leave(void)
{
	return life_ends_as_it_should(
		&(struct life){ .probe = FAKE(.setup = setup_leave),
				.result = "error",
				.reason = "the probe ended by itself with status 7" });
}

static bool test_limit(void)
{
	return life_ends_as_it_should(
		&(struct life){ .probe = FAKE(.setup = setup_sit),
				.duration_ms = 10,
				.grace_ms = 100,
				.result = "error",
				.reason = "the probe ran over its time limit" });
}

/* A minute's run that is told to stop at its begin. */
static bool test_stop(void)
{
	return life_ends_as_it_should(&(struct life){ .probe = FAKE(.worker = worker_count),
						      .duration_ms = 60000,
						      .stop = true,
						      .result = "pass",
						      .reason = "" });
}

const struct selftest selftest_runner[] = {
	{ "life_pass", test_pass },   { "life_fail", test_fail },     { "life_skip", test_skip },
	{ "life_cpus", test_cpus },   { "life_signal", test_signal }, { "life_leave", test_leave },
	{ "life_limit", test_limit }, { "life_stop", test_stop },     { NULL, NULL },
};
