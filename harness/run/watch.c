// SPDX-License-Identifier: GPL-2.0-or-later
/* Liveness and autopsy of a session's guest. */
#include "run/watch.h"

#include "parse/wire.h"

#include <stddef.h>
#include <string.h>

/* A beat comes every 50 ms; 2 s without one is worth a look at the registers, 12 s is an answer. */
#define SUSPECT_US 2000000
#define SILENT_US 12000000
#define SAMPLE_US 250000
#define STACK_BYTES 8192
#define STACK_FRAMES 23
#define SEARCH_STEP (16u << 20)

/*
 * Many vCPUs on few host CPUs wait for each other's IPIs: clean 16-vCPU guests on 2 host CPUs were
 * silent for 14 s, 2 s of them counted. Limits grow with the number of vCPUs.
 */
static unsigned patience(const struct watch *w)
{
	return MAX(w->guest->smp / 8, 1);
}

void watch_init(struct watch *w, struct guest *guest, struct journal *journal,
		const struct symbols *symbols, int64_t t0_us)
{
	memset(w, 0, sizeof(*w));
	w->guest = guest;
	w->journal = journal;
	w->symbols = symbols;
	w->t0_us = t0_us;
	liveness_init(&w->live, (struct liveness_limits){
					.suspect_us = SUSPECT_US * patience(w),
					.silent_us = SILENT_US * patience(w) });
}

/* --- finding and reading the page ------------------------------------------------------------- */

static bool search_page(struct watch *w, unsigned mem_mib, uint64_t *ret, GError **error)
{
	g_autofree uint8_t *buf = g_malloc(SEARCH_STEP);
	uint64_t end = (uint64_t)MIN(mem_mib, 3072) << 20;	/* RAM below the PCI hole */

	for (uint64_t at = 0; at < end; at += SEARCH_STEP) {
		size_t len = MIN(SEARCH_STEP, end - at);

		if (!guest_read_phys(w->guest, at, buf, len, error))
			return lab_prefix(error, "searching the status page");
		for (size_t i = 0; i + WIRE_STATUS_SIZE <= len; i += WIRE_STATUS_SIZE) {
			if (wire_status_valid((const void *)(buf + i), w->nonce)) {
				*ret = at + i;
				return true;
			}
		}
	}
	return lab_fail(error, LAB_ERROR_INFRA,
			"the guest does not tell where its status page is, and its memory holds none");
}

bool watch_found(struct watch *w, uint64_t status_phys, unsigned mem_mib, GError **error)
{
	w->mem_mib = mem_mib;
	if (!status_phys && !search_page(w, mem_mib, &status_phys, error))
		return false;
	w->status_phys = status_phys;
	return true;
}

static size_t used_bytes(const struct wire_status *page)
{
	return offsetof(struct wire_status, cpu) +
	       MIN(page->ncpus, WIRE_CPUS_MAX) * sizeof(struct wire_cpu);
}

/* One reading into the journal, so that a replay judges the same numbers. */
static bool record(struct watch *w, int64_t now_us, const struct wire_status *page, bool valid,
		   int64_t delay_us, GError **error)
{
	json_t *fields = json_pack("{s:I, s:b}", "delay_us", (json_int_t)delay_us, "valid", valid);

	return journal_stream(w->journal, now_us - w->t0_us, STREAM_STATUS, page,
			      valid ? used_bytes(page) : 0, fields, error);
}

/* --- autopsy ---------------------------------------------------------------------------------- */

static const char *symbol_name(const struct watch *w, uint64_t addr)
{
	const struct symbol *sym = w->symbols ? symbols_find(w->symbols, addr) : NULL;

	return sym ? sym->name : NULL;
}

/* Guest memory as the autopsy reads it goes into the journal, so that a replay reads the same. */
static bool read_guest(struct watch *w, unsigned cpu, uint64_t addr, uint8_t *buf, size_t len)
{
	g_autofree char *text = NULL;

	if (!guest_read_virt(w->guest, cpu, addr, buf, len, NULL))
		return false;
	text = g_base64_encode(buf, len);
	return journal_event(w->journal, guest_now_us(w->guest) - w->t0_us, "memory",
			     json_pack("{s:i, s:I, s:i, s:s}", "cpu", (int)cpu, "addr",
				       (json_int_t)addr, "n", (int)len, "bytes", text),
			     false, NULL);
}

