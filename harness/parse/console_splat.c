// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first lines of splats, 3.10 to 7.x, from the kernel's own format strings: arch/x86/mm/fault.c,
 * traps.c, dumpstack.c, kernel/{panic,watchdog,hung_task}.c, kernel/rcu/tree_stall.h,
 * kernel/locking/lockdep.c, mm/{kasan,kfence,slub,page_alloc}.c, lib/list_debug.c. The first entry
 * that matches wins, so narrow ones stand before wide ones.
 */
#include "parse/console_priv.h"

#include <string.h>

#define NOT_SYNCING "Kernel panic - not syncing: "

static const struct splat splats[] = {
	/* faults */
	{ "BUG: unable to handle kernel NULL pointer", CONSOLE_OOPS, "NULL pointer dereference" },
	{ "BUG: kernel NULL pointer", CONSOLE_OOPS, "NULL pointer dereference" },
	{ "BUG: unable to handle kernel paging request", CONSOLE_OOPS, "page fault" },
	{ "BUG: unable to handle page fault", CONSOLE_OOPS, "page fault" },
	{ "BUG: unable to handle", CONSOLE_OOPS, "fault" },
	{ "Unable to handle kernel NULL pointer", CONSOLE_OOPS, "NULL pointer dereference" },
	{ "Unable to handle kernel paging request", CONSOLE_OOPS, "page fault" },
	{ "kernel tried to execute NX-protected page", CONSOLE_OOPS, "jump to a non-executable page",
	  SPLAT_LEAD },
	{ "unable to execute userspace code", CONSOLE_OOPS, "jump to a user page", SPLAT_LEAD },
	{ "kernel BUG at ", CONSOLE_OOPS, "kernel BUG" },
	{ "Kernel BUG at ", CONSOLE_OOPS, "kernel BUG", SPLAT_HERE },
	{ "CFI failure at ", CONSOLE_OOPS, "CFI failure", SPLAT_HERE | SPLAT_LEAD },
	{ "Unexpected *#CP", CONSOLE_OOPS, "control protection fault", SPLAT_LEAD },
	{ "Missing ENDBR: ", CONSOLE_OOPS, "missing ENDBR", SPLAT_HERE | SPLAT_LEAD },
	{ "BUG: *stack guard page was hit", CONSOLE_OOPS, "stack guard page hit" },
	{ "PANIC: double fault", CONSOLE_OOPS, "double fault" },
	{ "general protection fault", CONSOLE_OOPS, "general protection fault", SPLAT_DIE },
	{ "segment-related general protection fault", CONSOLE_OOPS,
	  "segment-related general protection fault", SPLAT_DIE },
	{ "divide error", CONSOLE_OOPS, "divide error", SPLAT_DIE },
	{ "int3", CONSOLE_OOPS, "unexpected int3", SPLAT_DIE },
	{ "debug", CONSOLE_OOPS, "unexpected #DB", SPLAT_DIE },
	{ "double fault", CONSOLE_OOPS, "double fault", SPLAT_DIE },
	{ "stack segment", CONSOLE_OOPS, "stack segment fault", SPLAT_DIE },
	{ "segment not present", CONSOLE_OOPS, "segment not present", SPLAT_DIE },
	{ "invalid TSS", CONSOLE_OOPS, "invalid TSS", SPLAT_DIE },
	{ "bounds", CONSOLE_OOPS, "bounds fault", SPLAT_DIE },
	{ "overflow", CONSOLE_OOPS, "overflow trap", SPLAT_DIE },
	{ "alignment check", CONSOLE_OOPS, "alignment check", SPLAT_DIE },
	{ "control protection fault", CONSOLE_OOPS, "control protection fault", SPLAT_DIE },
	{ "simd exception", CONSOLE_OOPS, "SIMD exception", SPLAT_DIE },
	{ "fpu exception", CONSOLE_OOPS, "FPU exception", SPLAT_DIE },
	{ "Bad pagetable", CONSOLE_OOPS, "bad page table", SPLAT_DIE },
	{ "stack guard page", CONSOLE_OOPS, "stack guard page hit", SPLAT_DIE },
	{ "kernel stack overflow", CONSOLE_OOPS, "stack overflow", SPLAT_DIE },
	{ "coprocessor segment overrun", CONSOLE_OOPS, "coprocessor segment overrun", SPLAT_DIE },
	{ "invalid opcode", CONSOLE_OOPS, "invalid opcode", SPLAT_DIE },
	{ "0*[#", CONSOLE_OOPS, "fault", SPLAT_DIE },	/* "Oops: 0002 [#1]", first line lost */

	/* memory is not what it should be */
	{ "BUG: KASAN: ", CONSOLE_CORRUPTION, "KASAN", SPLAT_HERE | SPLAT_TEXT },
	{ "BUG: KASAn: ", CONSOLE_CORRUPTION, "KASAN", SPLAT_HERE | SPLAT_TEXT },
	{ "BUG: KFENCE: ", CONSOLE_CORRUPTION, "KFENCE", SPLAT_HERE | SPLAT_TEXT },
	{ "BUG: Bad page state", CONSOLE_CORRUPTION, "bad page state" },
	{ "BUG: Bad page map", CONSOLE_CORRUPTION, "bad page map" },
	{ "BUG: Bad rss-counter state", CONSOLE_CORRUPTION, "bad rss counter", SPLAT_NO_FRAME },
	{ "BUG: non-zero", CONSOLE_CORRUPTION, "non-zero page table bytes", SPLAT_NO_FRAME },
	{ "BUG: Bad page cache", CONSOLE_CORRUPTION, "bad page cache" },
	{ "list_add corruption", CONSOLE_CORRUPTION, "list_add", SPLAT_LEAD },
	{ "list_add double add", CONSOLE_CORRUPTION, "list_add double add", SPLAT_LEAD },
	{ "list_del corruption", CONSOLE_CORRUPTION, "list_del", SPLAT_LEAD },
	{ "usercopy: Kernel memory", CONSOLE_CORRUPTION, "usercopy", SPLAT_LEAD },
	{ "usercopy: kernel memory", CONSOLE_CORRUPTION, "usercopy", SPLAT_LEAD },
	{ "usercopy: Bad or missing", CONSOLE_CORRUPTION, "usercopy whitelist", SPLAT_LEAD },
	{ "detected buffer overflow in ", CONSOLE_CORRUPTION, "buffer overflow", SPLAT_LEAD },
	{ "mem*: detected buffer overflow", CONSOLE_CORRUPTION, "buffer overflow", SPLAT_LEAD },
	{ "str*: detected buffer overflow", CONSOLE_CORRUPTION, "buffer overflow", SPLAT_LEAD },
	{ "refcount_t: ", CONSOLE_CORRUPTION, "refcount", SPLAT_LEAD | SPLAT_TEXT },
	{ "ODEBUG: ", CONSOLE_CORRUPTION, "ODEBUG", SPLAT_TEXT | SPLAT_LEAD },
	{ "mm/*: bad p", CONSOLE_CORRUPTION, "bad page table entry", SPLAT_NO_FRAME },
	{ "Slab corruption", CONSOLE_CORRUPTION, "slab" },
	{ "slab error in", CONSOLE_CORRUPTION, "slab" },
	{ "Thread overran stack", CONSOLE_CORRUPTION, "stack overrun", SPLAT_LEAD },
	{ "BUG * (*): ", CONSOLE_CORRUPTION, "slab", SPLAT_TEXT | SPLAT_TRACE },

	/* lock validators */
	{ "WARNING: suspicious RCU usage", CONSOLE_WARN, "suspicious RCU usage" },
	{ "[ INFO: suspicious RCU usage", CONSOLE_WARN, "suspicious RCU usage" },
	{ "WARNING: possible circular locking", CONSOLE_LOCKDEP, "circular locking", SPLAT_LOCK },
	{ "[ INFO: possible circular locking", CONSOLE_LOCKDEP, "circular locking", SPLAT_LOCK },
	{ "WARNING: possible recursive locking", CONSOLE_LOCKDEP, "recursive locking",
	  SPLAT_LOCK },
	{ "[ INFO: possible recursive locking", CONSOLE_LOCKDEP, "recursive locking",
	  SPLAT_LOCK },
	{ "WARNING: inconsistent lock state", CONSOLE_LOCKDEP, "inconsistent lock state",
	  SPLAT_LOCK },
	{ "[ INFO: inconsistent lock state", CONSOLE_LOCKDEP, "inconsistent lock state",
	  SPLAT_LOCK },
	{ "WARNING: possible irq lock inversion", CONSOLE_LOCKDEP, "irq lock inversion",
	  SPLAT_LOCK },
	{ "[ INFO: possible irq lock inversion", CONSOLE_LOCKDEP, "irq lock inversion",
	  SPLAT_LOCK },
	{ "WARNING: *-unsafe lock order detected", CONSOLE_LOCKDEP, "unsafe lock order",
	  SPLAT_LOCK },
	{ "[ INFO: *-unsafe lock order detected", CONSOLE_LOCKDEP, "unsafe lock order",
	  SPLAT_LOCK },
	{ "WARNING: bad unlock balance", CONSOLE_LOCKDEP, "bad unlock balance", SPLAT_LOCK },
	{ "[ BUG: bad unlock balance", CONSOLE_LOCKDEP, "bad unlock balance", SPLAT_LOCK },
	{ "WARNING: held lock freed", CONSOLE_LOCKDEP, "held lock freed", SPLAT_LOCK },
	{ "[ BUG: held lock freed", CONSOLE_LOCKDEP, "held lock freed", SPLAT_LOCK },
	{ "WARNING: lock held when returning", CONSOLE_LOCKDEP, "lock held in user space",
	  SPLAT_LOCK },
	{ "[ BUG: lock held when returning", CONSOLE_LOCKDEP, "lock held in user space",
	  SPLAT_LOCK },
	{ "WARNING: *still has locks held", CONSOLE_LOCKDEP, "lock held at exit", SPLAT_LOCK },
	{ "[ BUG: *still has locks held", CONSOLE_LOCKDEP, "lock held at exit", SPLAT_LOCK },
	{ "[ BUG: Invalid wait context", CONSOLE_LOCKDEP, "invalid wait context", SPLAT_LOCK },
	{ "WARNING: Nested lock was not taken", CONSOLE_LOCKDEP, "nested lock not taken",
	  SPLAT_LOCK },
	{ "WARNING: bad contention", CONSOLE_LOCKDEP, "bad contention", SPLAT_LOCK },
	{ "[ BUG: bad contention", CONSOLE_LOCKDEP, "bad contention", SPLAT_LOCK },
	{ "BUG: spinlock lockup suspected", CONSOLE_HARD_LOCKUP, "spinlock lockup" },
	{ "BUG: spinlock ", CONSOLE_LOCKDEP, "spinlock", SPLAT_TEXT },
	{ "BUG: rwlock ", CONSOLE_LOCKDEP, "rwlock", SPLAT_TEXT },

	/* nothing goes on */
	{ "Watchdog detected hard LOCKUP", CONSOLE_HARD_LOCKUP, "hard lockup" },
	{ "CPU*: Watchdog detected hard LOCKUP", CONSOLE_HARD_LOCKUP, "hard lockup" },
	{ "BUG: soft lockup - CPU#", CONSOLE_SOFT_LOCKUP, "soft lockup" },
	{ "csd: Detected non-responsive CSD lock", CONSOLE_SOFT_LOCKUP, "CSD lock", SPLAT_HERE },
	{ "BUG: workqueue lockup", CONSOLE_SOFT_LOCKUP, "workqueue lockup", SPLAT_NO_FRAME },
	{ "INFO: rcu*self-detected stall", CONSOLE_RCU_STALL, "RCU stall" },
	{ "INFO: rcu*detected stall", CONSOLE_RCU_STALL, "RCU stall" },
	{ "INFO: rcu*detected expedited stall", CONSOLE_RCU_STALL, "RCU stall" },
	{ "INFO: task *blocked *for more than", CONSOLE_HUNG_TASK, "hung task" },

	/* panics, and what only looks like one */
	{ NOT_SYNCING "Attempted to kill init!", CONSOLE_KILLED_INIT, "init", SPLAT_NO_FRAME },
	{ NOT_SYNCING "*Unable to mount root fs", CONSOLE_BOOT_FAILURE, "no root file system",
	  SPLAT_NO_FRAME },
	{ NOT_SYNCING "No working init", CONSOLE_BOOT_FAILURE, "no working init", SPLAT_NO_FRAME },
	{ NOT_SYNCING "No init found", CONSOLE_BOOT_FAILURE, "no working init", SPLAT_NO_FRAME },
	{ NOT_SYNCING "Requested init", CONSOLE_BOOT_FAILURE, "no working init", SPLAT_NO_FRAME },
	{ NOT_SYNCING "IO-APIC + timer", CONSOLE_WEATHER, "IO-APIC + timer doesn't work",
	  SPLAT_NO_FRAME },
	{ NOT_SYNCING "timer doesn't work", CONSOLE_WEATHER, "IO-APIC + timer doesn't work",
	  SPLAT_NO_FRAME },
	{ NOT_SYNCING "Out of memory", CONSOLE_BOOT_FAILURE, "out of memory", SPLAT_NO_FRAME },
	{ NOT_SYNCING "System is deadlocked on memory", CONSOLE_BOOT_FAILURE, "out of memory",
	  SPLAT_NO_FRAME },
	{ NOT_SYNCING "Watchdog detected hard LOCKUP", CONSOLE_HARD_LOCKUP, "hard lockup" },
	{ NOT_SYNCING "Fatal*achine check", CONSOLE_WEATHER, "machine check", SPLAT_NO_FRAME },
	{ NOT_SYNCING "Machine check", CONSOLE_WEATHER, "machine check", SPLAT_NO_FRAME },
	{ NOT_SYNCING "Timeout: Not all CPUs entered broadcast", CONSOLE_WEATHER, "machine check",
	  SPLAT_NO_FRAME },
	{ NOT_SYNCING "CFI failure", CONSOLE_OOPS, "CFI failure" },
	{ NOT_SYNCING "corrupted stack end", CONSOLE_CORRUPTION, "kernel stack end" },
	{ NOT_SYNCING "stack-protector: ", CONSOLE_CORRUPTION, "kernel stack", SPLAT_HERE },
	{ NOT_SYNCING, CONSOLE_PANIC, NULL, SPLAT_TEXT | SPLAT_NO_FRAME },
	{ "Kernel panic: ", CONSOLE_PANIC, NULL, SPLAT_TEXT | SPLAT_NO_FRAME },
	{ "Failed to execute /", CONSOLE_BOOT_FAILURE, "init cannot be executed", SPLAT_NO_FRAME },
	{ "Starting init: /* exists but couldn't", CONSOLE_BOOT_FAILURE, "init cannot be executed",
	  SPLAT_NO_FRAME },
	{ "Initramfs unpacking failed", CONSOLE_BOOT_FAILURE, "initramfs unpacking failed",
	  SPLAT_NO_FRAME },

	/* findings */
	{ "BUG: KCSAN: data-race in ", CONSOLE_RACE, "data race", SPLAT_TEXT | SPLAT_NO_FRAME },
	{ "BUG: KCSAN: ", CONSOLE_RACE, "KCSAN", SPLAT_TEXT | SPLAT_NO_FRAME },
	{ "UBSAN: ", CONSOLE_UNDEFINED, "UBSAN", SPLAT_HERE | SPLAT_TEXT },
	{ "BUG: KMSAN: ", CONSOLE_UNDEFINED, "KMSAN", SPLAT_HERE | SPLAT_TEXT },
	{ "WARNING: CPU: ", CONSOLE_WARN, "WARN", SPLAT_HERE },
	{ "WARNING: at ", CONSOLE_WARN, "WARN", SPLAT_HERE },
	{ "WARNING: *:* at *+0x", CONSOLE_WARN, "WARN", SPLAT_HERE },	/* since 6.19 */
	{ "WARNING: ", CONSOLE_WARN, "WARN", SPLAT_TEXT | SPLAT_NO_FRAME },
	{ "BUG: scheduling while atomic: ", CONSOLE_WARN, "scheduling while atomic" },
	{ "BUG: sleeping function called", CONSOLE_WARN, "sleeping function in atomic context" },
	{ "BUG: using *in preemptible", CONSOLE_WARN, "per-CPU access in preemptible code" },
	{ "BUG: MAX_", CONSOLE_WARN, "lockdep's tables are full", SPLAT_NO_FRAME },
	{ "BUG: ", CONSOLE_WARN, "BUG", SPLAT_TEXT },
	{ "unchecked MSR access error", CONSOLE_WARN, "unchecked MSR access", SPLAT_HERE },
	{ "Out of memory: ", CONSOLE_OOM, "out of memory", SPLAT_NO_FRAME },
};

