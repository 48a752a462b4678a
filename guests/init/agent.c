// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent's loop: commands in, records out. It survives whatever comes over the wire; what is not
 * a command is counted and ignored.
 */
#include "init.h"
#include "link.h"
#include "status.h"
#include "wire_codec.h"

#include "probes/lib/util.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUND_MS 50
#define HELLO_AGAIN_MS 3000 /* until the host says something: the first may be torn */
#define HELLO_TIMES 5
#define DURATION_MAX_MS (24u * 3600 * 1000)

static struct {
	struct wire_decoder decoder;
	struct runner runner;
	uint64_t phys, second_ns, hello_ns, torn_told;
	unsigned hellos;
	bool heard, bye;
} agent;

static void hello_send(void)
{
	json_t *hello = hello_json();

	agent.hellos++;
	agent.hello_ns = clock_ns();
	if (hello)
		link_send_json("hello", hello);
	else
		link_note("no hello: out of memory");
}

static void refuse(const char *probe, const char *reason)
{
	json_t *end = json_pack("{ss ss ss s{} sI}", "probe", probe, "result", "error", "reason",
				reason, "exposure", "taint", (json_int_t)taint_read());

	link_send_json("end", end);
}

/* The host has checked them by the same records: what does not fit is a mix-up of versions. */
static bool params_read(const json_t *json, struct runner_order *order)
{
	const struct probe_param *known = order->probe->params;
	size_t left = json_object_size(json);

	for (unsigned i = 0; known && known[i].name; i++) {
		const json_t *value = json_object_get(json, known[i].name);
		json_int_t n = json_integer_value(value);

		if (!value)
			continue;
		if (n < known[i].min || n > known[i].max)
			return false;
		order->params[i] = n;
		left--;
	}
	return !left;
}

static void command_start(const char *payload)
{
	json_t *json = json_loads(payload, 0, NULL);
	const char *name = json_string_value(json_object_get(json, "probe")) ?: "";
	json_int_t duration_ms = json_integer_value(json_object_get(json, "duration_ms"));
	struct runner_order order = {
		.probe = probe_find(name),
		.seed = json_integer_value(json_object_get(json, "seed")),
	};

	if (agent.runner.pid) {
		link_note("start '%s' ignored: '%s' still runs", name, agent.runner.probe->name);
	} else if (!order.probe) {
		refuse(name, "this agent has no such probe");
	} else if (!params_read(json_object_get(json, "params"), &order)) {
		refuse(name, "this agent's probe has no such parameter, or not this value of it");
	} else {
		if (duration_ms <= 0)
			duration_ms = (order.probe->duration_s ?: PROBE_DURATION_S_DEFAULT) * 1000;
		order.duration_ms = duration_ms > DURATION_MAX_MS ? DURATION_MAX_MS : duration_ms;
		runner_start(&agent.runner, &order);
	}
	json_decref(json);
}

/* A canary's wish: a trap ends PID 1 whatever it does with signals. */
static void on_canary(int sig)
{
	__builtin_trap();
}

static void command_run(const struct wire_record *r)
{
	if (!strcmp(r->type, "start"))
		command_start(r->payload);
	else if (!strcmp(r->type, "stop"))
		runner_stop(&agent.runner);
	else if (!strcmp(r->type, "symbols"))
		symbols_send();
	else if (!strcmp(r->type, "run"))
		shell_start(r->payload);
	else if (!strcmp(r->type, "in"))
		shell_input(r->payload);
	else if (!strcmp(r->type, "size"))
		shell_size(r->payload);
	else if (!strcmp(r->type, "bye"))
		agent.bye = true;
	else
		link_note("unknown command '%s'", r->type);
	agent.heard = true;
}

static void uart_read(void)
{
	static char buf[4096], payload[WIRE_LINE_MAX];
	struct wire_record r;
	ssize_t n = read(link_fd(), buf, sizeof(buf));

	for (ssize_t i = 0; i < n; i++) {
		if (!wire_decode(&agent.decoder, buf[i], &r))
			continue;
		text_format(payload, sizeof(payload), "%s", r.payload);
		r.payload = payload;
		command_run(&r);
	}
}

static void second_round(void)
{
	uint64_t phys = status_phys();
	char text[32];

	if (phys && phys != agent.phys) {
		agent.phys = phys;
		text_format(text, sizeof(text), "0x%" PRIx64, phys);
		link_send_json("moved", json_pack("{ss}", "status_phys", text));
	}
	if (agent.decoder.torn + agent.decoder.lost != agent.torn_told) {
		agent.torn_told = agent.decoder.torn + agent.decoder.lost;
		link_note("%" PRIu64 " lines from the host were torn, %" PRIu64 " lost",
			  agent.decoder.torn, agent.decoder.lost);
	}
	if (!agent.heard && agent.hellos < HELLO_TIMES &&
	    clock_ns() - agent.hello_ns > HELLO_AGAIN_MS * 1000000ull)
		hello_send();
}

/* Orphans of probes end up here. */
static void orphans_reap(void)
{
	siginfo_t info;

	for (int i = 0; i < 64; i++) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid ||
		    info.si_pid == agent.runner.pid || info.si_pid == shell_pid())
			return;
		waitpid(info.si_pid, NULL, WNOHANG);
	}
}

static void round_wait(void)
{
	struct pollfd p[2 + SHELL_FDS] = {
		{ .fd = link_fd(), .events = POLLIN },
		{ .fd = agent.runner.pid ? agent.runner.fd : -1, .events = POLLIN },
	};

	poll(p, 2 + shell_fds(p + 2), ROUND_MS);
	if (p[0].revents & POLLIN)
		uart_read();
	else if (p[0].revents)
		sleep_ms(ROUND_MS); /* hung up: poll() would spin */
	if (p[1].revents & POLLIN)
		runner_read(&agent.runner);
	else if (p[1].revents)
		sleep_ms(1);
	shell_serve();
}

void agent_serve(void)
{
	signal(SIGUSR1, on_canary);
	agent.phys = status_phys();
	status_phase(WIRE_PHASE_IDLE);
	hello_send();
	while (!agent.bye) {
		round_wait();
		runner_tick(&agent.runner);
		agent.bye |= shell_tick();
		orphans_reap();
		__atomic_store_n(&status_page()->now_ns, clock_ns(), __ATOMIC_RELAXED);
		if (clock_ns() - agent.second_ns < 1000000000ull)
			continue;
		agent.second_ns = clock_ns();
		second_round();
	}
}
