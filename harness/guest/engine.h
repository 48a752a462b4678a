/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: a QEMU binary with what it needs to run. QEMU >= 10 is sound for TCG verdicts; older
 * ones make clean kernels oops (a block is translated from bytes that another vCPU is patching).
 */
#ifndef KLAB_GUEST_ENGINE_H
#define KLAB_GUEST_ENGINE_H

#include "base/lab.h"

#define ENGINE_MAJOR_MIN 10

struct engine {
	char *binary;		/* absolute path of qemu-system-x86_64 */
	char *version;		/* "10.0.2 (Debian 1:10.0.2+ds-...)" */
	unsigned major, minor, micro;
	char *sha256;		/* of the binary: the build's identity */
	char **args;		/* -L ... that come first, NULL-terminated (may be empty) */
	char **env;		/* "NAME=VALUE" to add, NULL-terminated (may be empty) */
};
typedef struct engine engine;
void engine_free(struct engine *e);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(engine, engine_free)

struct engine *engine_copy(const struct engine *e);
/* Ask `binary` for its version; `prefix` (or NULL) is the root of a private copy. */
bool engine_probe(const char *binary, const char *prefix, struct engine **ret, GError **error);
bool engine_is_sound(const struct engine *e);
/* Fill version, major, minor and micro from what `qemu --version` printed; false: it is no QEMU. */
bool engine_version_parse(const char *text, struct engine *e);

/*
 * Does this accelerator run 64-bit code here? Boots a tiny guest of ours, within 3 s for KVM.
 * Creating a KVM VM proves nothing (nested hosts). Cached per QEMU build and boot of the host.
 * *ret_why (caller frees) says what failed; NULL when it works.
 */
bool engine_accel_works(const struct engine *e, const char *accel, char **ret_why);

#endif
