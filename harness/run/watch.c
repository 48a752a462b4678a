// SPDX-License-Identifier: GPL-2.0-or-later
/* Liveness and autopsy of a session's guest. */
#include "run/watch.h"

#include "parse/wire.h"

#include <stddef.h>
#include <string.h>

/* A beat comes every 50 ms; 1 s without one is worth a look at the registers, 12 s is an answer. */
#define SUSPECT_US 1000000
#define SILENT_US 12000000
#define SAMPLE_US 200000
#define RUNS_AGAIN_US 10000	/* of vCPU time: more than an interrupt or two take */
#define JIFFIES_US 4000000	/* of silence before jiffies are looked for */
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
	scene_init(&w->scene, guest, journal, symbols, t0_us);
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
		   const struct guest_sched *sched, GError **error)
{
	json_t *fields = json_pack("{s:I, s:I, s:b}", "delay_us", (json_int_t)sched->delay_us,
				   "run_us", (json_int_t)sched->run_us, "valid", valid);

	if (sched->paused)
		json_object_set_new(fields, "paused", json_true());
	if (w->injected_us)
		json_object_set_new(fields, "injected_us", json_integer(w->injected_us));
	return journal_stream(w->journal, now_us - w->t0_us, STREAM_STATUS, page,
			      valid ? used_bytes(page) : 0, fields, error);
}

/* --- silence ---------------------------------------------------------------------------------- */

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
	const struct scene_hang hang = {
		.rule = rule,
		.now_us = now_us,
		.since_us = silent_since_us(w, now_us),
		.longest_us = w->live.longest_us,
		.silent = w->live.silent,
	};

	return scene_write(&w->scene, &hang, error);
}

void watch_heard(struct watch *w, size_t bytes)
{
	w->console_bytes += bytes;
}

bool watch_beaten_since(const struct watch *w, int64_t since_us)
{
	if (!w->status_phys)
		return true;
	for (unsigned i = 0; i < w->live.ncpus; i++)
		if (w->live.cpu[i].since_us <= since_us)
			return false;
	return w->live.ncpus > 0;
}

/* --- standstills ------------------------------------------------------------------------------ */

int64_t watch_still_us(const struct watch *w)
{
	return w->still_since_us ? guest_now_us(w->guest) - w->still_since_us : 0;
}

static void stand_still(struct watch *w, int64_t now_us, const struct guest_sched *sched)
{
	if (w->still_since_us)
		return;
	w->still_since_us = now_us;
	w->still_paused = sched->paused;
	w->still_run_us = sched->run_us;
}

static void go_on(struct watch *w, int64_t now_us)
{
	if (w->still_since_us)
		w->lost_us += now_us - w->still_since_us;
	w->still_since_us = 0;
}

/* A guest that is let go on may stay silent: what tells is that it has been given time. */
static bool may_run_again(const struct watch *w, const struct guest_sched *sched)
{
	return w->still_since_us && (w->still_paused ? !sched->paused :
				     sched->run_us - w->still_run_us > RUNS_AGAIN_US);
}

/* --- looking closer --------------------------------------------------------------------------- */

/*
 * Where jiffies_64 is, from the list of symbols or else from the image's own table. The latter takes
 * a second: only once the rules that need no jiffies have had their chance.
 */
static void find_jiffies(struct watch *w)
{
	const struct symbols *symbols = w->scene.symbols;
	const struct facts *facts;
	const struct kallsym *sym;
	const struct symbol *listed;
	size_t at = 0;

	if (w->jiffies_tried || w->live.longest_us < JIFFIES_US * patience(w))
		return;
	w->jiffies_tried = true;
	listed = symbols ? symbols_glob(symbols, "jiffies_64", &at) : NULL;
	facts = listed ? NULL : scene_facts(&w->scene);
	sym = facts && facts->kallsyms ? kallsyms_find(facts->kallsyms, "jiffies_64") : NULL;
	w->jiffies_at = listed ? listed->addr : sym ? sym->addr : 0;
}

/* A vCPU in user mode may have page tables without the kernel's data. */
static unsigned kernel_cpu(const struct hang_sample *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!s->cpu[i].cpl)
			return i;
	return 0;
}

/* Read like all memory of an autopsy: the journal tells a replay what it was. */
static bool read_jiffies(struct watch *w, unsigned cpu, uint64_t *ret)
{
	g_autofree char *text = NULL;

	if (!w->jiffies_at ||
	    !guest_read_virt(w->guest, cpu, w->jiffies_at, ret, sizeof(*ret), NULL))
		return false;
	text = g_base64_encode((const guchar *)ret, sizeof(*ret));
	return journal_event(w->journal, guest_now_us(w->guest) - w->t0_us, "memory",
			     json_pack("{s:i, s:I, s:i, s:s}", "cpu", (int)cpu, "addr",
				       (json_int_t)w->jiffies_at, "n", (int)sizeof(*ret), "bytes",
				       text),
			     false, NULL);
}

