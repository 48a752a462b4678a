/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The compressed vmlinux within a bzImage: is it whole, and which config was it built with. */
#ifndef KLAB_KERNEL_PAYLOAD_H
#define KLAB_KERNEL_PAYLOAD_H

#include "base/lab.h"

/* No vmlinux is larger than this; what claims to be is damaged. */
#define PAYLOAD_UNPACKED_MAX (200u << 20)

/*
 * Decompress `len` bytes of payload (gzip, xz, lzma, bzip2, lz4, zstd) in a bounded stream and
 * check the unpacked length against the payload's last four bytes. *ret_config (caller frees) gets
 * the config that CONFIG_IKCONFIG left in it, or NULL. A format that cannot be unpacked here is
 * taken unseen (true, no config). LAB_ERROR_INPUT: damaged.
 */
bool payload_check(const void *data, size_t len, char **ret_config, GError **error);

struct payload_facts {
	char *config;	/* that CONFIG_IKCONFIG left in it, or NULL */
	char *banner;	/* "Linux version ..." (kernel/banner.h), or NULL */
};
typedef struct payload_facts payload_facts;
void payload_facts_clear(struct payload_facts *facts);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(payload_facts, payload_facts_clear)
/* As payload_check(), and tells more. */
bool payload_look(const void *data, size_t len, struct payload_facts *ret, GError **error);
/* The bytes themselves. LAB_ERROR_UNSUPPORTED: a format that cannot be unpacked here. */
bool payload_unpack(const void *data, size_t len, GBytes **ret, GError **error);

#endif
