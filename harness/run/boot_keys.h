/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys that are meant for klab and not for the guest, as QEMU's users know them: Ctrl-A X leaves,
 * Ctrl-A H tells, Ctrl-A Ctrl-A (or A) sends one Ctrl-A. Pure.
 */
#ifndef KLAB_RUN_BOOT_KEYS_H
#define KLAB_RUN_BOOT_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum boot_key { BOOT_KEY_NONE, BOOT_KEY_LEAVE, BOOT_KEY_HELP };

struct boot_keys {
	bool escaped;	/* the last byte was Ctrl-A */
};

/*
 * Take `len` typed bytes and write those for the guest to `out`, which has room for as many;
 * *ret_len is their number. The worst of the keys for klab is returned: what was typed behind
 * Ctrl-A X is dropped.
 */
enum boot_key boot_keys_feed(struct boot_keys *keys, const char *typed, size_t len, char *out,
			     size_t *ret_len);

#endif