/* What subsystems put before the messages above. */
static const char *const prefixes[] = {
	"watchdog: ", "NMI watchdog: ", "rcu: ", "smp: ", "traps: ", "Oops: ", "x86/cet: ",
};

static const char *const weather[] = {
	"clocksource: ", "Clocksource tsc unstable", "perf: interrupt took too long",
	"perf interrupt took too long", "Perf NMI watchdog permanently disabled",
	"NMI watchdog: Perf NMI watchdog permanently disabled", "hrtimer: interrupt took",
	"INFO: NMI handler (", "sched: RT throttling activated", "tsc: ", "MP-BIOS bug",
	"workqueue: *hogged CPU", "..TIMER: ", "TSC calibration", "[Firmware Bug]: ",
	"smpboot: do_boot_cpu failed", "CPU* failed to report alive state", "hpet: ",
	"sched_clock: Marking unstable", "sched: DL replenish lagged", "NMI: ",
	"mce: [Hardware Error]: Machine check events logged", "mce: [Hardware Error]: CPU",
	"[Hardware Error]: ",
};

#define REACH 256	/* how far into a line a pattern may reach */
#define COMM_MAX 15	/* bytes of a task's name */

const char *bytes_after(const char *text, size_t len, const char *needle)
{
	size_t n = strlen(needle);
	const char *at = memmem(text, len, needle, n);

	return at ? at + n : NULL;
}

