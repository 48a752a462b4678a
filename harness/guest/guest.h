/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One guest, behind one interface: qemu, libvirt and replay are const records of hooks.
 *
 * Use: guest_start(), then guest_next() until it returns GUEST_EXIT, with guest_send(),
 * guest_read_phys(), guest_nmi() in between; guest_free() kills what still runs.
 *
 * Not thread-safe: start and use a guest from the main thread. Every call returns within its
 * deadline. A GError is the lab's failure; a guest that dies is the event GUEST_EXIT.
 */
#ifndef KLAB_GUEST_GUEST_H
#define KLAB_GUEST_GUEST_H

#include "base/lab.h"

#include <sys/types.h>

struct guest;
struct engine;		/* guest/engine.h */

enum guest_event_kind {
	GUEST_TICK,		/* nothing within timeout_ms */
	GUEST_CONSOLE,		/* bytes of ttyS0 */
	GUEST_WIRE,		/* bytes of ttyS1, not yet split into records */
	GUEST_EXIT,		/* the guest or its engine ended */
};

enum guest_exit_how {
	GUEST_EXIT_POWEROFF,	/* the guest asked for power off or reset */
	GUEST_EXIT_KILLED,	/* the engine died by a signal: status is its number */
	GUEST_EXIT_ENGINE,	/* the engine ended by itself with an error: status is its code */
};

struct guest_event {
	enum guest_event_kind kind;
	int64_t at_us;		/* of the guest's clock (guest_now_us) */
	const uint8_t *data;	/* console, wire: valid until the next call */
	size_t len;
	enum guest_exit_how how;
	int status;
	const char *message;	/* exit: the engine's last words on stderr, or "" */
};

struct guest_spec {
	const struct engine *engine;
	const char *kernel;	/* bzImage path */
	const char *initrd;
	const char *append;	/* kernel command line */
	unsigned smp;		/* vCPUs, 1.. */
	unsigned mem_mib;
	const char *accel;	/* "tcg" or "kvm" */
	const char *cpu_model;	/* "max", "Haswell-noTSX", ... */
	const char *plugin;	/* "PATH,key=value,..." or NULL */
	int plugin_fd;		/* handed to the engine under the same number, for the plugin; 0: none */
	const char *const *extra;	/* more engine arguments, NULL-terminated, or NULL */
	const char *journal;	/* replay: the job folder to play */
	const char *connect;	/* libvirt: the URI; NULL for the qemu backend */
	const char *name;	/* libvirt: the domain's (guest/owner.h), or NULL: a unique one */
	const char *emulator;	/* libvirt: path on the host; NULL: the engine's binary where the
				 * host is this machine, else what the host offers */
	const char *pool;	/* libvirt: the host's storage pool for files, or NULL: default */
};

/* One vCPU as `info registers` shows it. */
struct guest_regs {
	uint64_t rip, rsp, rbp, rdi, rsi, rflags, gs_base;
	uint64_t rbx, rdx, r10, r12, r13, r14, r15;
	unsigned cpl;
	bool halted;
};

/* Since the guest's start: run_us, time that all vCPU threads ran; delay_us, wall time in which those
 * that wanted to run waited for a host CPU (starvation, which is no hang). */
struct guest_sched {
	int64_t run_us, delay_us;
	bool paused;	/* the engine has stopped all vCPUs: nothing can move, and no kernel is to blame */
};

/* A vCPU's new RIP and RFLAGS. */
struct guest_cpu_set {
	unsigned cpu;
	uint64_t rip;
	uint32_t rflags;
};

struct guest_backend {
	const char *name;
	bool (*start)(const struct guest_spec *spec, struct guest *g, GError **error);
	bool (*next)(struct guest *g, int timeout_ms, struct guest_event *ret, GError **error);
	bool (*send)(struct guest *g, const void *data, size_t len, GError **error);
	bool (*nmi)(struct guest *g, GError **error);
	bool (*read_phys)(struct guest *g, uint64_t addr, void *buf, size_t len, GError **error);
	bool (*read_virt)(struct guest *g, unsigned cpu, uint64_t addr, void *buf, size_t len,
			  GError **error);
	bool (*regs)(struct guest *g, struct guest_regs *ret, unsigned n, GError **error);
	bool (*sched)(struct guest *g, struct guest_sched *ret, GError **error);
	unsigned (*threads)(struct guest *g, pid_t *ret, unsigned n);
	bool (*pause)(struct guest *g, bool paused, GError **error);
	bool (*set_cpus)(struct guest *g, const struct guest_cpu_set *sets, unsigned n,
			 GError **error);
	bool (*dump)(struct guest *g, int fd, int timeout_ms, GError **error);
	int64_t (*now_us)(struct guest *g);
	const char *(*cage)(struct guest *g);
	void (*stop)(struct guest *g);	/* frees the backend's half; accepts half-started */
};

struct guest {
	const struct guest_backend *be;
	void *priv;
	unsigned smp;
};

extern const struct guest_backend guest_backend_qemu, guest_backend_libvirt, guest_backend_replay;

bool guest_start(const struct guest_backend *be, const struct guest_spec *spec, struct guest **ret,
		 GError **error);
/* Wait for the next event, at most timeout_ms (0..60000). */
bool guest_next(struct guest *g, int timeout_ms, struct guest_event *ret, GError **error);
/* Hand bytes to ttyS1. */
bool guest_send(struct guest *g, const void *data, size_t len, GError **error);
/* Raise one NMI on every vCPU that takes external NMIs (apic_extnmi=). */
bool guest_nmi(struct guest *g, GError **error);
bool guest_read_phys(struct guest *g, uint64_t addr, void *buf, size_t len, GError **error);
bool guest_read_virt(struct guest *g, unsigned cpu, uint64_t addr, void *buf, size_t len,
		     GError **error);
/* Registers of vCPUs 0..n-1; n is at most the guest's smp. */
bool guest_read_regs(struct guest *g, struct guest_regs *ret, unsigned n, GError **error);
bool guest_read_sched(struct guest *g, struct guest_sched *ret, GError **error);
/* The host's threads that run vCPUs 0..n-1; returns how many are known: 0 where there are none here (a
 * recorded guest, an engine on another host). */
unsigned guest_threads(struct guest *g, pid_t *ret, unsigned n);
/* Stop all vCPUs, or let them go on. */
bool guest_pause(struct guest *g, bool paused, GError **error);
/* Set registers of vCPUs of a paused guest, and let it go on: faults provoked on purpose. */
bool guest_set_cpus(struct guest *g, const struct guest_cpu_set *sets, unsigned n, GError **error);
/* Write all memory into `fd` as an ELF core, without page tables followed. */
bool guest_dump(struct guest *g, int fd, int timeout_ms, GError **error);
int64_t guest_now_us(struct guest *g);
/* What keeps the engine in: "seccomp, user 61200", and what could not be had, in one line; NULL: the
 * backend runs no engine. */
const char *guest_cage(struct guest *g);
void guest_free(struct guest *g);
typedef struct guest guest;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(guest, guest_free)

#endif
