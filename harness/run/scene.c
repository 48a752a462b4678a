// SPDX-License-Identifier: GPL-2.0-or-later
/* Registers, stacks, locks, and what is told of them. See scene.h. */
#include "run/scene.h"

#include "judge/judge.h"
#include "judge/unwind.h"
#include "parse/frames.h"
#include "run/tasks.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096
#define PAGES_MAX 2048	/* of guest memory in one autopsy */
#define STACK_NAMES_MAX (G_N_ELEMENTS(((struct hang_cpu *)NULL)->stack) - 1)
#define FRAMES_MAX (HANG_FRAMES_MAX - 8)	/* markers between contexts come on top */

void scene_init(struct scene *sc, struct guest *guest, struct journal *journal,
		const struct symbols *symbols, int64_t t0_us)
{
	memset(sc, 0, sizeof(*sc));
	sc->guest = guest;
	sc->journal = journal;
	sc->symbols = symbols;
	sc->t0_us = t0_us;
	sc->pages = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

void scene_clear(struct scene *sc)
{
	g_clear_pointer(&sc->pages, g_hash_table_destroy);
	g_clear_pointer(&sc->facts, facts_free);
}

unsigned scene_vcpus(const struct scene *sc)
{
	return MIN(sc->guest->smp, HANG_CPUS_MAX);
}

const struct facts *scene_facts(struct scene *sc)
{
	if (!sc->facts_tried && sc->image)
		facts_load(sc->image, &sc->facts, NULL);
	sc->facts_tried = true;
	return sc->facts;
}

/* --- names and memory -------------------------------------------------------------------------- */

static const struct symbol *symbol_at(const struct scene *sc, uint64_t addr)
{
	return sc->symbols ? symbols_find(sc->symbols, addr) : NULL;
}

static const char *symbol_name(const struct scene *sc, uint64_t addr)
{
	const struct symbol *sym = symbol_at(sc, addr);

	return sym ? sym->name : NULL;
}

/* Guest memory as the autopsy reads it goes into the journal, so that a replay reads the same. */
static bool read_guest(struct scene *sc, unsigned cpu, uint64_t addr, uint8_t *buf, size_t len)
{
	g_autofree char *text = NULL;

	if (!guest_read_virt(sc->guest, cpu, addr, buf, len, NULL))
		return false;
	text = g_base64_encode(buf, len);
	return journal_event(sc->journal, guest_now_us(sc->guest) - sc->t0_us, "memory",
			     json_pack("{s:i, s:I, s:i, s:s}", "cpu", (int)cpu, "addr",
				       (json_int_t)addr, "n", (int)len, "bytes", text),
			     false, NULL);
}

/* A page, read once; NULL: not there. An empty entry remembers that. */
static const uint8_t *page_at(struct scene *sc, unsigned cpu, uint64_t addr)
{
	g_autofree char *key = g_strdup_printf("%u:%" G_GINT64_MODIFIER "x", cpu, addr);
	uint8_t *page;
	gpointer found;

	if (g_hash_table_lookup_extended(sc->pages, key, NULL, &found))
		return found;
	if (g_hash_table_size(sc->pages) >= PAGES_MAX)
		return NULL;
	page = g_malloc(PAGE);
	if (!read_guest(sc, cpu, addr, page, PAGE))
		g_clear_pointer(&page, g_free);
	g_hash_table_insert(sc->pages, g_steal_pointer(&key), page);
	return page;
}

/* Never across pages at once: where the second one is a guard page QEMU reads nothing. */
static bool read_paged(struct scene *sc, unsigned cpu, uint64_t addr, uint8_t *buf, size_t len)
{
	while (len) {
		size_t at = addr % PAGE, n = MIN(len, PAGE - at);
		const uint8_t *page = page_at(sc, cpu, addr - at);

		/* a recording may hold just these bytes */
		if (!page && !read_guest(sc, cpu, addr, buf, n))
			return false;
		if (page)
			memcpy(buf, page + at, n);
		addr += n;
		buf += n;
		len -= n;
	}
	return true;
}

/* PAUSE is F3 90; spin loops have it within a few instructions of where a sample lands. */
static bool pauses_near(struct scene *sc, unsigned cpu, uint64_t rip)
{
	uint8_t code[33] = { 0 };

	if (!read_guest(sc, cpu, rip - 16, code, sizeof(code) - 1))
		return false;
	for (size_t i = 0; i + 2 < sizeof(code); i++)
		if (code[i] == 0xf3 && code[i + 1] == 0x90)
			return true;
	return false;
}

/* --- samples ----------------------------------------------------------------------------------- */

/* In the order in which the replay backend reads them; new ones go to the end. */
static json_t *regs_json(const struct guest_regs *r)
{
	const uint64_t more[] = { r->rbp, r->gs_base, r->rsi, r->rbx, r->rdx, r->r10, r->r12,
				  r->r13, r->r14, r->r15 };
	json_t *list = json_pack("[I,I,I,I,b,i]", (json_int_t)r->rip, (json_int_t)r->rsp,
				 (json_int_t)r->rdi, (json_int_t)r->rflags, r->halted,
				 (int)r->cpl);

	for (size_t i = 0; i < G_N_ELEMENTS(more); i++)
		json_array_append_new(list, json_integer(more[i]));
	return list;
}

static bool take_regs(struct scene *sc, struct guest_regs *regs, GError **error)
{
	json_t *cpus;

	if (!guest_read_regs(sc->guest, regs, scene_vcpus(sc), error))
		return false;
	cpus = json_array();
	for (unsigned i = 0; i < scene_vcpus(sc); i++)
		json_array_append_new(cpus, regs_json(&regs[i]));
	return journal_event(sc->journal, guest_now_us(sc->guest) - sc->t0_us, "registers",
			     json_pack("{s:o}", "cpus", cpus), false, error);
}

bool scene_sample(struct scene *sc, int64_t counted_us, GError **error)
{
	struct guest_regs regs[HANG_CPUS_MAX];
	struct hang_sample *s;

	if (!take_regs(sc, regs, error))
		return false;
	if (sc->n_samples == HANG_SAMPLES_MAX) {
		/* keep the first, which dates the window, and the newest */
		memmove(sc->samples + 1, sc->samples + 2,
			(HANG_SAMPLES_MAX - 2) * sizeof(sc->samples[0]));
		sc->n_samples--;
	}
	s = &sc->samples[sc->n_samples++];
	s->at_us = counted_us;
	for (unsigned i = 0; i < scene_vcpus(sc); i++)
		s->cpu[i] = (struct hang_sample_cpu){
			.rip = regs[i].rip,
			.rsp = regs[i].rsp,
			.rdi = regs[i].rdi,
			.rflags = regs[i].rflags,
			.halted = regs[i].halted,
			.cpl = regs[i].cpl,
			.symbol = symbol_name(sc, regs[i].rip),
			.pauses = !symbol_name(sc, regs[i].rip) && pauses_near(sc, i, regs[i].rip),
		};
	return true;
}

void scene_forget(struct scene *sc)
{
	sc->n_samples = 0;
}

/* --- stacks ------------------------------------------------------------------------------------ */

struct reader {
	struct scene *sc;
	unsigned cpu;
	struct unwind_env env;
};

/* Code is read in small pieces: all of its pages would fill the journal. */
static bool read_for_unwind(void *user, uint64_t addr, void *buf, size_t len)
{
	struct reader *r = user;

	if ((addr >= r->env.text_start && addr < r->env.text_end) ||
	    (addr >= UNWIND_MODULES_START && addr < UNWIND_MODULES_END))
		return read_guest(r->sc, r->cpu, addr, buf, len);
	return read_paged(r->sc, r->cpu, addr, buf, len);
}

/* Is "5.10.0-46-amd64" older than 5.12? */
static bool before_5_12(const char *release)
{
	char *end = NULL;
	uint64_t major = release ? g_ascii_strtoull(release, &end, 10) : 0;
	uint64_t minor = end && *end == '.' ? g_ascii_strtoull(end + 1, NULL, 10) : 0;

	return major && (major < 5 || (major == 5 && minor < 12));
}

static void reader_init(struct reader *r, struct scene *sc, unsigned cpu)
{
	const struct facts *f = scene_facts(sc);
	const struct elf_part *text = f ? elf_section(&f->elf, ".text") : NULL;
	const struct symbols *s = sc->symbols;

	*r = (struct reader){ .sc = sc, .cpu = cpu };
	r->env = (struct unwind_env){ .orc = f ? f->orc : NULL, .read = read_for_unwind, .user = r,
				      .sp_indirect_old = before_5_12(sc->release) };
	if (text) {
		r->env.text_start = text->addr;
		r->env.text_end = text->addr + text->len;
	} else if (s && s->n) {
		r->env.text_start = s->sym[0].addr;
		r->env.text_end = s->sym[s->n - 1].end;
	}
}

/* "f+0x1a/0x40"; "? " in front of what merely looks like a frame. */
static char *frame_text(const struct scene *sc, const struct unwind_frame *f)
{
	/* a call that never returns may be the last instruction of its function */
	const struct symbol *sym = symbol_at(sc, f->ip - (f->how != UNWIND_EXACT));
	const char *mark = f->how == UNWIND_GUESSED ? "? " : "";

	if (sym)
		return g_strdup_printf("%s%s+0x%" G_GINT64_MODIFIER "x/0x%" G_GINT64_MODIFIER "x",
				       mark, sym->name, f->ip - sym->addr, sym->end - sym->addr);
	return g_strdup_printf("%s0x%" G_GINT64_MODIFIER "x%s", mark, f->ip,
			       f->ip >= UNWIND_MODULES_START && f->ip < UNWIND_MODULES_END ?
				       " (module or BPF)" : "");
}

/* Between a frame of entry code and what it interrupted. */
static const char *context_marker(const char *name, const struct unwind_frame *next)
{
	const char *context = name ? frame_context(name) : NULL;

	if (next->user)
		return "<user>";
	return !context			     ? "<exception>" :
	       g_str_equal(context, "nmi")   ? "<nmi>" :
	       g_str_equal(context, "irq")   ? "<irq>" :
					       "<int3>";
}

struct stack {
	struct unwind_frame frame[FRAMES_MAX];
	unsigned n;
	json_t *names;	/* as the judge compares them: "f", or "?" */
	json_t *frames;	/* as people read them */
};

static void add_frame(const struct scene *sc, const struct unwind_frame *f, bool has_next,
		      struct stack *ret)
{
	const char *name = symbol_name(sc, f->ip - (f->how != UNWIND_EXACT));
	g_autofree char *text = frame_text(sc, f);

	if (json_array_size(ret->names) < STACK_NAMES_MAX)
		json_array_append_new(ret->names, json_string(name ? name : "?"));
	json_array_append_new(ret->frames, json_string(text));
	if (f->entry && has_next)
		json_array_append_new(ret->frames, json_string(context_marker(name, f + 1)));
}

static struct unwind_regs unwind_start(const struct guest_regs *r)
{
	return (struct unwind_regs){ .ip = r->rip, .sp = r->rsp, .bp = r->rbp, .bx = r->rbx,
				     .dx = r->rdx, .di = r->rdi, .r10 = r->r10, .r12 = r->r12,
				     .r13 = r->r13, .r14 = r->r14, .r15 = r->r15 };
}

static void walk_stack(struct scene *sc, unsigned cpu, const struct unwind_regs *start,
		       struct stack *ret)
{
	struct reader r;

	ret->names = json_array();
	ret->frames = json_array();
	reader_init(&r, sc, cpu);
	ret->n = unwind_stack(&r.env, start, ret->frame, FRAMES_MAX);
	for (unsigned i = 0; i < ret->n && json_array_size(ret->frames) < HANG_FRAMES_MAX - 2; i++)
		if (!ret->frame[i].user || !i)
			add_frame(sc, &ret->frame[i], i + 1 < ret->n, ret);
}

/* --- locks ------------------------------------------------------------------------------------- */

/* Waiting loops whose first argument is the lock. */
static bool waits_for_lock(const char *name)
{
	static const char *const globs[] = {
		"*queued_spin_lock_slowpath", "*queued_read_lock_slowpath",
		"*queued_write_lock_slowpath", "_raw_spin_lock*", "_raw_read_lock*",
		"_raw_write_lock*", "__ticket_spin_lock*", "ticket_spin_lock*", "do_raw_spin_lock",
		"osq_lock", "mutex_spin_on_owner", "rwsem_spin_on_owner",
	};

	for (size_t i = 0; name && i < G_N_ELEMENTS(globs); i++)
		if (!fnmatch(globs[i], name, 0))
			return true;
	return false;
}

/* struct qspinlock that is held or waited for: locked byte 0, 1 or (paravirtual) 3, pending byte 0
 * or 1, the rest is the queue's tail (include/asm-generic/qspinlock_types.h). */
static bool reads_like_lock(uint32_t word)
{
	unsigned locked = word & 0xff, pending = word >> 8 & 0xff;

	return word && pending <= 1 && (locked <= 1 || locked == 3);
}

static bool read_lock(struct scene *sc, unsigned cpu, uint64_t addr, uint32_t *ret_word)
{
	uint8_t word[4];

	if (!(addr >> 63) || addr & 3 || !read_paged(sc, cpu, addr, word, sizeof(word)))
		return false;
	*ret_word = word[0] | word[1] << 8 | word[2] << 16 | (uint32_t)word[3] << 24;
	return true;
}

struct lock {
	uint64_t addr;
	uint32_t word;
	bool guessed;
};

/*
 * RDI carries the lock into its slow path, and compilers leave it there; some move it into a register
 * that calls preserve. Where the waiting code has no name, only what reads like a lock is one.
 */
static bool find_lock(struct scene *sc, unsigned cpu, const struct unwind_regs *r, bool guess,
		      struct lock *ret)
{
	const uint64_t tries[] = { r->di, r->bx, r->bp, r->r12, r->r13, r->r14, r->r15 };
	uint32_t word;

	for (size_t i = 0; i < (guess ? 1 : G_N_ELEMENTS(tries)); i++) {
		if (!read_lock(sc, cpu, tries[i], &word) || !reads_like_lock(word))
			continue;
		*ret = (struct lock){ tries[i], word, guess };
		return true;
	}
	if (guess || !read_lock(sc, cpu, r->di, &word) || !word)
		return false;
	*ret = (struct lock){ r->di, word, false };
	return true;
}

/* A static object by its symbol; a CPU's own by its offset from that CPU's base. Caller frees. */
static char *data_name(struct scene *sc, const struct guest_regs *regs, uint64_t addr)
{
	const struct facts *f = scene_facts(sc);
	const struct kallsym *from, *to;
	const struct symbol *sym = f && f->all ? symbols_find(f->all, addr) : NULL;

	if (sym)
		return addr == sym->addr ? g_strdup(sym->name) :
					   g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", sym->name,
							   addr - sym->addr);
	from = f && f->kallsyms ? kallsyms_find(f->kallsyms, "__per_cpu_start") : NULL;
	to = f && f->kallsyms ? kallsyms_find(f->kallsyms, "__per_cpu_end") : NULL;
	for (unsigned i = 0; from && to && i < scene_vcpus(sc); i++) {
		uint64_t at = addr - regs[i].gs_base;

		if (!(regs[i].gs_base >> 63) || at < from->addr || at >= to->addr)
			continue;
		sym = symbols_find(f->all, at);
		if (sym)
			return g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x of CPU %u", sym->name,
					       at - sym->addr, i);
	}
	return NULL;
}