/* The end of the match of `pattern`, of which a star was just read, in the text; or NULL. */
static const char *pattern_find(const char *pattern, const char *text, const char *end)
{
	while (*pattern) {
		size_t n = strcspn(pattern, "*");
		const char *at = n > (size_t)(end - text) ? NULL :
							    memmem(text, end - text, pattern, n);

		if (!at)
			return NULL;
		text = at + n;
		pattern += n + (pattern[n] == '*');
	}
	return text;
}

/* The end of the match of `pattern` at the start of the text, or NULL. */
static const char *pattern_match(const char *pattern, const char *text, size_t len)
{
	const char *end = text + MIN(len, REACH);

	for (; *pattern && *pattern != '*'; pattern++, text++) {
		if (text == end || *text != *pattern)
			return NULL;
	}
	return *pattern ? pattern_find(pattern + 1, text, end) : text;
}

bool splat_has_die(const char *text, size_t len)
{
	const char *at = bytes_after(text, MIN(len, REACH), "[#");

	return at && at < text + len && g_ascii_isdigit(*at);
}

/* Entries by first character: consoles are long, and most lines start none of them. */
struct index {
	uint8_t first[256][40];
	uint8_t n[256];
};

static const struct index *index_get(void)
{
	static struct index index;
	static gsize once;

	if (g_once_init_enter(&once)) {
		for (unsigned i = 0; i < G_N_ELEMENTS(splats); i++) {
			uint8_t c = splats[i].text[0];

			g_assert(index.n[c] < G_N_ELEMENTS(index.first[c]));
			index.first[c][index.n[c]++] = i;
		}
		g_once_init_leave(&once, 1);
	}
	return &index;
}

