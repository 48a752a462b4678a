/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the plugin uses of QEMU's TCG plugin API, for versions 4 (QEMU 10.0) to 7 (11.1): QEMU's own
 * header is not packaged. It is a plain C ABI; declared after include/qemu/qemu-plugin.h of QEMU
 * 10.0, include/plugins/qemu-plugin.h since 11.0, whose head lists what each version changed.
 *
 * Version 7 took the plugin's id from the callbacks and gave them a user's pointer, which the
 * registering functions got as one more argument. In the calling conventions of x86-64 and AArch64
 * an argument too many does no harm, so it is always passed; a callback's two arguments come as two
 * words, told apart by the version that install() was given (struct qemu_info).
 *
 * QEMU binds these names when it loads the plugin, and does not start if one is missing: only what
 * all versions have is declared here.
 */
#ifndef KLAB_AMPLIFY_QEMU_PLUGIN_H
#define KLAB_AMPLIFY_QEMU_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QEMU_PLUGIN_API_OLDEST 4
#define QEMU_PLUGIN_API_NEWEST 7
#define QEMU_PLUGIN_API_UDATA 7	/* the first with a user's pointer everywhere */

#define QEMU_PLUGIN_EXPORT __attribute__((visibility("default")))
#define QEMU_PLUGIN_CB_NO_REGS 0 /* the callback looks at no registers */
#define QEMU_PLUGIN_MEM_RW 3	 /* loads and stores */

typedef uint64_t qemu_plugin_id_t;
/* A block that is being translated, and one of its instructions; valid while its callback runs. */
struct qemu_plugin_tb;
struct qemu_plugin_insn;

/* Its beginning, which is all that is read. */
struct qemu_info {
	const char *target_name;
	struct {
		int min, cur;
	} version;
};

/* (id, X) up to version 6, (X, user's pointer) from 7 on. */
typedef void qemu_plugin_two_words(uintptr_t first, uintptr_t second);
typedef void qemu_plugin_one_word(uintptr_t unused);	/* id, or the user's pointer */
typedef void qemu_plugin_exec(unsigned vcpu, void *udata);
typedef void qemu_plugin_access(unsigned vcpu, uint32_t info, uint64_t addr, void *udata);

/* What QEMU looks up in a plugin: the version it was written for, and what it calls once. */
extern QEMU_PLUGIN_EXPORT int qemu_plugin_version;
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info,
					   int argc, char **argv);

/* Call cb(block) at each translation, on the thread of the vCPU that wants the code. */
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, qemu_plugin_two_words *cb,
					   void *udata);
/* Call cb(vCPU) when a halted vCPU goes on, on its thread. */
void qemu_plugin_register_vcpu_resume_cb(qemu_plugin_id_t id, qemu_plugin_two_words *cb,
					 void *udata);
/*
 * Drop all callbacks, then call cb, where they may be registered again. From a vCPU's thread this
 * only queues: cb runs once all vCPUs have left translated code, which is thrown away; until then
 * the callbacks go on. plugins/loader.c; before QEMU 10.0 a second reset deadlocked.
 */
void qemu_plugin_reset(qemu_plugin_id_t id, qemu_plugin_one_word *cb, void *udata);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
/* Copy up to len of the instruction's bytes; returns how many. */
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *dest, size_t len);

/* Call cb(vCPU, udata) before each execution of the instruction. */
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, qemu_plugin_exec *cb,
					    int flags, void *udata);
/* Call cb(vCPU, info, address, udata) after each access to memory that the instruction makes. */
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, qemu_plugin_access *cb,
				      int flags, int rw, void *udata);
bool qemu_plugin_mem_is_store(uint32_t info);

#endif
