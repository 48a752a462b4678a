// SPDX-License-Identifier: GPL-2.0-or-later
/* The amplifier of one job. See amplifier.h; nothing that is read from the page is believed. */
#include "run/amplifier.h"

#include "amplify/plan.h"
#include "amplify/plugin_path.h"
#include "amplify/tuner.h"
#include "base/fs.h"
#include "run/delay_log.h"
#include "run/jitter_host.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POLL_US 100000
#define PROFILE_US (1 * G_USEC_PER_SEC)
#define OWN_FIRST_US (2 * G_USEC_PER_SEC)	/* what a probe's author knows has its chance before */
#define APPLY_LIMIT_US (10 * G_USEC_PER_SEC)	/* for the plugin to take new orders over */
#define DUTY_OWN 12	/* percent of a vCPU's time for the probe's own sites once some are learned */
#define DUTY_LEARNED (AMP_DUTY_MAX - DUTY_OWN)

enum phase {
	PHASE_IDLE,	/* not armed */
	PHASE_PLAN,	/* the sites that were set up, to the end */
	PHASE_OWN,	/* the same, before a profile is taken */
	PHASE_PROFILE,	/* the same, and a look for candidates */
	PHASE_HARVEST,	/* waiting for the candidates */
	PHASE_ADOPT,	/* waiting for the learned sites to be applied */
	PHASE_TUNE,
	PHASE_OVER,
};

struct amplifier {
	enum amplify_level level;	/* as it is carried out */
	bool as_asked;
	bool profile_only;		/* auto, without any symbol that the probe names */
	uint64_t seed;
	unsigned smp;
	char *plugin;			/* "PATH,page=FD", or NULL */
	int fd;
	struct amp_page *page;		/* NULL without a plugin */
	struct plan_sites own;
	const struct symbols *symbols;
	const char *const *globs;	/* of the probe's own functions, or NULL */
	char *why_not;			/* to be told, or told; NULL: it works */
	bool why_told;
	struct journal *journal;
	struct guest *guest;
	int64_t t0_us, next_us, phase_us;
	enum phase phase;
	bool held;
	struct amp_site learned[TUNER_SITES_MAX];
	unsigned n_learned, n_candidates;
	struct tuner *tuner;
	int64_t next_moment_us;
	struct delay_log log;
	uint64_t slept_us[AMP_VCPUS_MAX];
	int64_t polled_us, injected_us;
	struct jitter_host *jitter;
	char *cannot;
};

void amplifier_free(struct amplifier *a)
{
	if (!a)
		return;
	jitter_host_stop(a->jitter);
	tuner_free(a->tuner);
	plan_sites_clear(&a->own);
	if (a->page)
		munmap(a->page, sizeof(*a->page));
	lab_fd_close(&a->fd);
	g_free(a->plugin);
	g_free(a->why_not);
	g_free(a->cannot);
	g_free(a);
}

/* --- setting up ------------------------------------------------------------------------------ */