static const char *prefix_skip(const char *text, size_t len)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		size_t n;

		if (prefixes[i][0] != *text)
			continue;
		n = strlen(prefixes[i]);
		if (len > n && !memcmp(text, prefixes[i], n))
			return text + n;
	}
	return text;
}

/* "comm[12]: segfault at 8 ip ...", "comm[12] trap int3 ip:...": a user process, any name. */
static const struct splat *find_user_fault(const char *text, size_t len, const char **ret_rest)
{
	static const struct {
		const char *text;
		struct splat splat;
	} faults[] = {
		{ "]: segfault at ", { "", CONSOLE_USER_FAULT, "user fault: segfault", SPLAT_NO_FRAME } },
		{ "] general protection", { "", CONSOLE_USER_FAULT, "user fault: general protection",
					    SPLAT_NO_FRAME } },
		{ "] control protection", { "", CONSOLE_USER_FAULT, "user fault: control protection",
					    SPLAT_NO_FRAME } },
		{ "] trap ", { "", CONSOLE_USER_FAULT, "user fault: trap", SPLAT_NO_FRAME } },
	};
	const char *at = text, *end = text + MIN(len, REACH);

	for (; (at = memchr(at, '[', end - at)); at++) {
		const char *close = at + 1;

		while (close < end && g_ascii_isdigit(*close))
			close++;
		for (unsigned i = 0; close > at + 1 && i < G_N_ELEMENTS(faults); i++) {
			size_t n = strlen(faults[i].text);

			if ((size_t)(text + len - close) < n || memcmp(close, faults[i].text, n))
				continue;
			*ret_rest = close + n;
			return &faults[i].splat;
		}
	}
	return NULL;
}