static json_t *describe_lock(struct scene *sc, unsigned cpu, const struct guest_regs *regs,
			     const struct unwind_frame *f, bool pauses)
{
	const char *code = symbol_name(sc, f->ip);
	g_autofree char *name = NULL;
	struct lock lock;

	if (!(code ? waits_for_lock(code) : pauses) ||
	    !find_lock(sc, cpu, &f->regs, !code, &lock))
		return json_null();
	name = data_name(sc, regs, lock.addr);
	return json_pack("{s:I, s:I, s:s?, s:b}", "addr", (json_int_t)lock.addr, "word",
			 (json_int_t)lock.word, "name", name, "guessed", lock.guessed);
}

/* The locks that each context waits for, innermost first, null where it waits for none. */
static json_t *describe_locks(struct scene *sc, unsigned cpu, const struct guest_regs *regs,
			      const struct stack *stack)
{
	bool pauses = sc->samples[sc->n_samples - 1].cpu[cpu].pauses;
	json_t *locks = json_array();

	if (regs[cpu].halted || regs[cpu].cpl)
		return locks;
	for (unsigned i = 0; i < stack->n && json_array_size(locks) < HANG_CONTEXTS_MAX; i++)
		if (!stack->frame[i].user && (!i || stack->frame[i - 1].entry))
			json_array_append_new(locks, describe_lock(sc, cpu, regs,
								   &stack->frame[i],
								   !i && pauses));
	return locks;
}

