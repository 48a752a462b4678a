// SPDX-License-Identifier: GPL-2.0-or-later
/* Running and waiting of vCPUs, by the scheduler's counters of their threads. See vcpus.h. */
#include "guest/vcpus.h"

#include <stdio.h>

void vcpus_init(struct vcpus *v, unsigned n)
{
	*v = (struct vcpus){ .n = n, .vcpu = g_new0(struct vcpu, n) };
}

void vcpus_clear(struct vcpus *v)
{
	g_clear_pointer(&v->vcpu, g_free);
	v->n = 0;
}

bool vcpus_learn(struct vcpus *v, struct qmp *qmp, int timeout_ms, GError **error)
{
	json_t *cpus = NULL, *cpu;
	size_t i;

	if (!qmp_command(qmp, "query-cpus-fast", NULL, timeout_ms, &cpus, error))
		return false;
	vcpus_clear(v);
	vcpus_init(v, json_array_size(cpus));
	json_array_foreach(cpus, i, cpu)
		v->vcpu[i].tid = json_integer_value(json_object_get(cpu, "thread-id"));
	json_decref(cpus);
	return true;
}

unsigned vcpus_threads(const struct vcpus *v, pid_t *ret, unsigned n)
{
	n = MIN(n, v->n);
	for (unsigned i = 0; i < n; i++)
		ret[i] = v->vcpu[i].tid;
	return n && ret[0] ? n : 0;
}

void vcpus_take(struct vcpus *v, unsigned cpu, int64_t run_us, int64_t delay_us)
{
	struct vcpu *c = &v->vcpu[cpu];

	v->new_run_us += run_us - c->run_us;
	v->new_delay_us += delay_us - c->delay_us;
	c->run_us = run_us;
	c->delay_us = delay_us;
}

/*
 * Sums, over readings, of the wall time in which a vCPU thread that wanted to run had to wait: the
 * share delay / (delay + run) over all vCPU threads. A halted vCPU neither runs nor waits.
 */
void vcpus_done(struct vcpus *v, int64_t now_us, struct guest_sched *ret)
{
	int64_t run = v->new_run_us, delay = v->new_delay_us;

	if (v->at_us && delay > 0)
		v->delay_us += (now_us - v->at_us) * ((double)delay / (delay + run));
	v->run_us += run;
	v->at_us = now_us;
	v->new_run_us = v->new_delay_us = 0;
	*ret = (struct guest_sched){ .run_us = v->run_us, .delay_us = v->delay_us };
}

/* "RUN_NS DELAY_NS TIMESLICES" of one thread; false once it is gone. A thread's number is a path of
 * its own in /proc, listed or not. */
static bool read_schedstat(pid_t tid, int64_t *ret_run_us, int64_t *ret_delay_us)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/schedstat", tid, tid);
	g_autofree char *text = NULL;
	char *end;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return false;
	*ret_run_us = g_ascii_strtoll(text, &end, 10) / 1000;
	*ret_delay_us = g_ascii_strtoll(end, NULL, 10) / 1000;
	return true;
}

/* Time that the hypervisor below us took from the average CPU since the last call; ticks are 10 ms. */
static int64_t steal_us(struct vcpus *v)
{
	g_autofree char *text = NULL;
	int64_t ticks = 0, before = v->steal_ticks;

	if (!g_file_get_contents("/proc/stat", &text, NULL, NULL) ||
	    sscanf(text, "cpu %*d %*d %*d %*d %*d %*d %*d %" G_GINT64_FORMAT, &ticks) != 1)
		return 0;
	v->steal_ticks = ticks + 1;
	return before ? (ticks + 1 - before) * 10000 / (int64_t)g_get_num_processors() : 0;
}

void vcpus_read(struct vcpus *v, struct guest_sched *ret)
{
	bool first = !v->at_us;
	int64_t steal = steal_us(v);

	for (unsigned i = 0; i < v->n; i++) {
		int64_t run, delay;

		if (read_schedstat(v->vcpu[i].tid, &run, &delay))
			vcpus_take(v, i, run, delay);
	}
	if (!first)
		v->delay_us += steal;
	vcpus_done(v, g_get_monotonic_time(), ret);
}