static void refuse(struct amplifier *a, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static void refuse(struct amplifier *a, const char *fmt, ...)
{
	va_list ap;

	if (a->why_not)
		return;
	va_start(ap, fmt);
	a->why_not = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	a->as_asked = false;
}

/* A file that neither side can make smaller under the other's feet. */
static bool make_page(struct amplifier *a, GError **error)
{
	a->fd = memfd_create("klab-amplifier", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (a->fd < 0 || ftruncate(a->fd, sizeof(*a->page)) < 0 ||
	    fcntl(a->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return lab_fail_errno(error, "the amplifier's page");
	a->page = mmap(NULL, sizeof(*a->page), PROT_READ | PROT_WRITE, MAP_SHARED, a->fd, 0);
	if (a->page == MAP_FAILED) {
		a->page = NULL;
		return lab_fail_errno(error, "the amplifier's page");
	}
	return true;
}

static uint64_t address_of(const struct symbols *symbols, const char *name)
{
	size_t at = 0;
	const struct symbol *sym = symbols_glob(symbols, name, &at);

	return sym ? sym->addr : 0;
}

/* A function that every CPU enters at each tick that it takes while busy, by old names and new. */
static uint64_t tick_of(const struct symbols *symbols)
{
	return address_of(symbols, "update_process_times") ?: address_of(symbols, "scheduler_tick");
}

static void write_sites(struct amplifier *a, const struct amp_site *learned, unsigned n_learned)
{
	struct amp_page *page = a->page;
	unsigned n = MIN(n_learned, AMP_SITES_MAX - a->own.n);

	memcpy(page->site, a->own.site, a->own.n * sizeof(page->site[0]));
	memcpy(page->site + a->own.n, learned, n * sizeof(page->site[0]));
	page->n_sites = a->own.n + n;
	page->duty_percent[0] = n ? a->own.n ? DUTY_OWN : 0 : AMP_DUTY_MAX;
	page->duty_percent[1] = AMP_DUTY_MAX - page->duty_percent[0];
}

static void raise_wanted(struct amplifier *a)
{
	__atomic_store_n(&a->page->wanted, a->page->wanted + 1, __ATOMIC_RELEASE);
}

static void fill_page(struct amplifier *a)
{
	struct amp_page *page = a->page;

	page->magic = AMP_MAGIC;
	page->size = sizeof(*page);
	page->seed = a->seed;
	page->tick = a->level == AMPLIFY_AUTO ? tick_of(a->symbols) : 0;
	page->text_lo = address_of(a->symbols, "_stext") ?: address_of(a->symbols, "_text");
	page->text_hi = address_of(a->symbols, "_etext");
	write_sites(a, NULL, 0);
	raise_wanted(a);
}

static bool set_up_plugin(struct amplifier *a, GError **error)
{
	g_autofree char *path = amplify_plugin_path(error);

	if (!path || !make_page(a, error))
		return false;
	fill_page(a);
	a->plugin = g_strdup_printf("%s,page=%d", path, a->fd);
	return true;
}

static struct plan *plan_of(const struct job *job, GError **error)
{
	struct plan *plan = NULL;

	if (job->amplify != AMPLIFY_PLAN)
		return plan_of_level(job->amplify, (const char *const *)job->amplify_globs);
	return plan_parse(job->amplify_plan, strlen(job->amplify_plan), &plan, error) ? plan : NULL;
}

static bool needs_plugin(enum amplify_level level)
{
	return level != AMPLIFY_OFF && level != AMPLIFY_HOST;
}

/*
 * Where the kernel has none of the probe's symbols (it calls them otherwise) the profile is all there
 * is: worth having, but no rate is of runs like that.
 */
static bool bind(struct amplifier *a, const struct job *job, GError **error)
{
	g_autoptr(plan) plan = plan_of(job, error);
	bool names_some = a->globs && *a->globs;

	if (!plan)
		return false;
	if (plan->has_seed)
		a->seed = plan->seed;
	plan_bind(plan, a->symbols, &a->own);
	if (!a->symbols)
		refuse(a, "the kernel has no list of symbols");
	else if (!a->own.n && a->level == AMPLIFY_PLAN)
		refuse(a, "the kernel has none of the plan's symbols: %s", a->own.missing ?: "");
	else if (!a->own.n && a->level == AMPLIFY_LIGHT)
		refuse(a, names_some ? "the kernel has none of the probe's symbols" :
				       "the probe names no symbols to delay at");
	a->profile_only = !a->own.n && a->level == AMPLIFY_AUTO && names_some;
	a->as_asked &= !a->profile_only;
	return true;
}

bool amplifier_new(const struct job *job, const struct symbols *symbols, struct amplifier **ret,
		   GError **error)
{
	g_autoptr(amplifier) a = g_new0(struct amplifier, 1);

	a->fd = -1;
	a->level = job->amplify;
	a->as_asked = true;
	a->seed = job->seed;
	a->smp = job->smp;
	a->symbols = symbols;
	a->globs = (const char *const *)job->amplify_globs;
	/* The plugin instruments translated code, and only TCG translates. */
	if (needs_plugin(a->level) && strcmp(job->accel, "tcg") != 0) {
		a->as_asked = false;
		if (a->level == AMPLIFY_AUTO)
			a->level = AMPLIFY_HOST;
		else
			refuse(a, "delays by symbol need TCG, and this runs under %s", job->accel);
	}
	if (needs_plugin(a->level) && !a->why_not &&
	    (!bind(a, job, error) || (!a->why_not && !set_up_plugin(a, error))))
		return false;
	*ret = g_steal_pointer(&a);
	return true;
}

bool amplifier_as_asked(const struct amplifier *a)
{
	return !a || a->as_asked;
}

/* --- words for the journal --------------------------------------------------------------------- */

static int64_t at_us(const struct amplifier *a)
{
	return a->guest ? guest_now_us(a->guest) - a->t0_us : 0;
}

static bool note(struct amplifier *a, const char *ev, json_t *fields, GError **error)
{
	return journal_event(a->journal, at_us(a), ev, fields, false, error);
}

static bool tell_refusal(struct amplifier *a, GError **error)
{
	if (!a->why_not || a->why_told || !a->journal)
		return true;
	a->why_told = true;
	return note(a, "unamplified", json_pack("{s:s}", "why", a->why_not), error);
}

bool amplifier_open(struct amplifier *a, struct journal *journal, GError **error)
{
	if (!a || a->level == AMPLIFY_OFF)
		return true;
	a->journal = journal;
	if (!a->why_not &&
	    !note(a, "amplify", json_pack("{s:s, s:i, s:s*, s:s*, s:i}", "level",
					  a->profile_only ? AMPLIFIER_PROFILE :
							    amplify_level_name(a->level),
					  "sites", (int)a->own.n,
					  "names", a->own.names, "missing",
					  a->level == AMPLIFY_PLAN ? a->own.missing : NULL,
					  "dropped", (int)a->own.dropped), error))
		return false;
	return tell_refusal(a, error);
}

void amplifier_spec(const struct amplifier *a, struct guest_spec *spec)
{
	if (!a || !a->plugin || a->why_not)
		return;
	spec->plugin = a->plugin;
	spec->plugin_fd = a->fd;
}

bool amplifier_give_up(struct amplifier *a, const char *why)
{
	if (!a || !a->plugin || a->why_not)
		return false;
	refuse(a, "the engine does not take the plugin: %s", why);
	return tell_refusal(a, NULL);
}

/* --- arming ------------------------------------------------------------------------------------- */

static bool works(const struct amplifier *a)
{
	return a && a->level != AMPLIFY_OFF && !a->why_not;
}

static void enter(struct amplifier *a, enum phase phase)
{
	a->phase = phase;
	a->phase_us = guest_now_us(a->guest);
}

static void set_armed(struct amplifier *a, bool armed)
{
	__atomic_store_n(&a->page->armed, armed, __ATOMIC_RELEASE);
}

/* What the plugin says of itself: it was written by a process that the guest may have taken over. */
static void check_plugin(struct amplifier *a)
{
	char words[AMP_TROUBLE_MAX];

	memcpy(words, a->page->trouble, sizeof(words));
	words[sizeof(words) - 1] = '\0';
	for (char *at = words; *at; at++)
		if (!g_ascii_isprint(*at))
			*at = '?';
	if (*words)
		refuse(a, "the plugin: %s", words);
	else if (!a->page->api_cur)
		refuse(a, "the engine did not run the plugin");
}

static void arm_host(struct amplifier *a)
{
	pid_t tid[AMP_VCPUS_MAX];
	unsigned n = guest_threads(a->guest, tid, MIN(a->smp, G_N_ELEMENTS(tid)));
	g_autoptr(GError) why = NULL;

	if (!n)
		refuse(a, "the engine's threads are not on this host");
	else if (!jitter_host_start(tid, n, a->seed, &a->jitter, &a->cannot, &why))
		refuse(a, "%s", why->message);
	enter(a, PHASE_PLAN);
}

static void arm_plugin(struct amplifier *a)
{
	bool profile = a->level == AMPLIFY_AUTO && a->page->text_hi > a->page->text_lo;

	check_plugin(a);
	if (a->why_not)
		return;
	set_armed(a, true);
	enter(a, profile ? PHASE_OWN : PHASE_PLAN);
}

void amplifier_arm(struct amplifier *a, struct guest *guest, int64_t t0_us)
{
	if (!works(a))
		return;
	a->guest = guest;
	a->t0_us = t0_us;
	a->polled_us = guest_now_us(guest);
	a->log = (struct delay_log){ .page = a->page, .symbols = a->symbols, .t0_us = t0_us };
	if (a->level == AMPLIFY_HOST)
		arm_host(a);
	else
		arm_plugin(a);
	tell_refusal(a, NULL);
}

void amplifier_hold(struct amplifier *a, bool hold)
{
	if (!works(a) || a->held == hold || a->phase == PHASE_IDLE || a->phase == PHASE_OVER)
		return;
	a->held = hold;
	if (a->jitter)
		jitter_host_rest(a->jitter, hold);
	else
		set_armed(a, !hold);
}

/* --- time that was taken ------------------------------------------------------------------------ */

/* Between two polls no vCPU can have slept for longer than its duty and a delay under way allow. */
static void count_injected(struct amplifier *a, int64_t now_us)
{
	int64_t wall_us = now_us - a->polled_us, most_us = 0;
	int64_t bound_us = wall_us * AMP_DUTY_MAX / 100 + 50000 + AMP_DELAY_MAX_US;

	for (unsigned i = 0; i < MIN(a->smp, AMP_VCPUS_MAX); i++) {
		uint64_t slept_us = a->page->vcpu[i].slept_us;

		if (slept_us > a->slept_us[i])
			most_us = MAX(most_us, (int64_t)MIN(slept_us - a->slept_us[i],
							    (uint64_t)bound_us));
		a->slept_us[i] = slept_us;
	}
	a->injected_us += MIN(most_us, wall_us);
	a->polled_us = now_us;
}

int64_t amplifier_injected_us(const struct amplifier *a)
{
	struct jitter_totals totals;

	if (!a || !a->jitter)
		return a ? a->injected_us : 0;
	jitter_host_read(a->jitter, &totals);
	return MAX(a->injected_us, totals.stopped_us);
}

/* --- profile and tuning ------------------------------------------------------------------------- */

static bool is_applied(const struct amplifier *a)
{
	return __atomic_load_n(&a->page->applied, __ATOMIC_ACQUIRE) == a->page->wanted;
}

static void begin_profile(struct amplifier *a)
{
	a->page->profile = 1;
	raise_wanted(a);
	enter(a, PHASE_PROFILE);
}

static void end_profile(struct amplifier *a)
{
	a->page->profile = 0;
	raise_wanted(a);
	enter(a, PHASE_HARVEST);
}

/* In a function that the probe names? Its own sites are in those functions' heads alone. */
static bool is_own(const struct amplifier *a, const struct amp_candidate *c)
{
	const struct symbol *sym = symbols_find(a->symbols, c->pc);

	for (const char *const *glob = a->globs; sym && glob && *glob; glob++)
		if (fnmatch(*glob, sym->name, 0) == 0)
			return true;
	return false;
}

/* Those of the probe's own functions come first, so that none of them is missed. */
static unsigned learn_sites(const struct amplifier *a, struct amp_candidate *found, unsigned n,
			    struct amp_site *ret)
{
	unsigned own = 0, max = MIN(TUNER_SITES_MAX, AMP_SITES_MAX - a->own.n), taken;

	for (unsigned i = 0; i < n; i++) {
		struct amp_candidate c = found[i];

		if (!is_own(a, &c))
			continue;
		found[i] = found[own];
		found[own++] = c;
	}
	taken = tuner_sites(found, own, ret, max / 2);
	return taken + tuner_sites(found + own, n - own, ret + taken, max - taken);
}

static bool adopt(struct amplifier *a, GError **error)
{
	g_autofree struct amp_candidate *found = NULL;

	a->n_candidates = MIN(__atomic_load_n(&a->page->n_candidates, __ATOMIC_ACQUIRE),
			      AMP_CANDIDATES_MAX);
	found = g_memdup2(a->page->candidate, a->n_candidates * sizeof(*found));
	a->n_learned = learn_sites(a, found, a->n_candidates, a->learned);
	if (!note(a, "profile",
		  json_pack("{s:i, s:i, s:I, s:I}", "candidates", (int)a->n_candidates, "learned",
			    (int)a->n_learned, "granules", (json_int_t)a->page->granules_shared,
			    "accesses", (json_int_t)a->page->accesses), error))
		return false;
	if (!a->n_learned) {
		enter(a, PHASE_PLAN);
		return true;
	}
	a->tuner = tuner_new(a->n_learned, a->seed);
	tuner_step(a->tuner, a->learned);
	write_sites(a, a->learned, a->n_learned);
	raise_wanted(a);
	enter(a, PHASE_ADOPT);
	return true;
}

static void read_counters(struct amplifier *a)
{
	const struct amp_site *shared = a->page->site + a->own.n;

	for (unsigned i = 0; i < a->n_learned; i++) {
		a->learned[i].delays = shared[i].delays;
		a->learned[i].conflicts = shared[i].conflicts;
	}
}

static void tune(struct amplifier *a, int64_t now_us)
{
	struct amp_site *shared = a->page->site + a->own.n;

	if (now_us < a->next_moment_us)
		return;
	a->next_moment_us = now_us + TUNER_MOMENT_US;
	read_counters(a);
	tuner_step(a->tuner, a->learned);
	for (unsigned i = 0; i < a->n_learned; i++) {
		__atomic_store_n(&shared[i].us_lo, a->learned[i].us_lo, __ATOMIC_RELAXED);
		__atomic_store_n(&shared[i].us_hi, a->learned[i].us_hi, __ATOMIC_RELAXED);
		__atomic_store_n(&shared[i].every, a->learned[i].every, __ATOMIC_RELAXED);
	}
}

static bool step(struct amplifier *a, int64_t now_us, GError **error)
{
	switch (a->phase) {
	case PHASE_OWN:
		if (!a->own.n || now_us - a->phase_us >= OWN_FIRST_US)
			begin_profile(a);
		return true;
	case PHASE_PROFILE:
		if (now_us - a->phase_us >= PROFILE_US && is_applied(a))
			end_profile(a);
		break;
	case PHASE_HARVEST:
		if (is_applied(a))
			return adopt(a, error);
		break;
	case PHASE_ADOPT:
		if (is_applied(a)) {
			a->next_moment_us = now_us + TUNER_MOMENT_US;
			enter(a, PHASE_TUNE);
		}
		break;
	case PHASE_TUNE:
		tune(a, now_us);
		return true;
	default:
		return true;
	}
	if (now_us - a->phase_us > PROFILE_US + APPLY_LIMIT_US)
		enter(a, PHASE_PLAN);	/* it takes no orders: what it has goes on */
	return true;
}

bool amplifier_poll(struct amplifier *a, GError **error)
{
	int64_t now_us;

	if (!works(a) || !a->page || a->phase == PHASE_IDLE || a->phase == PHASE_OVER)
		return true;
	now_us = guest_now_us(a->guest);
	if (now_us < a->next_us)
		return true;
	a->next_us = now_us + POLL_US;
	count_injected(a, now_us);
	check_plugin(a);
	return delay_log_drain(&a->log, a->journal, at_us(a), error) && tell_refusal(a, error) &&
	       step(a, now_us, error);
}

/* --- the end ------------------------------------------------------------------------------------ */

/* The best of what was learned goes behind the probe's own sites. */
static unsigned frozen_sites(struct amplifier *a, struct amp_site *ret)
{
	unsigned order[TUNER_SITES_MAX], n = a->own.n;

	memcpy(ret, a->own.site, n * sizeof(*ret));
	if (!a->tuner)
		return n;
	tuner_freeze(a->tuner, a->learned, order);
	for (unsigned i = 0; i < a->n_learned && n < AMP_SITES_MAX; i++)
		if (a->learned[order[i]].every)
			ret[n++] = a->learned[order[i]];
	return n;
}

static bool write_plan(struct amplifier *a, const char *dir, GError **error)
{
	g_autofree struct amp_site *sites = g_new0(struct amp_site, AMP_SITES_MAX);
	g_autofree char *path = g_build_filename(dir, AMPLIFIER_PLAN, NULL);
	g_autofree char *cell = g_path_get_basename(dir), *up = g_path_get_dirname(dir);
	g_autofree char *name = g_path_get_basename(up);
	g_autofree char *last = delay_log_last(&a->log);
	g_autofree char *comment = g_strdup_printf(
		"What was delayed when %s ended. Replay: klab run --amplify=@FILE, klab again.\n%s",
		name, last);
	unsigned n = frozen_sites(a, sites);
	g_autofree char *text = plan_text(sites, n, a->symbols, a->seed, comment);

	return fs_write(path, text, strlen(text), error) &&
	       note(a, "plan", json_pack("{s:s, s:i}", "file", AMPLIFIER_PLAN, "sites", (int)n),
		    error);
}

static uint64_t count_delays(const struct amplifier *a)
{
	uint64_t delays = 0;

	for (unsigned i = 0; i < AMP_VCPUS_MAX; i++)
		delays += a->page->vcpu[i].delays;
	return delays;
}

static bool tell_plugin(struct amplifier *a, GError **error)
{
	uint64_t delays = count_delays(a), slept_us = 0, conflicts = 0;

	for (unsigned i = 0; i < AMP_VCPUS_MAX; i++)
		slept_us += a->page->vcpu[i].slept_us;
	for (unsigned i = 0; i < MIN(a->page->n_sites, AMP_SITES_MAX); i++)
		conflicts += a->page->site[i].conflicts;
	return note(a, "amplified",
		    json_pack("{s:I, s:I, s:I, s:I}", "delays", (json_int_t)(delays & G_MAXINT64),
			      "slept_ms", (json_int_t)(slept_us / 1000), "conflicts",
			      (json_int_t)(conflicts & G_MAXINT64), "lost", (json_int_t)a->log.lost),
		    error);
}

static bool tell_host(struct amplifier *a, GError **error)
{
	struct jitter_totals t;

	jitter_host_read(a->jitter, &t);
	a->injected_us = MAX(a->injected_us, t.stopped_us);
	g_clear_pointer(&a->jitter, jitter_host_stop);
	return note(a, "amplified",
		    json_pack("{s:I, s:I, s:I, s:I, s:s*}", "stops",
			      (json_int_t)t.actions[JITTER_STOP], "squeezes",
			      (json_int_t)t.actions[JITTER_SQUEEZE], "idles",
			      (json_int_t)t.actions[JITTER_IDLE], "stopped_ms",
			      (json_int_t)(t.stopped_us / 1000), "cannot", a->cannot), error);
}

bool amplifier_close(struct amplifier *a, const char *dir, GError **error)
{
	if (!works(a) || a->phase == PHASE_IDLE || a->phase == PHASE_OVER)
		return true;
	a->phase = PHASE_OVER;
	if (a->jitter)
		return tell_host(a, error);
	if (!a->page)
		return true;
	set_armed(a, false);
	count_injected(a, guest_now_us(a->guest));
	if (!count_delays(a)) {
		refuse(a, "no delay was made: no vCPU came by the sites while the probe ran");
		return tell_refusal(a, error);
	}
	return delay_log_drain(&a->log, a->journal, at_us(a), error) &&
	       write_plan(a, dir, error) && tell_plugin(a, error);
}