/* --- the autopsy ------------------------------------------------------------------------------- */

static json_t *describe_cpu(struct scene *sc, unsigned cpu, const struct guest_regs *regs,
			    const uint64_t *silent)
{
	const struct hang_sample_cpu *a = &sc->samples[0].cpu[cpu];
	const struct hang_sample_cpu *b = &sc->samples[sc->n_samples - 1].cpu[cpu];
	const struct guest_regs *r = &regs[cpu];
	const struct unwind_regs start = unwind_start(r);
	struct stack stack;
	json_t *locks;

	walk_stack(sc, cpu, &start, &stack);
	locks = describe_locks(sc, cpu, regs, &stack);
	return json_pack("{s:[I,I], s:[I,I], s:[b,b], s:b, s:b, s:o, s:o, s:o}", "rip",
			 (json_int_t)a->rip, (json_int_t)r->rip, "rflags", (json_int_t)a->rflags,
			 (json_int_t)r->rflags, "halted", a->halted, r->halted, "pauses",
			 a->pauses && b->pauses, "beats", !(silent[cpu / 64] >> (cpu % 64) & 1),
			 "stack", stack.names, "frames", stack.frames, "locks", locks);
}

/* --- sleepers ---------------------------------------------------------------------------------- */

static json_t *describe_task(struct scene *sc, const struct task_view *t)
{
	struct stack stack = { .names = json_array(), .frames = json_array() };

	if (t->regs.ip) {
		json_decref(stack.names);
		json_decref(stack.frames);
		walk_stack(sc, 0, &t->regs, &stack);
	}
	return json_pack("{s:s, s:i, s:i, s:o, s:o}", "comm", t->comm, "pid", t->pid, "state",
			 (int)t->state, "stack", stack.names, "frames", stack.frames);
}

