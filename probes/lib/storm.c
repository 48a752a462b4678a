// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who hits user probes: see storm.h. Children of these threads may do nothing that takes a lock of
 * the C library: system calls and the target's functions.
 */
#include "probes/lib/storm.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEPTH_MAX 12
#define SIGNAL_STACK 32768
#define NAP_US 2000 /* at most, between two acts */

/* One a thread, shared with its children. */
struct seat {
	uint64_t calls[TARGET__COUNT]; /* of page 1 */
	uint64_t total[STORM__COUNT];
	int tid;
} __attribute__((aligned(64)));

/* The first thing that went wrong, in whatever process. */
struct wreck {
	int set; /* 1: being written, 2: whole */
	char text[200];
	bool killed;
};

static struct {
	char *map;
	struct seat *seats;
	struct wreck *wreck;
	unsigned nseats;
	bool strict, filters; /* seccomp's modes that the kernel has */
} state;

/* Of each thread, and a child's own. */
static __thread struct seat *self;
static __thread uint64_t self_rand, self_signal_rand;
static __thread sigjmp_buf self_escape, self_jump;
static __thread int self_child;   /* forked in a probed function */
static __thread bool self_jumped; /* out of a probed function just now */

static void wreck_tell(bool killed, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void wreck_tell(bool killed, const char *format, ...)
{
	va_list ap;

	if (__atomic_exchange_n(&state.wreck->set, 1, __ATOMIC_ACQ_REL))
		return;
	va_start(ap, format);
	text_vformat(state.wreck->text, sizeof(state.wreck->text), format, ap);
	va_end(ap);
	state.wreck->killed = killed;
	__atomic_store_n(&state.wreck->set, 2, __ATOMIC_RELEASE);
}

static void count(uint64_t *what, uint64_t n)
{
	/* Atomic: signal handlers and children add to the same. */
	__atomic_add_fetch(what, n, __ATOMIC_RELAXED);
}

static void nap(uint64_t *rand)
{
	nanosleep(&(struct timespec){ .tv_nsec = rand_next(rand) % NAP_US * 1000 }, NULL);
}

/* --- calls ------------------------------------------------------------------------------- */

static void call_count(unsigned page, enum target_fn fn, uint64_t depth)
{
	count(&self->total[STORM_CALLS], 1);
	if (page != 1)
		return;
	if (fn == TARGET_TAIL)
		fn = TARGET_PUSH;
	count(&self->calls[fn], fn == TARGET_RECURSE ? depth + 1 : 1);
}

static const char *after_what(void)
{
	return self_jumped ? " after a jump out of a probed function" : "";
}

static bool call_judge(enum target_fn fn, const struct target_call *in,
		       const struct target_call *out)
{
	uint64_t want;
	int reg = target_judge(fn, in, out, &want);

	if (reg < 0)
		return true;
	wreck_tell(false, "function %d of the target gave 0x%llx in %s, not 0x%llx%s", fn,
		   (unsigned long long)(reg == TARGET_REGS ? out->flags : out->reg[reg]),
		   target_reg_name(reg), (unsigned long long)want, after_what());
	return false;
}

/* Call one function with random registers; true if all came back as it must. */
static bool call_at(char *map, unsigned page, enum target_fn fn, uint64_t *rand,
		    void (*callback)(void))
{
	struct target_call in = { .fn = (uintptr_t)map + target_offset(page, fn),
				  .flags = rand_next(rand) & TARGET_FLAGS },
			   out;

	for (int i = 0; i < TARGET_REGS; i++)
		in.reg[i] = rand_next(rand);
	if (fn == TARGET_RECURSE)
		in.reg[TARGET_RDI] %= DEPTH_MAX;
	if (fn == TARGET_JCC && in.reg[TARGET_RAX] % 4 == 0)
		in.reg[TARGET_RSI] = in.reg[TARGET_RDI];
	if (fn == TARGET_CALLBACK)
		in.reg[TARGET_RDI] = (uintptr_t)callback;
	out = in;
	target_enter(&out);
	call_count(page, fn, in.reg[TARGET_RDI]);
	return call_judge(fn, &in, &out);
}

static void callback_nest(void)
{
	call_at(state.map, 1, TARGET_PUSH, &self_signal_rand, NULL);
}

static bool call_random(char *map, uint64_t *rand)
{
	uint64_t r = rand_next(rand);

	return call_at(map, r % 2 ? 1 : 1 + (r >> 8) % STORM_PAGES, (r >> 32) % TARGET__COUNT, rand,
		       callback_nest);
}

static bool burst(char *map, unsigned calls)
{
	bool ok = true;

	while (calls-- && ok)
		ok = call_random(map, &self_rand);
	return ok;
}

/* --- children ---------------------------------------------------------------------------- */

static void child_exit(bool ok) __attribute__((noreturn));
static void child_exit(bool ok)
{
	for (;;)
		syscall(SYS_exit_group, ok ? 0 : 1);
}

/* What a child inherits would bring it into the parent's loop. */
static void child_begin(void)
{
	static const int fatal[] = { SIGSEGV, SIGILL, SIGTRAP, SIGBUS, SIGFPE };

	for (unsigned i = 0; i < sizeof(fatal) / sizeof(*fatal); i++)
		signal(fatal[i], SIG_DFL);
}

static int child_fork(void)
{
	/* Not fork(3): the children of a threaded process may do nothing but what is below. */
	int pid = syscall(SYS_fork);

	if (pid == 0)
		child_begin();
	count(&self->total[pid < 0 ? STORM_FORKS_FAILED : STORM_CHILDREN], pid != 0);
	return pid;
}

static int child_wait(int pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* Nobody here sends SIGKILL to a child that is judged, and only seccomp's strict mode ends one so:
 * it was the kernel, which had no memory left. Its last call may be counted or not. */
static void child_judge(int status, const char *what)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !strstr(what, "strict"))
		count(&self->total[STORM_CHILDREN_LOST], 1);
	else if (WIFSIGNALED(status))
		wreck_tell(true, "%s died of signal %d (%s)", what, WTERMSIG(status),
			   strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		wreck_tell(false, "%s ended with status %d", what, WEXITSTATUS(status));
}

static void act_fork(void)
{
	int pid = child_fork();

	if (pid == 0) {
		cpu_pin(rand_next(&self_rand) % state.nseats);
		child_exit(burst(state.map, 8));
	}
	if (pid > 0)
		child_judge(child_wait(pid), "a forked target");
}

static void act_exec(void)
{
	static char *const argv[] = { (char *)"target", NULL }, *const envp[] = { NULL };
	int pid = child_fork(), status;

	if (pid == 0) {
		cpu_pin(rand_next(&self_rand) % state.nseats);
		execve(STORM_FILE, argv, envp);
		child_exit(false);
	}
	if (pid < 0)
		return;
	status = child_wait(pid);
	child_judge(status, "an executed target");
	count(&self->calls[TARGET_PUSH], TARGET_EXEC_CALLS);
	count(&self->total[STORM_CALLS], TARGET_EXEC_CALLS);
}

static void callback_fork(void)
{
	self_child = child_fork();
}

/* Both processes return through the same return probes. */
static void act_fork_inside(void)
{
	unsigned page = 1 + rand_next(&self_rand) % STORM_PAGES;
	bool ok = call_at(state.map, page, TARGET_CALLBACK, &self_rand, callback_fork);

	if (self_child == 0)
		child_exit(ok && burst(state.map, 2));
	if (self_child > 0)
		child_judge(child_wait(self_child), "a target forked in a probed function");
}

/* Seccomp's strict mode and a filter that lets nothing but the end through. */
static int seccomp_enter(bool strict)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(*code), .filter = code };

	if (strict)
		return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0);
}

