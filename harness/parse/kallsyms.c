// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Digits occur in every kernel's names, so the token table spells "0", "1" ... "9" in a row; the
 * token index behind it must count the same lengths, num_syms in front of it must lead over exactly
 * the names that the markers mark, and addresses must ascend. What passes all of that is the table.
 */
#include "parse/kallsyms.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS 256
#define TOKEN_MAX 64		/* bytes of one token; kernels' longest have some 30 */
#define NAME_MAX_LEN 511	/* KSYM_NAME_LEN - 1 of 6.1+, 127 before */
#define TEXT_NAME_MAX 255	/* what the guest agent sends */
#define MARKER_STEP 256		/* symbols */
#define PAD_MAX 8
#define SYMBOLS_MIN 64
#define NAMES_SPAN_MAX (48u << 20)
#define WALK_STEPS_MAX (64u << 20)	/* entries looked at before giving up */
/* Where x86-64 links its kernel. */
#define KERNEL_START UINT64_C(0xffffffff80000000)

/* What is known of a table while it is looked for. */
struct finding {
	const struct elf *elf;
	const uint8_t *tokens, *index;	/* token_table; token_index of 256 x 2 bytes */
	const uint8_t *num_syms, *names;
	size_t n;
	uint64_t steps;
};

static uint16_t get16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static const uint8_t *file_end(const struct finding *f)
{
	return f->elf->data + f->elf->len;
}

static bool has(const struct finding *f, const uint8_t *at, uint64_t len)
{
	return at >= f->elf->data && at <= file_end(f) && len <= (uint64_t)(file_end(f) - at);
}

/* --- token table and index --------------------------------------------------------------------- */

/* Behind token `first` at `at`: where the table ends, or NULL. */
static const uint8_t *skip_tokens(const struct finding *f, const uint8_t *at, unsigned first)
{
	for (unsigned i = first; i < TOKENS; i++) {
		size_t room = has(f, at, 0) ? MIN((size_t)(file_end(f) - at), TOKEN_MAX + 1) : 0;
		const uint8_t *nul = room ? memchr(at, 0, room) : NULL;

		if (!nul)
			return NULL;
		at = nul + 1;
	}
	return at;
}

static bool index_fits(const struct finding *f, const uint8_t *index, const uint8_t *digits)
{
	const uint8_t *tokens;

	if (!has(f, index, 2 * TOKENS) || get16(index))
		return false;
	tokens = digits - get16(index + 2 * '0');
	if (!has(f, tokens, 0) || tokens > digits)
		return false;
	for (unsigned i = 1; i < TOKENS; i++) {
		unsigned from = get16(index + 2 * i - 2), to = get16(index + 2 * i);

		if (to <= from || to - from > TOKEN_MAX + 1 || !has(f, tokens, to) ||
		    tokens[to - 1] || memchr(tokens + from, 0, to - from - 1))
			return false;
	}
	return true;
}

/* The next token table from `at` on. */
static bool find_tokens(struct finding *f, const uint8_t *at)
{
	static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";

	while (has(f, at, sizeof(digits)) &&
	       (at = memmem(at, file_end(f) - at, digits, sizeof(digits)))) {
		const uint8_t *end = skip_tokens(f, at, '0');

		for (unsigned pad = 0; end && pad < PAD_MAX; pad++) {
			if (!index_fits(f, end + pad, at))
				continue;
			f->index = end + pad;
			f->tokens = at - get16(f->index + 2 * '0');
			return true;
		}
		at++;
	}
	return false;
}

/* --- names ------------------------------------------------------------------------------------- */

/* The tokens of one name: their number, *at moves to the first. 0: no name. Lengths above 127 take
 * two bytes since 6.1. */
static size_t name_tokens(const struct finding *f, const uint8_t **at)
{
	size_t len;

	if (*at >= f->tokens)
		return 0;
	len = *(*at)++;
	if (len & 0x80) {
		if (*at >= f->tokens)
			return 0;
		len = (len & 0x7f) | (size_t)*(*at)++ << 7;
	}
	return len <= (size_t)(f->tokens - *at) ? len : 0;
}

