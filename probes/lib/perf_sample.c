// SPDX-License-Identifier: GPL-2.0-or-later
/* Samples of perf events, taken apart: see perf_sample.h; the order is perf_output_sample()'s. */
#include "probes/lib/perf_sample.h"

#include <string.h>

#define CHAIN_MAX 1024 /* 127 entries and some marks; kernel.perf_event_max_stack may say more */

struct cursor {
	const unsigned char *at, *end;
	bool torn;
};

static const void *take(struct cursor *c, size_t bytes)
{
	const void *p = c->at;

	if (bytes > (size_t)(c->end - c->at)) {
		c->torn = true;
		return NULL;
	}
	c->at += bytes;
	return p;
}

static uint64_t take_u64(struct cursor *c)
{
	const uint64_t *p = take(c, sizeof(*p));

	return p ? *p : 0;
}

static const char *take_chain(struct cursor *c, struct perf_sample *s)
{
	s->chain_len = take_u64(c);
	if (s->chain_len > CHAIN_MAX)
		return "a callchain without end";
	s->chain = take(c, s->chain_len * sizeof(*s->chain));
	/* Marks such as PERF_CONTEXT_KERNEL say whose addresses follow. */
	if (s->chain && s->chain_len && s->chain[0] < PERF_CONTEXT_MAX)
		return "a callchain that says of neither kernel nor user space";
	return NULL;
}

static const char *take_user(struct cursor *c, struct perf_sample *s)
{
	uint64_t abi = take_u64(c);

	if (abi > PERF_SAMPLE_REGS_ABI_64)
		return "registers of an unknown ABI";
	if (abi)
		take(c, __builtin_popcount(PERF_SAMPLE_REGS) * sizeof(uint64_t));
	s->stack_size = take_u64(c);
	if (s->stack_size > EVENT_RECORD_MAX)
		return "a user stack larger than a record";
	if (!s->stack_size)
		return NULL;
	take(c, s->stack_size);
	s->stack_filled = take_u64(c);
	return s->stack_filled > s->stack_size ? "more of the user stack than there is room" : NULL;
}

const char *perf_sample_parse(const void *record, struct perf_sample *ret)
{
	const struct perf_event_header *header = record;
	struct cursor c = { (const unsigned char *)(header + 1),
			    (const unsigned char *)record + header->size, false };
	struct perf_sample s = { 0 };
	const char *wrong;
	uint64_t ids;

	s.ip = take_u64(&c);
	ids = take_u64(&c);
	s.pid = ids;
	s.tid = ids >> 32;
	s.time = take_u64(&c);
	s.id = take_u64(&c);
	s.cpu = take_u64(&c);
	s.period = take_u64(&c);
	wrong = take_chain(&c, &s);
	if (!wrong && !c.torn)
		wrong = take_user(&c, &s);
	if (!wrong && c.torn)
		wrong = "a sample that ends too early";
	if (!wrong && c.at != c.end)
		wrong = "a sample with bytes left over";
	*ret = s;
	return wrong;
}