/* All vCPUs idle and nobody beats: who sleeps so that nothing but its wakeup ends it? */
static void describe_tasks(struct scene *sc, json_t *event)
{
	g_autoptr(GArray) tasks = NULL;
	json_t *list = json_array();
	const char *why = NULL;
	struct reader r;
	unsigned blocked = 0;

	reader_init(&r, sc, 0);
	tasks = tasks_read(scene_facts(sc), &r.env, &why);
	for (guint i = 0; tasks && i < tasks->len; i++) {
		const struct task_view *t = &g_array_index(tasks, struct task_view, i);

		if (t->blocked && blocked++ < HANG_TASKS_MAX)
			json_array_append_new(list, describe_task(sc, t));
	}
	json_object_set_new(event, "tasks", list);
	json_object_set_new(event, "tasks_read", json_integer(tasks ? tasks->len : 0));
	json_object_set_new(event, "blocked", json_integer(blocked));
	if (!tasks)
		json_object_set_new(event, "no_tasks", json_string(why));
}

static bool all_idle(const struct scene *sc, const struct guest_regs *regs)
{
	for (unsigned i = 0; i < scene_vcpus(sc); i++)
		if (!regs[i].halted)
			return false;
	return true;
}

/* --- the event --------------------------------------------------------------------------------- */