/* Markers are 4 bytes each since 5.0, 8 before. */
static uint64_t marker(const uint8_t *at, size_t i, unsigned width)
{
	return width == 4 ? get32(at + 4 * i) : get64(at + 8 * i);
}

static bool markers_fit(const struct finding *f, const uint8_t *at, const GArray *want,
			unsigned width)
{
	if (at > f->tokens || (uint64_t)want->len * width > (uint64_t)(f->tokens - at))
		return false;
	for (unsigned i = 0; i < want->len; i++)
		if (marker(at, i, width) != g_array_index(want, uint32_t, i))
			return false;
	return true;
}

/* Could the markers of n names end `behind` bytes in front of the token table? A cheap look, so that
 * few numbers that are no num_syms are walked from. */
static bool markers_end_at(const struct finding *f, const uint8_t *names, size_t n, size_t behind)
{
	size_t count = (n + MARKER_STEP - 1) / MARKER_STEP, room = f->tokens - names;

	for (unsigned width = 4; width <= 8; width += 4) {
		const uint8_t *at = f->tokens - behind - width * count;

		/* arrays of numbers are aligned, in memory and in the file */
		if (behind + width * count < room && !((at - f->elf->data) & 3) &&
		    !marker(at, 0, width) &&
		    marker(at, count - 1, width) < (size_t)(at - names) &&
		    (count < 3 || (marker(at, 1, width) >= 2 * MARKER_STEP &&
				   marker(at, 1, width) < marker(at, 2, width))))
			return true;
	}
	return false;
}

static bool markers_plausible(const struct finding *f, const uint8_t *names, size_t n)
{
	for (unsigned pad = 0; pad < 2 * PAD_MAX; pad++)
		if (markers_end_at(f, names, n, pad) || markers_end_at(f, names, n, 3 * n + pad))
			return true;
	return false;
}

static bool names_fit(struct finding *f, const uint8_t *names, size_t n, GArray *marks)
{
	const uint8_t *at = names;

	if (!markers_plausible(f, names, n))
		return false;
	g_array_set_size(marks, 0);
	for (size_t i = 0; i < n; i++) {
		uint32_t mark = at - names;
		size_t len;

		if (i % MARKER_STEP == 0)
			g_array_append_val(marks, mark);
		len = name_tokens(f, &at);
		f->steps++;
		if (!len || len > NAME_MAX_LEN + 1 || f->steps > WALK_STEPS_MAX)
			return false;
		at += len;
	}
	for (unsigned pad = 0; pad < PAD_MAX; pad++) {
		if (!markers_fit(f, at + pad, marks, 4) && !markers_fit(f, at + pad, marks, 8))
			continue;
		f->names = names;
		f->n = n;
		return true;
	}
	return false;
}

/* num_syms lies in front of the names, alone in 8 bytes; 7.x aligns to 4. */
static bool find_names(struct finding *f)
{
	g_autoptr(GArray) marks = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	size_t span = MIN((size_t)(f->tokens - f->elf->data), NAMES_SPAN_MAX);
	const uint8_t *at = f->elf->data + ((f->tokens - f->elf->data) & ~(size_t)3);

	for (; span >= 12 && f->steps < WALK_STEPS_MAX; span -= 4) {
		size_t n;

		at -= 4;
		n = get32(at);
		if (n < SYMBOLS_MIN || n > KALLSYMS_MAX || at + 8 >= f->tokens ||
		    n >= (size_t)(f->tokens - at))
			continue;
		f->num_syms = at;
		if ((!get32(at + 4) && names_fit(f, at + 8, n, marks)) ||
		    names_fit(f, at + 4, n, marks))
			return true;
	}
	return false;
}

