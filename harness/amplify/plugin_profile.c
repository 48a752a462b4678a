// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The plugin's profile: watch each access that kernel text makes to kernel memory, and count per
 * instruction those that hit a granule which two vCPUs or more touched and one of them stored to.
 *
 * Both tables are plain memory that vCPUs write at the same time. A lost count or a granule that is
 * told shared by accident costs nothing but a candidate that meets nobody later.
 */
#include "amplify/plugin.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GRANULE_BITS 20	/* direct-mapped: whoever comes last has the entry */
#define INSN_BITS 18
#define INSN_PROBES 64
#define STORED UINT64_C(1)

struct granule {
	uint64_t tag;	/* its address, | STORED */
	uint64_t vcpus;	/* that touched it, by number modulo 64 */
};

struct tables {
	struct granule granule[1 << GRANULE_BITS];
	struct amp_candidate insn[1 << INSN_BITS];	/* open addressing by pc; pc 0 is free */
};

static struct tables *tables;	/* NULL: no profile */
static uint64_t text_lo, text_hi, n_shared;

static size_t hash(uint64_t x, unsigned bits)
{
	return x * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits);
}

bool profile_begin(uint64_t lo, uint64_t hi)
{
	void *mem = mmap(NULL, sizeof(*tables), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mem == MAP_FAILED)
		return false;
	tables = mem;
	text_lo = lo;
	text_hi = hi;
	n_shared = 0;
	return true;
}

bool profile_covers(uint64_t lo, uint64_t last)
{
	return tables && lo < text_hi && last >= text_lo;
}

static bool is_shared(uint64_t tag, uint64_t vcpus)
{
	return (tag & STORED) && (vcpus & (vcpus - 1));
}

/* Remember the access; is the granule shared now? Written only where something changes, so that the
 * cache line of a granule that everybody reads stays everybody's. */
static bool touch(uint64_t addr, unsigned cpu, bool store)
{
	struct granule *g = &tables->granule[hash(addr / AMP_GRANULE, GRANULE_BITS)];
	uint64_t tag = READ(g->tag), vcpus = READ(g->vcpus), new_tag, new_vcpus;

	if ((tag & ~STORED) != addr)
		tag = vcpus = 0;
	new_tag = tag | addr | store;
	new_vcpus = vcpus | UINT64_C(1) << cpu % 64;
	if (new_tag == tag && new_vcpus == vcpus)
		return is_shared(tag, vcpus);
	WRITE(g->tag, new_tag);
	WRITE(g->vcpus, new_vcpus);
	if (!is_shared(new_tag, new_vcpus))
		return false;
	if (!is_shared(tag, vcpus))
		ADD(n_shared, 1);
	return true;
}

/* Not atomic: see above. */
static void count(uint64_t *n)
{
	WRITE(*n, READ(*n) + 1);
}

static void on_access(unsigned cpu, uint32_t info, uint64_t addr, void *udata)
{
	struct amp_candidate *insn = udata;
	bool store = qemu_plugin_mem_is_store(info);

	plugin_poll();
	if (!(addr >> 63))	/* a user's memory */
		return;
	count(&insn->execs);
	if (touch(addr & -(uint64_t)AMP_GRANULE, cpu, store))
		count(store ? &insn->stores : &insn->loads);
}

/* Which vCPUs translate at once is anybody's guess: the first to set the pc has the entry. */
static struct amp_candidate *insn_at(uint64_t pc)
{
	size_t at = hash(pc, INSN_BITS);

	for (unsigned i = 0; i < INSN_PROBES; i++) {
		struct amp_candidate *insn = &tables->insn[(at + i) % (1 << INSN_BITS)];
		uint64_t seen = READ(insn->pc);

		if (!seen && __atomic_compare_exchange_n(&insn->pc, &seen, pc, false,
							 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return insn;
		if (seen == pc)
			return insn;
	}
	return NULL;
}

static bool is_prefix(uint8_t byte)
{
	return byte == 0x66 || byte == 0x67 || byte == 0xf2 || byte == 0xf3 || byte == 0x2e ||
	       byte == 0x36 || byte == 0x3e || byte == 0x26 || byte == 0x64 || byte == 0x65;
}

/* A lock prefix, or xchg (86, 87) with memory, which locks by itself. */
static bool is_atomic(const struct qemu_plugin_insn *insn)
{
	uint8_t byte[16];
	size_t n = qemu_plugin_insn_data(insn, byte, sizeof(byte)), i = 0;

	while (i < n && i < sizeof(byte) && is_prefix(byte[i]))
		i++;
	if (i < n && byte[i] == 0xf0)
		return true;
	if (i < n && (byte[i] & 0xf0) == 0x40)	/* REX */
		i++;
	return i + 1 < n && (byte[i] & 0xfe) == 0x86 && byte[i + 1] >> 6 != 3;
}

void profile_watch(struct qemu_plugin_insn *insn, uint64_t pc)
{
	struct amp_candidate *record;

	if (!profile_covers(pc, pc) || !(record = insn_at(pc)))
		return;
	record->atomic = is_atomic(insn);
	qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS,
					 QEMU_PLUGIN_MEM_RW, record);
}

static int by_hits(const void *a, const void *b)
{
	const struct amp_candidate *x = a, *y = b;
	uint64_t x_hits = x->loads + x->stores, y_hits = y->loads + y->stores;

	if (x_hits != y_hits)
		return x_hits > y_hits ? -1 : 1;
	return x->pc < y->pc ? -1 : x->pc > y->pc;
}

void profile_end(struct amp_page *page)
{
	uint64_t accesses = 0;
	size_t n = 0;

	if (!tables)
		return;
	for (size_t i = 0; i < 1 << INSN_BITS; i++) {
		struct amp_candidate *insn = &tables->insn[i];

		accesses += insn->execs;
		if (insn->loads + insn->stores)
			tables->insn[n++] = *insn;
	}
	qsort(tables->insn, n, sizeof(tables->insn[0]), by_hits);
	n = n < AMP_CANDIDATES_MAX ? n : AMP_CANDIDATES_MAX;
	memcpy(page->candidate, tables->insn, n * sizeof(page->candidate[0]));
	WRITE(page->n_candidates, n);
	WRITE(page->granules_shared, n_shared);
	WRITE(page->accesses, accesses);
	munmap(tables, sizeof(*tables));
	tables = NULL;
}