/* PAUSE is F3 90; spin loops have it within a few instructions of where a sample lands. */
static bool pauses_near(struct watch *w, unsigned cpu, uint64_t rip)
{
	uint8_t code[33] = { 0 };

	if (!read_guest(w, cpu, rip - 16, code, sizeof(code) - 1))
		return false;
	for (size_t i = 0; i + 2 < sizeof(code); i++)
		if (code[i] == 0xf3 && code[i + 1] == 0x90)
			return true;
	return false;
}

static unsigned vcpus(const struct watch *w)
{
	return MIN(w->guest->smp, HANG_CPUS_MAX);
}

static bool record_regs(struct watch *w, const struct guest_regs *regs, GError **error)
{
	json_t *cpus = json_array();

	for (unsigned i = 0; i < vcpus(w); i++)
		json_array_append_new(cpus, json_pack("[I,I,I,I,b,i]", (json_int_t)regs[i].rip,
						      (json_int_t)regs[i].rsp,
						      (json_int_t)regs[i].rdi,
						      (json_int_t)regs[i].rflags, regs[i].halted,
						      (int)regs[i].cpl));
	return journal_event(w->journal, guest_now_us(w->guest) - w->t0_us, "registers",
			     json_pack("{s:o}", "cpus", cpus), false, error);
}

static bool take_sample(struct watch *w, int64_t counted_us, GError **error)
{
	struct guest_regs regs[HANG_CPUS_MAX];
	struct hang_sample *s;

	if (!guest_read_regs(w->guest, regs, vcpus(w), error) || !record_regs(w, regs, error))
		return false;
	if (w->n_samples == HANG_SAMPLES_MAX) {
		/* keep the first, which dates the window, and the newest */
		memmove(w->samples + 1, w->samples + 2,
			(HANG_SAMPLES_MAX - 2) * sizeof(w->samples[0]));
		w->n_samples--;
	}
	s = &w->samples[w->n_samples++];
	s->at_us = counted_us;
	for (unsigned i = 0; i < vcpus(w); i++)
		s->cpu[i] = (struct hang_sample_cpu){
			.rip = regs[i].rip,
			.rsp = regs[i].rsp,
			.rdi = regs[i].rdi,
			.rflags = regs[i].rflags,
			.halted = regs[i].halted,
			.cpl = regs[i].cpl,
			.symbol = symbol_name(w, regs[i].rip),
			.pauses = !symbol_name(w, regs[i].rip) && pauses_near(w, i, regs[i].rip),
		};
	return true;
}

/* A return address has a call before it: E8 rel32, FF /2 with its addressing forms. */
static bool follows_call(struct watch *w, unsigned cpu, uint64_t addr)
{
	uint8_t code[7];

	if (!read_guest(w, cpu, addr - sizeof(code), code, sizeof(code)))
		return false;
	return code[2] == 0xe8 || (code[5] == 0xff && (code[6] & 0x38) == 0x10) ||
	       (code[4] == 0xff && (code[5] & 0x38) == 0x10) ||
	       (code[1] == 0xff && (code[2] & 0x38) == 0x10);
}

static json_t *walk_stack(struct watch *w, unsigned cpu, uint64_t rip, uint64_t rsp)
{
	json_t *frames = json_array();
	const char *name = symbol_name(w, rip);
	uint64_t word;
	/* never cross the page: the next one may be a guard page, and then QEMU reads nothing */
	size_t len = MIN(STACK_BYTES, 4096 - rsp % 4096 + 4096);
	g_autofree uint8_t *stack = g_malloc(len);

	json_array_append_new(frames, json_string(name ? name : "?"));
	if (!w->symbols || !read_guest(w, cpu, rsp, stack, len)) {
		len = 4096 - rsp % 4096;
		if (!w->symbols || !read_guest(w, cpu, rsp, stack, len))
			return frames;
	}
	for (size_t i = 0; i + 8 <= len && json_array_size(frames) < STACK_FRAMES; i += 8) {
		memcpy(&word, stack + i, 8);
		name = word >> 63 ? symbol_name(w, word) : NULL;
		if (name && follows_call(w, cpu, word))
			json_array_append_new(frames, json_string(name));
	}
	return frames;
}

