// SPDX-License-Identifier: GPL-2.0-or-later
/* BTF, as far as offsets of members want it. */
#include "parse/btf.h"

#include <string.h>

#define MAGIC 0xeb9f
#define TYPE_LEN 12
#define MEMBER_LEN 12
#define DEPTH_MAX 8	/* of anonymous members and typedefs */

enum { KIND_INT = 1, KIND_PTR, KIND_ARRAY, KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_FWD, KIND_TYPEDEF,
       KIND_VOLATILE, KIND_CONST, KIND_RESTRICT, KIND_FUNC, KIND_FUNC_PROTO, KIND_VAR, KIND_DATASEC,
       KIND_FLOAT, KIND_DECL_TAG, KIND_TYPE_TAG, KIND_ENUM64, KIND_MAX };

/* Bytes behind a type: so many, and so many for each of its vlen parts. */
static const struct {
	uint8_t fixed, each;
} tails[KIND_MAX] = {
	[KIND_INT] = { 4, 0 },	       [KIND_ARRAY] = { 12, 0 },    [KIND_STRUCT] = { 0, 12 },
	[KIND_UNION] = { 0, 12 },      [KIND_ENUM] = { 0, 8 },	    [KIND_FUNC_PROTO] = { 0, 8 },
	[KIND_VAR] = { 4, 0 },	       [KIND_DATASEC] = { 0, 12 },  [KIND_DECL_TAG] = { 4, 0 },
	[KIND_ENUM64] = { 0, 12 },
};

void btf_free(struct btf *b)
{
	if (!b)
		return;
	g_free(b->at);
	g_free(b);
}

static uint32_t get32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static unsigned type_kind(const uint8_t *type)
{
	return get32(type + 4) >> 24 & 31;
}

static unsigned type_vlen(const uint8_t *type)
{
	return get32(type + 4) & 0xffff;
}

static const uint8_t *type_at(const struct btf *b, uint32_t id)
{
	return id && id < b->n ? b->types + b->at[id] : NULL;
}

static const char *string_at(const struct btf *b, uint32_t at)
{
	/* the last byte is 0, so that every string ends */
	return at < b->strings_len ? (const char *)b->strings + at : "";
}

static bool index_types(struct btf *b)
{
	g_autoptr(GArray) at = g_array_new(FALSE, TRUE, sizeof(uint32_t));
	uint32_t pos = 0;

	g_array_set_size(at, 1);
	while (b->types_len - pos >= TYPE_LEN && at->len < BTF_TYPES_MAX) {
		const uint8_t *type = b->types + pos;
		unsigned kind = type_kind(type);
		uint64_t len;

		if (!kind || kind >= KIND_MAX)
			return false;
		len = TYPE_LEN + tails[kind].fixed + (uint64_t)tails[kind].each * type_vlen(type);
		if (len > b->types_len - pos)
			return false;
		g_array_append_val(at, pos);
		pos += len;
	}
	b->n = at->len;
	b->at = (uint32_t *)g_array_free(g_steal_pointer(&at), FALSE);
	return true;
}

struct btf *btf_new(const void *data, size_t len)
{
	g_autoptr(btf) b = g_new0(struct btf, 1);
	const uint8_t *p = data;
	uint64_t head, types, strings;

	if (len < 24 || (p[0] | p[1] << 8) != MAGIC || p[2] != 1)
		return NULL;
	head = get32(p + 4);
	types = head + get32(p + 8);
	strings = head + get32(p + 16);
	b->types_len = get32(p + 12);
	b->strings_len = get32(p + 20);
	if (types > len || b->types_len > len - types || strings > len ||
	    b->strings_len > len - strings || !b->strings_len)
		return NULL;
	b->types = p + types;
	b->strings = p + strings;
	if (b->strings[b->strings_len - 1] || !index_types(b))
		return NULL;
	return g_steal_pointer(&b);
}

static const uint8_t *find_struct(const struct btf *b, const char *name)
{
	for (uint32_t id = 1; id < b->n; id++) {
		const uint8_t *type = type_at(b, id);

		if (type_kind(type) == KIND_STRUCT &&
		    !strcmp(string_at(b, get32(type)), name))
			return type;
	}
	return NULL;
}

/* The struct or union behind typedefs and qualifiers, or NULL. */
static const uint8_t *resolve(const struct btf *b, uint32_t id)
{
	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		const uint8_t *type = type_at(b, id);
		unsigned kind = type ? type_kind(type) : 0;

		if (kind == KIND_STRUCT || kind == KIND_UNION)
			return type;
		if (kind != KIND_TYPEDEF && kind != KIND_VOLATILE && kind != KIND_CONST &&
		    kind != KIND_TYPE_TAG)
			return NULL;
		id = get32(type + 8);
	}
	return NULL;
}

/* *ret_type: the member's type. Offsets are in bits; with the kind flag the upper 8 of 32 hold the
 * size of a bit field. */
static bool find_member(const struct btf *b, const uint8_t *type, const char *name, size_t len,
			unsigned depth, uint32_t *ret_bits, uint32_t *ret_type)
{
	bool flag = get32(type + 4) >> 31;

	for (unsigned i = 0; i < type_vlen(type); i++) {
		const uint8_t *m = type + TYPE_LEN + i * MEMBER_LEN;
		const char *own = string_at(b, get32(m));
		uint32_t bits = flag ? get32(m + 8) & 0xffffff : get32(m + 8), inner;
		const uint8_t *nested = !*own && depth < DEPTH_MAX ? resolve(b, get32(m + 4)) : NULL;

		if (strlen(own) == len && len && !memcmp(own, name, len)) {
			*ret_bits = bits;
			*ret_type = get32(m + 4);
			return !(flag && get32(m + 8) >> 24);
		}
		if (nested && find_member(b, nested, name, len, depth + 1, &inner, ret_type)) {
			*ret_bits = bits + inner;
			return true;
		}
	}
	return false;
}

bool btf_offset(const struct btf *b, const char *type_name, const char *member, uint32_t *ret)
{
	const uint8_t *type = find_struct(b, type_name);
	uint32_t sum = 0, bits, id;

	while (type) {
		size_t len = strcspn(member, ".");

		if (!find_member(b, type, member, len, 0, &bits, &id) || bits % 8)
			return false;
		sum += bits / 8;
		if (!member[len]) {
			*ret = sum;
			return true;
		}
		member += len + 1;
		type = resolve(b, id);
	}
	return false;
}

uint32_t btf_size(const struct btf *b, const char *type_name)
{
	const uint8_t *type = find_struct(b, type_name);

	return type ? get32(type + 8) : 0;
}