/* "tfoo": the type, then the name. Bytes that no C symbol has make it no name. */
static bool expand_name(const struct finding *f, const uint8_t **at, GString *out)
{
	size_t len = name_tokens(f, at), start = out->len;

	for (size_t i = 0; i < len; i++) {
		const uint8_t *token = f->tokens + get16(f->index + 2 * (*at)[i]);
		size_t n = strnlen((const char *)token, TOKEN_MAX + 1);

		if (n > TOKEN_MAX || out->len - start + n > NAME_MAX_LEN + 1)
			return false;
		g_string_append_len(out, (const char *)token, n);
	}
	*at += len;
	for (size_t i = start; i < out->len; i++)
		if (!g_ascii_isgraph(out->str[i]))
			return false;
	if (out->len - start < 2)
		return false;
	g_string_append_c(out, '\0');
	return true;
}

static bool read_names(const struct finding *f, struct kallsyms *k)
{
	GString *out = g_string_sized_new(f->n * 24);
	const uint8_t *at = f->names;
	bool ok = true;
	char *name;

	for (size_t i = 0; i < f->n && ok; i++)
		ok = expand_name(f, &at, out);
	k->names = g_string_free(out, FALSE);
	name = k->names;
	for (size_t i = 0; i < f->n && ok; i++) {
		k->sym[i].type = *name;
		k->sym[i].name = name + 1;
		name += strlen(name) + 1;
	}
	return ok;
}

/* --- addresses --------------------------------------------------------------------------------- */

/* Where the numbers of a layout lie, and how they become addresses. */
struct numbers {
	enum kallsyms_layout layout;
	const uint8_t *at;
	uint64_t base;		/* relative_base, or the address of at[0] */
	bool percpu;
};

static uint64_t number_addr(const struct numbers *num, size_t i)
{
	int32_t off;

	if (num->layout == KALLSYMS_ABSOLUTE)
		return get64(num->at + 8 * i);
	off = get32(num->at + 4 * i);
	if (num->layout == KALLSYMS_SELF_RELATIVE)
		return num->base + 4 * i + (int64_t)off;
	if (!num->percpu)
		return num->base + (uint32_t)off;
	return off >= 0 ? (uint64_t)off : num->base - 1 - (int64_t)off;
}

/* Sorted by address, and what is called _stext begins the code or lies in it. */
static bool numbers_fit(const struct finding *f, const struct numbers *num, struct kallsyms *k)
{
	const struct elf_part *text = elf_section(f->elf, ".text");
	bool anchored = false;
	uint64_t last = 0;

	for (size_t i = 0; i < f->n; i++) {
		uint64_t addr = number_addr(num, i);

		if (addr < last)
			return false;
		last = k->sym[i].addr = addr;
		if (addr < KERNEL_START || strcmp(k->sym[i].name, "_stext"))
			continue;
		anchored = text ? addr >= text->addr && addr - text->addr < text->len :
				  elf_at(f->elf, addr, 1) != NULL;
	}
	k->layout = num->layout;
	k->absolute_percpu = num->percpu;
	return anchored;
}

static bool try_base(const struct finding *f, enum kallsyms_layout layout, const uint8_t *offsets,
		     const uint8_t *base, struct kallsyms *k)
{
	struct numbers num = { .layout = layout, .at = offsets };

	if (!has(f, offsets, 4 * f->n) || !has(f, base, 8))
		return false;
	num.base = get64(base);
	if (num.base < KERNEL_START)
		return false;
	for (int percpu = 1; percpu >= 0; percpu--) {
		num.percpu = percpu;
		if (numbers_fit(f, &num, k))
			return true;
	}
	return false;
}

/* In front of num_syms, before 6.4. */
static bool addresses_in_front(const struct finding *f, struct kallsyms *k)
{
	struct numbers num = { .layout = KALLSYMS_ABSOLUTE };
	size_t before = f->num_syms - f->elf->data;

	for (size_t pad = 0; pad < 2 * PAD_MAX; pad += 4) {
		size_t room = 8 + 4 * f->n + pad;

		if (before >= room && try_base(f, KALLSYMS_BASE_FIRST, f->num_syms - room,
					       f->num_syms - 8, k))
			return true;
	}
	if (before < 8 * f->n)
		return false;
	num.at = f->num_syms - 8 * f->n;
	return numbers_fit(f, &num, k);
}