static json_t *describe_cpu(struct watch *w, unsigned cpu)
{
	const struct hang_sample_cpu *a = &w->samples[0].cpu[cpu];
	const struct hang_sample_cpu *b = &w->samples[w->n_samples - 1].cpu[cpu];
	bool silent = w->live.silent[cpu / 64] >> (cpu % 64) & 1;

	return json_pack("{s:[I,I], s:[I,I], s:[b,b], s:b, s:b, s:o}", "rip", (json_int_t)a->rip,
			 (json_int_t)b->rip, "rflags", (json_int_t)a->rflags, (json_int_t)b->rflags,
			 "halted", a->halted, b->halted, "pauses", a->pauses && b->pauses, "beats",
			 !silent, "stack", walk_stack(w, cpu, b->rip, b->rsp));
}

/* When the first of the silent CPUs was last heard: the failure is that old. */
static int64_t silent_since_us(const struct watch *w, int64_t now_us)
{
	int64_t since_us = now_us;

	for (unsigned i = 0; i < w->live.ncpus; i++)
		if (w->live.silent[i / 64] >> (i % 64) & 1)
			since_us = MIN(since_us, w->live.cpu[i].since_us);
	return since_us;
}

static bool write_autopsy(struct watch *w, int64_t now_us, enum hang_rule rule, GError **error)
{
	json_t *cpus = json_array();

	for (unsigned i = 0; i < vcpus(w); i++)
		json_array_append_new(cpus, describe_cpu(w, i));
	return journal_event(w->journal, now_us - w->t0_us, "hang",
			     json_pack("{s:i, s:I, s:I, s:o}", "rule", (int)rule, "silent_us",
				       (json_int_t)w->live.longest_us, "since_us",
				       (json_int_t)(silent_since_us(w, now_us) - w->t0_us), "cpus",
				       cpus),
			     true, error);
}

static bool look_closer(struct watch *w, int64_t now_us, int64_t counted_us, bool silent,
			bool *ret_hang, GError **error)
{
	enum hang_rule rule;

	if (!take_sample(w, counted_us, error))
		return false;
	rule = hang_judge(w->samples, w->n_samples, vcpus(w), w->live.silent);
	if (rule == HANG_NONE && !(silent && w->n_samples >= 2))
		return true;
	*ret_hang = true;
	return write_autopsy(w, now_us, rule, error);
}

bool watch_poll(struct watch *w, bool *ret_hang, GError **error)
{
	int64_t now_us = guest_now_us(w->guest);
	struct wire_status page = { 0 };
	struct guest_sched sched;
	enum liveness_state state;
	bool valid;

	*ret_hang = false;
	if (!w->status_phys || now_us < w->next_poll_us)
		return true;
	w->next_poll_us = now_us + WATCH_POLL_US;
	if (!guest_read_phys(w->guest, w->status_phys, &page, sizeof(page), error) ||
	    !guest_read_sched(w->guest, &sched, error))
		return false;
	valid = wire_status_valid(&page, w->nonce);
	if (valid)
		w->page = page;
	else
		w->invalid_pages++;
	if (!record(w, now_us, &page, valid, sched.delay_us, error))
		return false;
	state = liveness_feed(&w->live, now_us, &page, sched.delay_us);
	if (state == LIVE_SUSPECT || state == LIVE_SILENT) {
		if (now_us < w->next_sample_us)
			return true;
		w->next_sample_us = now_us + SAMPLE_US;
		return look_closer(w, now_us, (now_us - sched.delay_us) / patience(w),
				   state == LIVE_SILENT, ret_hang, error);
	}
	if (state == LIVE_OK)
		w->n_samples = 0;
	return true;
}
