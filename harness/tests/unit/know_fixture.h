/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests of knowledge start from: the shipped declarations, and measurements made up. */
#ifndef KLAB_TESTS_KNOW_FIXTURE_H
#define KLAB_TESTS_KNOW_FIXTURE_H

#include "base/embed.h"
#include "know/know.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "known_kernels.h"

static inline struct hazard_set *shipped(void)
{
	g_autoptr(GError) error = NULL;
	struct hazard_set *hazards = NULL;

	if (!hazard_set_parse("hazards.yaml", embed_hazards_yaml, EMBED_LEN(hazards_yaml), &hazards,
			      &error))
		fail_msg("%s", error->message);
	return hazards;
}

static inline struct measured *measured_new(const char *release, const char *version,
					    const char *op, bool affected, double p_missed)
{
	struct measured *m = g_new0(struct measured, 1);

	m->kernel = g_strdup("k");
	m->release = g_strdup(release);
	m->version = g_strdup(version);
	m->probe = g_strdup(op);
	m->op = g_strdup(op);
	m->affected = affected;
	m->title = affected ? g_strdup("oops: page fault in poke_int3_handler") : NULL;
	m->confidence = NAN;
	m->p_missed = p_missed;
	m->journals = g_new0(char *, 1);
	m->digests = g_new0(char *, 1);
	return m;
}

#endif
