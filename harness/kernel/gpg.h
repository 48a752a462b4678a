/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OpenPGP signatures, checked by gpgv(1) against a keyring that the user named, and no other. */
#ifndef KLAB_KERNEL_GPG_H
#define KLAB_KERNEL_GPG_H

#include "base/lab.h"

struct gpg_check {
	const char *keyring;   /* file of public keys, binary or ASCII-armored */
	const char *path;      /* what is signed; or, without `signature`, signs itself */
	const char *signature; /* file of the detached signature, or NULL */
	const char *out;       /* without `signature`: where the signed text is written */
	const char *tmp_dir;   /* for an armored keyring's binary form */
	const char *what;      /* what messages call it: "'http://.../InRelease'" */
};

/*
 * True if a key of the keyring made a good signature, and no signature is bad: apt's rule. An
 * expired or revoked key is none. LAB_ERROR_INPUT: refused. LAB_ERROR_UNAVAILABLE: there is no such
 * keyring or no gpgv here. Runs a child: main thread only.
 */
bool gpg_verify(const struct gpg_check *check, GError **error);
/* Is there such a keyring? Asked before anything is fetched for it. LAB_ERROR_UNAVAILABLE, with a
 * hint. */
bool gpg_keyring_there(const char *path, GError **error);

/* What gpgv's --status-fd said; *ret_reason (caller frees) unless it is good. Pure. */
bool gpg_status_good(const char *status, char **ret_reason);
/* The packets of all public key blocks in `text`, NULL if it has none. Pure. */
GBytes *gpg_dearmor(const char *text, size_t len);

#endif