static void act_seccomp(void)
{
	bool strict = (rand_next(&self_rand) % 2 || !state.filters) && state.strict, ok;
	int pid = state.strict || state.filters ? child_fork() : -1;

	if (pid == 0) {
		/* A call first: what a process prepares at its first probe is not the question. */
		ok = burst(state.map, 1) && !seccomp_enter(strict);
		ok = ok && call_at(state.map, 1, TARGET_PUSH, &self_rand, NULL) &&
		     call_at(state.map, 1, TARGET_NOP5, &self_rand, NULL);
		while (strict)
			syscall(SYS_exit, ok ? 0 : 1);
		child_exit(ok);
	}
	if (pid > 0)
		child_judge(child_wait(pid), strict ? "a target in seccomp's strict mode"
						    : "a target under a seccomp filter");
}

/* Its calls are of no page that counts. */
static void act_kill(void)
{
	int pid = child_fork();

	if (pid == 0)
		for (;;)
			for (int fn = 0; fn < TARGET_CALLBACK; fn++)
				call_at(state.map, 2 + fn % (STORM_PAGES - 1), fn, &self_rand,
					NULL);
	if (pid < 0)
		return;
	nanosleep(&(struct timespec){ .tv_nsec = rand_next(&self_rand) % 3000000 }, NULL);
	kill(pid, SIGKILL);
	if (WTERMSIG(child_wait(pid)) != SIGKILL)
		wreck_tell(true, "a target that only SIGKILL should end ended before");
}