/*
 * Does the message begin with the name of a task? Its 15 bytes are a user's and may read like the
 * first words of a splat.
 */
static bool names_task(const char *text, size_t len)
{
	static const char *const said[] = { " invoked oom-killer: ", ": page allocation ",
					    " used greatest stack depth: ",
					    ": Corrupted page table at ", ": bad frame in " };

	for (unsigned i = 0; i < G_N_ELEMENTS(said); i++) {
		const char *end = bytes_after(text, MIN(len, REACH), said[i]);

		if (end && end - strlen(said[i]) - text <= COMM_MAX)
			return true;
	}
	return false;
}

static const struct splat *find_entry(const char *body, size_t len, const char **ret_rest)
{
	const struct index *index = index_get();
	uint8_t c = len ? *body : 0;

	for (unsigned i = 0; i < index->n[c]; i++) {
		const struct splat *s = &splats[index->first[c][i]];
		const char *rest = pattern_match(s->text, body, len);

		if (!rest || ((s->flags & SPLAT_DIE) && !splat_has_die(body, len)))
			continue;
		*ret_rest = rest;
		return s;
	}
	return NULL;
}

/*
 * die() prints "WORDS: CODE [#N]", since 6.10 behind "Oops: ". Words that no entry knows, of a trap
 * that is newer than this file, are no less fatal.
 */