/* The newest sample where registers cannot be read any more; it knows less. */
static void regs_of_sample(const struct scene *sc, struct guest_regs *regs)
{
	memset(regs, 0, scene_vcpus(sc) * sizeof(*regs));
	for (unsigned i = 0; i < scene_vcpus(sc); i++) {
		const struct hang_sample_cpu *s = &sc->samples[sc->n_samples - 1].cpu[i];

		regs[i] = (struct guest_regs){ .rip = s->rip, .rsp = s->rsp, .rdi = s->rdi,
					       .rflags = s->rflags, .halted = s->halted,
					       .cpl = s->cpl };
	}
}

/* How stacks were walked, and why no better. */
static json_t *describe_means(struct scene *sc)
{
	const struct facts *f = scene_facts(sc);

	return json_pack("{s:s, s:s, s:s?}", "unwinder", f && f->orc ? "orc" : "frame pointers",
			 "data_symbols", f && f->all ? "image" : "none", "why_not",
			 !f ? "the kernel's image could not be read" :
			 !f->kallsyms ? f->no_kallsyms : NULL);
}

bool scene_write(struct scene *sc, const struct scene_hang *hang, GError **error)
{
	struct guest_regs regs[HANG_CPUS_MAX];
	json_t *cpus = json_array(), *event;

	/* a stack that is read while it moves is no stack; a backend that cannot stop reads it so */
	guest_pause(sc->guest, true, NULL);
	if (!take_regs(sc, regs, NULL))
		regs_of_sample(sc, regs);
	for (unsigned i = 0; i < scene_vcpus(sc); i++)
		json_array_append_new(cpus, describe_cpu(sc, i, regs, hang->silent));
	event = json_pack("{s:i, s:I, s:I, s:o, s:o}", "rule", (int)hang->rule, "silent_us",
			  (json_int_t)hang->longest_us, "since_us",
			  (json_int_t)(hang->since_us - sc->t0_us), "means", describe_means(sc),
			  "cpus", cpus);
	if (hang->rule == HANG_D5 || all_idle(sc, regs))
		describe_tasks(sc, event);
	return journal_event(sc->journal, hang->now_us - sc->t0_us, "hang", event, true, error);
}