static void callback_exit(void)
{
	child_exit(true);
}

static void act_exit_inside(void)
{
	int pid = child_fork();

	if (pid == 0)
		call_at(state.map, 2, TARGET_CALLBACK, &self_rand, callback_exit);
	if (pid > 0)
		child_judge(child_wait(pid), "a target that exits in a probed function");
}

/* --- in the thread itself ----------------------------------------------------------------- */

static void callback_jump(void)
{
	siglongjmp(self_jump, 1);
}

/* Return probes whose frames are jumped over must be forgotten: the next to return, from the depth
 * of some calls, must not return to where those came from. */
static void act_jump(void)
{
	if (!sigsetjmp(self_jump, 0))
		call_at(state.map, 2 + rand_next(&self_rand) % (STORM_PAGES - 1), TARGET_CALLBACK,
			&self_rand, callback_jump);
	self_jumped = true;
	call_at(state.map, 1, TARGET_RECURSE, &self_rand, NULL);
	burst(state.map, 2);
	self_jumped = false;
}

static void act_map(void)
{
	char *map = target_map(STORM_FILE, STORM_PAGES);
	size_t size = (STORM_PAGES + 1) * TARGET_PAGE;

	if (!map)
		return;
	burst(map, 4);
	mprotect(map, size, PROT_READ);
	mprotect(map + TARGET_PAGE, TARGET_PAGE, PROT_NONE);
	mprotect(map, size, PROT_READ | PROT_EXEC);
	burst(map, 4);
	munmap(map, size);
}

static void act_signal(void)
{
	struct seat *to = &state.seats[rand_next(&self_rand) % state.nseats];
	int tid = __atomic_load_n(&to->tid, __ATOMIC_RELAXED);

	if (tid)
		syscall(SYS_tgkill, syscall(SYS_getpid), tid, SIGUSR1);
}

static void act_burst(void)
{
	burst(state.map, 32);
}

static void on_signal(int sig)
{
	int saved = errno;

	if (self) {
		count(&self->total[STORM_SIGNALS], 1);
		call_random(state.map, &self_signal_rand);
	}
	errno = saved;
}

/* A harmed register or a trap that nobody took: the thread must survive to tell. */
static void on_fatal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	uint64_t ip = u->uc_mcontext.gregs[REG_RIP];

	wreck_tell(true,
		   "a target thread got signal %d (%s) at 0x%llx, 0x%llx from the target's "
		   "start%s",
		   sig, strsignal(sig), (unsigned long long)ip,
		   (unsigned long long)(ip - (uintptr_t)state.map), after_what());
	if (!self) {
		signal(sig, SIG_DFL);
		return;
	}
	siglongjmp(self_escape, 1);
}

