// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When which vCPU is held up, without an emulator's help. See jitter.h. Pure: the same seed and
 * number of vCPUs give the same actions for ever.
 *
 * The idea is rr's chaos mode (rr-project.org, "Introducing rr Chaos Mode", 2016): a few long
 * interruptions at random places find what many short ones do not, as the others then get through
 * everything that they have to do meanwhile.
 */
#include "amplify/jitter.h"

#define STOP_MIN_US 1000
#define STRETCH_MIN_US 5000 /* of squeezes and idle stretches */
#define STRETCH_MAX_US 50000
#define GAP_MIN_US 1000
#define GAP_MAX_US 10000
#define STOP_SHARE 5 /* stops take 1 part in so many, of all time and so of any vCPU's */

void jitter_init(struct jitter *j, unsigned vcpus, uint64_t seed)
{
	const guint32 words[] = { seed, seed >> 32 };

	*j = (struct jitter){ .rand = g_rand_new_with_seed_array(words, G_N_ELEMENTS(words)),
			      .vcpus = MAX(vcpus, 1) };
}

void jitter_clear(struct jitter *j)
{
	g_clear_pointer(&j->rand, g_rand_free);
}

/* Evenly, lo and hi included. Integers only: what floating point gives depends on the compiler. */
static int64_t draw(struct jitter *j, int lo, int hi)
{
	return g_rand_int_range(j->rand, lo, hi + 1);
}

/* Mostly stops: for the same time lost they hold a vCPU up at the most places. */
static enum jitter_kind draw_kind(struct jitter *j)
{
	int64_t percent = draw(j, 0, 99);

	if (percent < 80)
		return JITTER_STOP;
	return percent < 90 && j->vcpus > 1 ? JITTER_SQUEEZE : JITTER_IDLE;
}

/* Of stops the shorter one of two, for the same reason. */
static int64_t draw_us(struct jitter *j, enum jitter_kind kind)
{
	int64_t us;

	if (kind != JITTER_STOP)
		return draw(j, STRETCH_MIN_US, STRETCH_MAX_US);
	us = draw(j, STOP_MIN_US, JITTER_STOP_MAX_US);
	return MIN(us, draw(j, STOP_MIN_US, JITTER_STOP_MAX_US));
}

void jitter_next(struct jitter *j, struct jitter_action *ret)
{
	struct jitter_action a = { .at_us = j->next_us + draw(j, GAP_MIN_US, GAP_MAX_US) };

	a.kind = draw_kind(j);
	a.us = draw_us(j, a.kind);
	a.vcpu = a.other = draw(j, 0, j->vcpus - 1);
	if (a.kind == JITTER_SQUEEZE)
		a.other = (a.vcpu + draw(j, 1, j->vcpus - 1)) % j->vcpus;
	j->next_us = a.at_us + (a.kind == JITTER_STOP ? STOP_SHARE * a.us : 0);
	*ret = a;
}
