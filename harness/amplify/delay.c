// SPDX-License-Identifier: GPL-2.0-or-later
/* Delay plans: see amplify/plugin_delay.c for what the numbers do. */
#include "amplify/delay.h"

#include "base/embed.h"
#include "base/fs.h"

#include <string.h>

static const struct {
	const char *name, *args;
} levels[] = {
	/* 300 us on 1 in 256 showed a race within 0.1 s that plain runs missed for 2 x 55 s */
	[DELAY_OFF] = { "off", "" },
	[DELAY_LIGHT] = { "light", "every=1024,us=50-300" },
	[DELAY_AUTO] = { "auto", "every=256,us=100-600" },
};

bool delay_level_parse(const char *word, enum delay_level *ret)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(levels); i++) {
		if (strcmp(levels[i].name, word) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

const char *delay_level_name(enum delay_level level)
{
	return levels[level].name;
}

void delay_plan_clear(struct delay_plan *plan)
{
	g_clear_pointer(&plan->sites, g_free);
	g_clear_pointer(&plan->names, g_free);
	plan->n_sites = 0;
}

static void add_site(struct delay_plan *plan, const struct symbol *sym, GString *sites,
		     GString *names)
{
	uint64_t end = MIN(sym->end, sym->addr + DELAY_SITE_BYTES);

	if (plan->n_sites >= DELAY_SITES_MAX || end <= sym->addr)
		return;
	g_string_append_printf(sites, "%ssite=%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x",
			       plan->n_sites ? "," : "", sym->addr, end);
	g_string_append_printf(names, "%s%s", plan->n_sites ? " " : "", sym->name);
	plan->n_sites++;
}

void delay_plan_make(enum delay_level level, const char *const *globs, const struct symbols *symbols,
		     struct delay_plan *ret)
{
	GString *sites = g_string_new(NULL), *names = g_string_new(NULL);
	struct delay_plan plan = { .level = level };

	for (; level != DELAY_OFF && symbols && globs && *globs; globs++) {
		const struct symbol *sym;
		size_t at = 0;

		while ((sym = symbols_glob(symbols, *globs, &at)))
			add_site(&plan, sym, sites, names);
	}
	plan.sites = g_string_free(sites, plan.n_sites == 0);
	plan.names = g_string_free(names, plan.n_sites == 0);
	*ret = plan;
}

char *delay_plan_args(const struct delay_plan *plan, const char *plugin, uint64_t seed)
{
	if (!plan->n_sites)
		return NULL;
	return g_strdup_printf("%s,%s,seed=%" G_GUINT64_FORMAT ",%s", plugin,
			       levels[plan->level].args, seed, plan->sites);
}

char *delay_plugin_path(GError **error)
{
	size_t len = EMBED_LEN(delay_plugin);
	g_autofree char *dir = fs_cache_dir("plugins", error);
	g_autofree char *sha256 = NULL, *path = NULL, *present = NULL;

	if (!dir)
		return NULL;
	sha256 = fs_sha256_bytes(embed_delay_plugin, len);
	path = g_strdup_printf("%s/delay-%.16s.so", dir, sha256);
	present = g_file_test(path, G_FILE_TEST_EXISTS) ? fs_sha256(path, NULL) : NULL;
	if (g_strcmp0(present, sha256) != 0 && !fs_write(path, embed_delay_plugin, len, error))
		return NULL;
	return g_steal_pointer(&path);
}
