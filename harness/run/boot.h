/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One guest for a user: a command or a shell in a kernel, its streams carried through unharmed, its
 * exit code brought back. No journal and no verdict.
 */
#ifndef KLAB_RUN_BOOT_H
#define KLAB_RUN_BOOT_H

#include "guest/guest.h"
#include "run/job.h"

#include <signal.h>

#define BOOT_ARGV_MAX 6000	/* bytes of a command, as JSON */

enum boot_stream { BOOT_STDOUT, BOOT_STDERR, BOOT_CONSOLE };

enum boot_end {
	BOOT_EXITED,		/* `code` */
	BOOT_SIGNALLED,		/* the command died of signal `code` */
	BOOT_NOT_EXECUTED,	/* errno `code` */
	BOOT_KERNEL_FAILED,	/* panic, oops: `title` and `excerpt` */
	BOOT_POWEROFF,		/* the guest ended itself, without a word of why */
	BOOT_LEFT,		/* Ctrl-A X */
	BOOT_TIMEOUT,		/* limit_s passed */
	BOOT_INTERRUPTED,
};

struct boot_window {
	unsigned rows, cols;	/* 0: not known */
};

struct boot_params {
	const struct guest_backend *backend;
	const struct job_host *host;	/* of the libvirt backend; else NULL */
	const struct engine *engine;
	const char *image, *initrd, *accel, *cpu_model;
	const char *append;		/* more of the kernel's command line, or NULL */
	unsigned smp, mem_mib;
	const char *const *argv;	/* NULL-terminated, UTF-8 */
	const char *const *env;		/* "NAME=VALUE", NULL-terminated */
	bool tty;			/* a terminal on both sides: raw bytes, Ctrl-A is ours */
	bool keep_going;		/* an oops does not end the guest */
	int in_fd;			/* what the command's stdin reads */
	unsigned boot_limit_s, limit_s;	/* to the hello; overall, 0: none */
	const volatile sig_atomic_t *interrupted;	/* may be NULL */
	/* False (with *error) when it cannot be written. Blocks as long as the reader does. */
	bool (*output)(enum boot_stream stream, const void *data, size_t len, void *user,
		       GError **error);
	void (*help)(void *user);	/* Ctrl-A H; may be NULL */
	struct boot_window (*window)(void *user);	/* the terminal's size now; NULL: none */
	void *user;
};

struct boot_result {
	enum boot_end end;
	int code;
	char *title, *excerpt;	/* of BOOT_KERNEL_FAILED, or NULL */
};
typedef struct boot_result boot_result;
void boot_result_clear(struct boot_result *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(boot_result, boot_result_clear)

/*
 * Run it to its end; the guest is gone then. False: the lab failed (no engine, no hello within the
 * limit, output lost on the way, LAB_ERROR_USAGE for a command that is too long or not UTF-8). Main
 * thread only.
 */
bool boot_run(const struct boot_params *params, struct boot_result *ret, GError **error);

#endif
