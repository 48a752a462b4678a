/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where members of the kernel's structures lie, by its BTF (Documentation/bpf/btf.rst; section .BTF of
 * vmlinux with CONFIG_DEBUG_INFO_BTF). Total and bounded; borrows the bytes.
 */
#ifndef KLAB_PARSE_BTF_H
#define KLAB_PARSE_BTF_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BTF_TYPES_MAX (1u << 20)

struct btf {
	const uint8_t *types, *strings;
	uint32_t types_len, strings_len;
	uint32_t *at;		/* offset of type N; type 0 is void */
	uint32_t n;		/* types, void included */
};
typedef struct btf btf;
void btf_free(struct btf *b);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(btf, btf_free)

/* NULL: no BTF of version 1 in native byte order, or a damaged one. */
struct btf *btf_new(const void *data, size_t len);
/* Offset in bytes of a member such as "comm" or "thread.sp" in the struct of that name; members of
 * anonymous structs and unions count as its own. False if there is none, or if it is a bit field. */
bool btf_offset(const struct btf *b, const char *type, const char *member, uint32_t *ret);
/* sizeof the struct of that name, or 0. */
uint32_t btf_size(const struct btf *b, const char *type);

#endif