/* Behind the token index, 6.4 on. */
static bool addresses_behind(const struct finding *f, struct kallsyms *k)
{
	const uint8_t *end = f->index + 2 * TOKENS;
	struct numbers num = { .layout = KALLSYMS_SELF_RELATIVE };

	for (unsigned pad = 0; pad < PAD_MAX; pad += 4) {
		const uint8_t *offsets = end + pad;

		for (unsigned gap = 0; gap < PAD_MAX; gap += 4)
			if (try_base(f, KALLSYMS_BASE_LAST, offsets, offsets + 4 * f->n + gap, k))
				return true;
		num.at = offsets;
		if (has(f, offsets, 4 * f->n) && elf_addr(f->elf, offsets, &num.base) &&
		    numbers_fit(f, &num, k))
			return true;
	}
	return false;
}

/* --- outside ----------------------------------------------------------------------------------- */

void kallsyms_free(struct kallsyms *k)
{
	if (!k)
		return;
	g_free(k->sym);
	g_free(k->names);
	g_free(k);
}

static struct kallsyms *read_table(const struct finding *f, const char **ret_why)
{
	g_autoptr(kallsyms) k = g_new0(struct kallsyms, 1);

	k->n = f->n;
	k->sym = g_new0(struct kallsym, f->n);
	if (!read_names(f, k))
		*ret_why = "names in its symbol table do not unpack";
	else if (!addresses_in_front(f, k) && !addresses_behind(f, k))
		*ret_why = "the addresses of its symbol table are in no known layout";
	else
		return g_steal_pointer(&k);
	return NULL;
}

struct kallsyms *kallsyms_read(const struct elf *e, const char **ret_why)
{
	struct finding f = { .elf = e };
	const uint8_t *at = e->data;

	*ret_why = "it holds no symbol table";
	while (f.steps < WALK_STEPS_MAX && find_tokens(&f, at)) {
		struct kallsyms *k = NULL;

		*ret_why = "the names of its symbol table are in no known layout";
		if (find_names(&f) && (k = read_table(&f, ret_why)))
			return k;
		at = f.index;
	}
	return NULL;
}

const struct kallsym *kallsyms_find(const struct kallsyms *k, const char *name)
{
	for (size_t i = 0; i < k->n; i++)
		if (!strcmp(k->sym[i].name, name))
			return &k->sym[i];
	return NULL;
}

static int by_addr(const void *a, const void *b)
{
	const struct kallsym *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool is_text(const struct kallsym *s, uint64_t from, uint64_t to)
{
	return strchr("tTwW", s->type) && s->addr && s->addr >= from && s->addr <= to &&
	       !g_str_has_prefix(s->name, "__pfx_") && strlen(s->name) <= TEXT_NAME_MAX;
}

static char *to_lines(const struct kallsyms *k, bool text_only)
{
	const struct kallsym *from = kallsyms_find(k, "_stext"), *to = kallsyms_find(k, "_etext");
	g_autofree struct kallsym *list = g_new(struct kallsym, k->n);
	GString *out = g_string_sized_new(k->n * 32);
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++)
		if (!text_only || is_text(&k->sym[i], from ? from->addr : 0,
					  to ? to->addr : UINT64_MAX))
			list[n++] = k->sym[i];
	qsort(list, n, sizeof(*list), by_addr);
	for (size_t i = 0; i < n; i++)
		g_string_append_printf(out, "%" G_GINT64_MODIFIER "x %s\n", list[i].addr,
				       list[i].name);
	return g_string_free(out, FALSE);
}

char *kallsyms_text(const struct kallsyms *k)
{
	return to_lines(k, true);
}

struct symbols *kallsyms_all(const struct kallsyms *k)
{
	g_autofree char *lines = to_lines(k, false);

	return symbols_parse(lines, strlen(lines));
}
