// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a plan: a plan or a message; what is bound and written as text is a plan again, and
 * binds to the same sites. */
#include "amplify/plan.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char list[] = "ffffffff81000000 _text\n"
			   "ffffffff81000000 _stext\n"
			   "ffffffff81000100 f\n"
			   "ffffffff81000101 g\n"
			   "ffffffff81000200 f.isra.0\n"
			   "ffffffff81000300 twice\n"
			   "ffffffff81000400 poke_int3_handler\n"
			   "ffffffff81000600 twice\n"
			   "ffffffff81000800 odd,name\n";

static void check_sites(const struct plan_sites *s)
{
	g_assert(s->n <= AMP_SITES_MAX);
	for (unsigned i = 0; i < s->n; i++) {
		const struct amp_site *site = &s->site[i];

		g_assert(site->lo < site->hi && site->lo >> 63 && site->every);
		g_assert(site->us_lo && site->us_lo <= site->us_hi &&
			 site->us_hi <= AMP_DELAY_MAX_US);
		g_assert(site->at <= AMP_ACCESS && site->vcpu < AMP_VCPUS_MAX && !site->group);
	}
}

/* A name that is there twice gives more sites the second time; a site is never lost. */
static bool has_site(const struct plan_sites *s, const struct amp_site *site)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!memcmp(&s->site[i], site, sizeof(*site)))
			return true;
	return false;
}

static void go_round(const struct plan *p)
{
	g_autoptr(symbols) symbols = symbols_parse(list, strlen(list));
	g_autofree struct plan_sites *sites = g_new0(struct plan_sites, 1);
	g_autofree struct plan_sites *again = g_new0(struct plan_sites, 1);
	g_autofree char *text = NULL;
	g_autoptr(plan) back = NULL;
	g_autoptr(GError) error = NULL;

	plan_bind(p, symbols, sites);
	check_sites(sites);
	text = plan_text(sites->site, sites->n, symbols, p->seed, "a\nb");
	if (plan_parse(text, strlen(text), &back, &error)) {
		g_assert(back->has_seed && back->seed == p->seed);
		plan_bind(back, symbols, again);
		for (unsigned i = 0; i < sites->n && !sites->dropped && !again->dropped; i++) {
			const struct symbol *sym = symbols_find(symbols, sites->site[i].lo);

			g_assert(strchr(sym->name, ',') || strcmp(sym->name, "twice") == 0 ||
				 has_site(again, &sites->site[i]));
		}
		plan_sites_clear(again);
	} else {
		g_assert(strstr(error->message, "without a site"));
	}
	plan_sites_clear(sites);
}

static void try_word(const char *word)
{
	g_autoptr(GError) error = NULL;
	struct amplify a;

	if (amplify_parse(word, &a, &error))
		amplify_clear(&a);
	else
		g_assert(*error->message && g_utf8_validate(error->message, -1, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *word = g_strndup((const char *)data, size);
	g_autofree char *seedless = plan_without_seed(word);
	g_autoptr(GError) error = NULL;
	g_autoptr(plan) p = NULL, other = NULL;

	try_word(word);
	if (!plan_parse((const char *)data, size, &p, &error)) {
		g_assert(*error->message);
		return 0;
	}
	go_round(p);
	if (plan_parse(seedless, strlen(seedless), &other, NULL))
		g_assert(!other->has_seed && other->lines->len == p->lines->len);
	else
		g_assert(strlen(seedless) > PLAN_TEXT_MAX);
	return 0;
}