static bool is_die(const char *text, size_t len)
{
	const char *hash = memmem(text, MIN(len, REACH), " [#", 3);
	const char *code = hash;

	while (code && code > text && g_ascii_isxdigit(code[-1]))
		code--;
	return hash && hash - code == 4 && code - text > 2 && code[-1] == ' ' &&
	       code[-2] == ':' && hash + 3 < text + len && g_ascii_isdigit(hash[3]);
}

const struct splat *splat_find(const char *text, size_t len, uint32_t bytes, const char **ret_rest)
{
	static const struct splat unknown = { "", CONSOLE_OOPS, NULL, SPLAT_DIE | SPLAT_TEXT };
	const char *end = text + len, *body = len ? prefix_skip(text, len) : text;
	const struct splat *s = find_user_fault(text, len, ret_rest);

	if (s)
		return s;
	if (body > text && *text == 'O')	/* "watchdog: ..." never nests, "Oops: Oops: 0000" does */
		body = prefix_skip(body, end - body);
	s = find_entry(body, end - body, ret_rest);
	if (s && *ret_rest - text <= COMM_MAX && names_task(text, len))
		return NULL;
	if (s || !(bytes & LINE_HASH) || !is_die(body, end - body))
		return s;
	*ret_rest = body;
	return &unknown;
}

bool splat_is_weather(const char *text, size_t len)
{
	for (unsigned i = 0; len && i < G_N_ELEMENTS(weather); i++) {
		if (weather[i][0] == *text && pattern_match(weather[i], text, len))
			return true;
	}
	return false;
}
