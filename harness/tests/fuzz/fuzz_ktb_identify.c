// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What products hand to tracing_blacklist.h: any release, version and os-release (the input's
 * fields by tabs; a missing one is NULL) give texts that end where they must and an answer that
 * does not contradict itself.
 */
#include "base/embed.h"
#include "know/know.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct measured *seen(const char *release, const char *version, const char *op,
			     bool affected)
{
	struct measured *m = g_new0(struct measured, 1);

	m->kernel = g_strdup("k");
	m->release = g_strdup(release);
	m->version = g_strdup(version);
	m->probe = g_strdup(op);
	m->op = g_strdup(op);
	m->affected = affected;
	m->confidence = 0.99;
	m->p_missed = affected ? NAN : 1e-5;
	m->journals = g_new0(char *, 1);
	m->digests = g_new0(char *, 1);
	return m;
}

/* The shipped declarations, with measurements on both sides of builds that the seeds ask about. */
static const struct knowledge *knowledge_of_tests(void)
{
	static struct knowledge *known;
	static struct hazard_set *hazards; /* lent to the knowledge */
	GPtrArray *all;

	if (known)
		return known;
	if (!hazard_set_parse("hazards.yaml", embed_hazards_yaml, EMBED_LEN(hazards_yaml), &hazards,
			      NULL))
		abort();
	all = g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
	g_ptr_array_add(all, seen("6.1.36", "#1 SMP", "nmi-user-read", false));
	g_ptr_array_add(all, seen("6.1.192", "#1 SMP", "nmi-user-read", true));
	g_ptr_array_add(all, seen("5.14.0-427.13.1.el9_4.x86_64", "#1 SMP", "text-poke", true));
	g_ptr_array_add(all, seen("5.14.0-427.42.1.el9_4.x86_64", "#1 SMP", "text-poke", true));
	g_ptr_array_add(all, seen("6.1.0-9-amd64", "#1 SMP Debian 6.1.27-1 (2023-05-08)",
				  "text-poke", true));
	known = know_new(hazards, all);
	g_ptr_array_unref(all);
	return known;
}

#define ENDS(field)                                                                                \
	do {                                                                                       \
		if (!memchr((field), 0, sizeof(field)))                                            \
			abort();                                                                   \
	} while (0)

static void check(const struct knowledge *known, struct ktb_kernel *k, const char *op)
{
	struct ktb_answer plain = ktb_table_check(&known->table, k, op), strict, forced;

	ENDS(plain.reason);
	if (!plain.reason[0] || plain.value > KTB_AFFECTED || plain.forced || plain.strict ||
	    plain.allowed != (plain.value != KTB_AFFECTED))
		abort();
	ktb_strict(k, 1);
	strict = ktb_table_check(&known->table, k, op);
	if (strict.value == KTB_UNKNOWN || strict.allowed != (plain.value == KTB_CLEAN))
		abort();
	ktb_force(k, "all");
	forced = ktb_table_check(&known->table, k, op);
	if (!forced.allowed || forced.forced != (plain.value != KTB_CLEAN) ||
	    strcmp(forced.reason, plain.reason))
		abort();
	ktb_strict(k, 0);
	ktb_force(k, NULL);
}

static int sign(int x)
{
	return x < 0 ? -1 : x > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct knowledge *known = knowledge_of_tests();
	g_autofree char *text = g_strndup((const char *)data, size);
	g_auto(GStrv) field = g_strsplit(text, "\t", 3);
	unsigned n = g_strv_length(field);
	struct ktb_kernel k;
	int ok = ktb_identify(&k, n ? field[0] : "", n > 1 ? field[1] : NULL,
			      n > 2 ? field[2] : NULL);

	ENDS(k.release);
	ENDS(k.version);
	ENDS(k.vendor);
	ENDS(k.build);
	ENDS(k.base);
	if (ok != (k.vendor[0] != 0) || ok != (k.base[0] != 0))
		abort();
	for (char **op = known->ops; *op; op++)
		check(known, &k, *op);
	if (n > 1 &&
	    (sign(vercmp_dpkg(field[0], field[1])) != -sign(vercmp_dpkg(field[1], field[0])) ||
	     sign(vercmp_rpm(field[0], field[1])) != -sign(vercmp_rpm(field[1], field[0]))))
		abort();
	return 0;
}
