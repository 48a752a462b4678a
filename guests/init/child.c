// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of a probe's process: setup, a pinned worker per CPU, samples, check, end. It talks to
 * the agent through a pipe, one record "TYPE PAYLOAD" a line, so that one writer numbers them all.
 */
#include "init.h"
#include "status.h"

#include "probes/lib/util.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define JOIN_LIMIT_S 16    /* a worker's way back, from its stop ... */
#define JOIN_LIMIT_CPU_S 4 /* ... and so much more a CPU: emulated ones share few of the host's */
#define NOTE_MAX 900

static int report_fd = -1;
static volatile sig_atomic_t stop_asked;

struct seat {
	struct probe_run *run;
	unsigned cpu;
	pthread_t thread;
	bool seated;
};

/* Lines stay below PIPE_BUF: those of several threads do not mix. */
static void report(const char *type, const char *payload)
{
	char line[PIPE_BUF];
	size_t len;

	text_format(line, sizeof(line), "%s %s\n", type, payload);
	len = strlen(line);
	line[len - 1] = '\n';
	while (write(report_fd, line, len) < 0 && errno == EINTR)
		;
}

static void report_json(const char *type, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);

	if (text)
		report(type, text);
	free(text);
	json_decref(json);
}

void probe_note(const char *format, ...)
{
	char text[NOTE_MAX];
	va_list ap;

	va_start(ap, format);
	text_vformat(text, sizeof(text), format, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	report("note", text);
}

#define REASON(result)                                                                             \
	do {                                                                                       \
		va_list ap;                                                                        \
                                                                                                   \
		va_start(ap, format);                                                              \
		text_vformat(run->reason, sizeof(run->reason), format, ap);                        \
		va_end(ap);                                                                        \
		return result;                                                                     \
	} while (0)

enum probe_result probe_skip(struct probe_run *run, const char *format, ...)
{
	REASON(PROBE_SKIP);
}

enum probe_result probe_fail(struct probe_run *run, const char *format, ...)
{
	REASON(PROBE_FAIL);
}

enum probe_result probe_error(struct probe_run *run, const char *format, ...)
{
	REASON(PROBE_ERROR);
}

static json_t *string_array(const char *const *list, unsigned max)
{
	json_t *array = json_array();

	for (unsigned i = 0; list && i < max; i++)
		if (list[i])
			json_array_append_new(array, json_string(list[i]));
		else if (max == UINT_MAX)
			break;
	return array;
}

static json_t *begin_json(const struct probe_run *run)
{
	return json_pack("{ss ss ss so so}", "probe", run->probe->name, "rung", run->rung,
			 "nmi_source", run->nmi_source, "counters",
			 string_array(run->probe->counters, UINT_MAX), "limits",
			 string_array(run->limits, sizeof(run->limits) / sizeof(*run->limits)));
}

json_t *end_json(const struct probe *probe, enum probe_result result, const char *reason)
{
	static const char *const names[] = { "pass", "fail", "skip", "error" };
	json_t *exposure = json_object();

	for (int i = 0; probe && probe->counters[i]; i++)
		json_object_set_new(exposure, probe->counters[i],
				    json_integer(status_page()->counters[i]));
	return json_pack("{ss ss ss so sI}", "probe", probe ? probe->name : "", "result",
			 names[result], "reason", reason, "exposure", exposure, "taint",
			 (json_int_t)taint_read());
}

static void *seat_main(void *arg)
{
	struct seat *seat = arg;

	cpu_pin(seat->cpu);
	seat->run->probe->worker(seat->run, seat->cpu);
	return NULL;
}

static enum probe_result seats_start(struct probe_run *run, struct seat *seats)
{
	for (unsigned i = 0; i < run->ncpus && run->probe->worker; i++) {
		int err;

		seats[i] = (struct seat){ .run = run, .cpu = i };
		err = pthread_create(&seats[i].thread, NULL, seat_main, &seats[i]);
		if (err)
			return probe_error(run, "worker %u: %s", i, strerror(err));
		seats[i].seated = true;
	}
	return PROBE_PASS;
}

/* Workers look at the stop flag every few calls: who does not come back is in the kernel. */
static enum probe_result seats_join(struct probe_run *run, struct seat *seats)
{
	unsigned limit_s = JOIN_LIMIT_S + run->ncpus * JOIN_LIMIT_CPU_S;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += limit_s;
	__atomic_store_n(&run->stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < run->ncpus; i++)
		if (seats[i].seated && pthread_timedjoin_np(seats[i].thread, NULL, &until))
			return probe_fail(run,
					  FAIL_HUNG_TASK
					  "the worker of CPU %u is still in the kernel %u s after "
					  "its stop",
					  i, limit_s);
	return PROBE_PASS;
}

static void workers_watch(struct probe_run *run)
{
	uint64_t end = clock_ns() + run->duration_ms * 1000000ull;

	while (!stop_asked && clock_ns() < end) {
		sleep_ms(PROBE_SAMPLE_MS);
		if (run->probe->sample)
			run->probe->sample(run);
	}
}

static enum probe_result run_whole(struct probe_run *run)
{
	static struct seat seats[WIRE_CPUS_MAX];
	enum probe_result r, joined;

	status_phase(WIRE_PHASE_SETUP);
	if (run->ncpus < run->probe->min_cpus)
		return probe_skip(run, "needs %u CPUs, there are %u", run->probe->min_cpus,
				  run->ncpus);
	r = run->probe->setup ? run->probe->setup(run) : PROBE_PASS;
	if (r != PROBE_PASS)
		return r;
	report_json("begin", begin_json(run));
	status_phase(WIRE_PHASE_RUN);
	r = seats_start(run, seats);
	if (r == PROBE_PASS)
		workers_watch(run);
	joined = seats_join(run, seats);
	status_phase(WIRE_PHASE_CHECK);
	if (r != PROBE_PASS || joined != PROBE_PASS)
		return r != PROBE_PASS ? r : joined;
	return run->probe->check ? run->probe->check(run) : PROBE_PASS;
}

static void on_stop(int sig)
{
	stop_asked = 1;
}

/* The sampler must run on time among busy workers, which must not inherit that. */
static void sampler_prefer(void)
{
	struct sched_param fifo = { .sched_priority = 10 };

	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &fifo);
}

void child_main(const struct runner_order *order, int fd)
{
	static struct probe_run run;
	enum probe_result r;

	report_fd = fd;
	signal(SIGTERM, on_stop);
	run = (struct probe_run){
		.probe = order->probe,
		.ncpus = status_page()->ncpus,
		.seed = order->seed,
		.duration_ms = order->duration_ms,
		.status = status_page(),
		.rung = "none",
		.nmi_source = "none",
	};
	memcpy(run.params, order->params, sizeof(run.params));
	sampler_prefer();
	r = run_whole(&run);
	report_json("end", end_json(run.probe, r, run.reason));
	/* Behind the end: what was found stands, also if the teardown never comes back. */
	if (run.probe->teardown && strncmp(run.reason, FAIL_HUNG_TASK, strlen(FAIL_HUNG_TASK)))
		run.probe->teardown(&run);
	_exit(0);
}