static const struct {
	void (*act)(void);
	unsigned weight;
} actions[] = {
	{ act_burst, 8 },       { act_map, 3 },  { act_signal, 3 },  { act_jump, 2 },
	{ act_fork, 2 },        { act_exec, 1 }, { act_seccomp, 1 }, { act_fork_inside, 1 },
	{ act_exit_inside, 1 }, { act_kill, 1 },
};

static void act_random(void)
{
	unsigned sum = 0, at;

	for (unsigned i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		sum += actions[i].weight;
	at = rand_next(&self_rand) % sum;
	for (unsigned i = 0;; i++) {
		if (at < actions[i].weight) {
			actions[i].act();
			return;
		}
		at -= actions[i].weight;
	}
}

static void acts_loop(struct probe_run *run)
{
	if (sigsetjmp(self_escape, 1))
		return;
	while (!probe_stopped(run) && !__atomic_load_n(&state.wreck->set, __ATOMIC_RELAXED)) {
		act_random();
		nap(&self_rand);
	}
}

static void handlers_set(void)
{
	static const int fatal[] = { SIGSEGV, SIGILL, SIGTRAP, SIGBUS, SIGFPE };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &sa, NULL);
	sa = (struct sigaction){ .sa_sigaction = on_fatal,
				 .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };
	for (unsigned i = 0; i < sizeof(fatal) / sizeof(*fatal); i++)
		sigaction(fatal[i], &sa, NULL);
}

void storm_run(struct probe_run *run, unsigned seat)
{
	char memory[SIGNAL_STACK];
	stack_t stack = { .ss_sp = memory, .ss_size = sizeof(memory) },
		none = { .ss_flags = SS_DISABLE };

	sigaltstack(&stack, NULL); /* a harmed stack pointer must not keep us from telling */
	self = &state.seats[seat];
	self_rand = (run->seed + seat) * 2 + 1;
	self_signal_rand = ~self_rand | 1;
	__atomic_store_n(&self->tid, syscall(SYS_gettid), __ATOMIC_RELAXED);
	acts_loop(run);
	__atomic_store_n(&self->tid, 0, __ATOMIC_RELAXED);
	sigaltstack(&none, NULL);
}

static void *shared_make(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int storm_make(unsigned seats)
{
	int err;

	state.nseats = seats;
	state.seats = shared_make(sizeof(*state.seats) * seats);
	state.wreck = shared_make(sizeof(*state.wreck));
	if (!state.seats || !state.wreck)
		return -ENOMEM;
	/* A file system that takes probes on every kernel: tmpfs does so since 3.16 only. */
	mkdir(STORM_DIR, 0755);
	if (mount("ramfs", STORM_DIR, "ramfs", 0, NULL))
		return -errno;
	err = target_write(STORM_FILE, STORM_PAGES);
	if (err)
		return err;
	state.map = target_map(STORM_FILE, STORM_PAGES);
	if (!state.map)
		return -EIO;
	state.strict = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
	state.filters = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) && errno == EFAULT;
	handlers_set();
	return 0;
}

int storm_tid(unsigned seat)
{
	return __atomic_load_n(&state.seats[seat].tid, __ATOMIC_RELAXED);
}

uint64_t storm_total(enum storm_what what)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < state.nseats; i++)
		sum += __atomic_load_n(&state.seats[i].total[what], __ATOMIC_RELAXED);
	return sum;
}

uint64_t storm_counted(enum target_fn fn)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < state.nseats; i++)
		sum += __atomic_load_n(&state.seats[i].calls[fn], __ATOMIC_RELAXED);
	return sum;
}

const char *storm_wrecked(bool *ret_killed)
{
	if (__atomic_load_n(&state.wreck->set, __ATOMIC_ACQUIRE) != 2)
		return NULL;
	*ret_killed = state.wreck->killed;
	return state.wreck->text;
}

const char *storm_missing(void)
{
	if (!state.strict)
		return "CONFIG_SECCOMP is off: no target under seccomp";
	return state.filters ? NULL : "CONFIG_SECCOMP_FILTER is off: no target under a filter";
}

void storm_destroy(void)
{
	umount2(STORM_DIR, MNT_DETACH);
}