static bool take_sample(struct watch *w, int64_t now_us, const struct guest_sched *sched,
			GError **error)
{
	struct hang_sample *s;

	if (!scene_sample(&w->scene, (now_us - sched->delay_us) / patience(w), error))
		return false;
	s = &w->scene.samples[w->scene.n_samples - 1];
	s->wall_us = now_us / patience(w);
	s->run_us = sched->run_us;
	s->paused = sched->paused;
	s->talks = w->console_bytes != w->sampled_bytes;
	w->sampled_bytes = w->console_bytes;
	find_jiffies(w);
	s->jiffies_known = read_jiffies(w, kernel_cpu(s, scene_vcpus(&w->scene)), &s->jiffies);
	return true;
}

/* Of the samples, those that the rule holds in: others would show a guest that still ran. */
static void keep_window(struct watch *w, unsigned start)
{
	w->scene.n_samples -= start;
	memmove(w->scene.samples, w->scene.samples + start,
		w->scene.n_samples * sizeof(w->scene.samples[0]));
}

static bool look_closer(struct watch *w, int64_t now_us, const struct guest_sched *sched,
			bool silent, bool *ret_hang, GError **error)
{
	struct hang_window window = { .samples = w->scene.samples,
				      .ncpus = scene_vcpus(&w->scene),
				      .silent = w->live.silent,
				      .silent_us = w->live.longest_us };
	enum hang_rule rule;

	if (!take_sample(w, now_us, sched, error))
		return false;
	window.n = w->scene.n_samples;
	rule = hang_judge(&window);
	if (rule == HANG_D7) {
		stand_still(w, now_us, sched);
		scene_forget(&w->scene);	/* armed anew: the guest has had no chance */
		return true;
	}
	if (w->still_since_us || (rule == HANG_NONE && !(silent && window.n >= 2)))
		return true;
	*ret_hang = true;
	keep_window(w, rule == HANG_NONE ? 0 : hang_window_start(&window));
	return write_autopsy(w, now_us, rule, error);
}

/* What the guest's silence was taken for, whenever that changes. */
static bool tell_state(struct watch *w, enum liveness_state state, int64_t now_us, GError **error)
{
	if (state == w->state)
		return true;
	w->state = state;
	return journal_event(w->journal, now_us - w->t0_us, "liveness",
			     json_pack("{s:s, s:I}", "state", liveness_state_name(state),
				       "silent_us", (json_int_t)w->live.longest_us),
			     false, error);
}

static bool act(struct watch *w, enum liveness_state state, int64_t now_us,
		const struct guest_sched *sched, bool *ret_hang, GError **error)
{
	switch (state) {
	case LIVE_SUSPECT:
	case LIVE_SILENT:
		if (now_us < w->next_sample_us)
			return true;
		w->next_sample_us = now_us + SAMPLE_US;
		return look_closer(w, now_us, sched, state == LIVE_SILENT, ret_hang, error);
	case LIVE_PAUSED:
		stand_still(w, now_us, sched);
		scene_forget(&w->scene);
		break;
	case LIVE_OK:
		go_on(w, now_us);
		scene_forget(&w->scene);
		break;
	case LIVE_STARVED:
	case LIVE_SLOW:
		break;
	}
	return true;
}

static bool read_page(struct watch *w, int64_t now_us, struct wire_status *ret_page,
		      struct guest_sched *ret_sched, GError **error)
{
	bool valid;

	if (!guest_read_phys(w->guest, w->status_phys, ret_page, sizeof(*ret_page), error) ||
	    !guest_read_sched(w->guest, ret_sched, error))
		return false;
	valid = wire_status_valid(ret_page, w->nonce);
	if (valid)
		w->page = *ret_page;
	else
		w->invalid_pages++;
	w->paused = ret_sched->paused;
	ret_sched->delay_us += w->injected_us;	/* a vCPU that we hold is not silent */
	return record(w, now_us, ret_page, valid, ret_sched, error);
}

bool watch_poll(struct watch *w, bool *ret_hang, GError **error)
{
	int64_t now_us = guest_now_us(w->guest);
	struct wire_status page = { 0 };
	struct guest_sched sched;
	enum liveness_state state;

	*ret_hang = false;
	if (!w->status_phys || now_us < w->next_poll_us)
		return true;
	w->next_poll_us = now_us + WATCH_POLL_US;
	if (!read_page(w, now_us, &page, &sched, error))
		return false;
	if (may_run_again(w, &sched))
		go_on(w, now_us);
	state = liveness_feed(&w->live, &(struct liveness_reading){
						.at_us = now_us, .page = &page,
						.run_delay_us = sched.delay_us,
						.paused = sched.paused,
						.talks = w->console_bytes != w->polled_bytes });
	w->polled_bytes = w->console_bytes;
	return tell_state(w, state, now_us, error) &&
	       act(w, state, now_us, &sched, ret_hang, error);
}
