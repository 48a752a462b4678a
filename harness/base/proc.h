/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Child programs that we wait for: bounded in time and output, and dead when we are.
 *
 * PR_SET_PDEATHSIG follows the *thread* that forked: call these from the main thread only.
 */
#ifndef KLAB_BASE_PROC_H
#define KLAB_BASE_PROC_H

#include "base/lab.h"

#include <sys/types.h>

struct proc_spec {
	const char *const *argv;	/* NULL-terminated; argv[0] is looked up in PATH */
	const char *const *env;		/* "NAME=VALUE" added to ours, NULL-terminated, or NULL */
	const char *cwd;		/* NULL: ours */
	unsigned timeout_s;		/* 0: none (only for commands the user watches) */
	size_t output_max;		/* bytes of stdout+stderr kept (the tail), 0: 1 MiB */
	/* Called for each complete output line (without newline), for progress; may be NULL. */
	void (*on_line)(const char *line, void *user);
	void *user;
};

/*
 * Run to the end. *ret_output (may be NULL) gets stdout and stderr as they came. A non-zero exit or
 * a timeout is an error that names the program and quotes the last lines. *ret_status (may be NULL)
 * gets the exit code; then only failing to run, a deadly signal and timeouts are errors. A program
 * that is not installed is LAB_ERROR_UNAVAILABLE, a timeout LAB_ERROR_TIMEOUT (SIGTERM to its
 * process group, SIGKILL two seconds later). What the program left running in its group is killed.
 */
bool proc_run(const struct proc_spec *spec, char **ret_output, int *ret_status, GError **error);

/*
 * Start a program that goes on beside us, for the caller to reap: in a process group of its own (a
 * terminal's Ctrl-C reaches us alone), dead when we are; what it says goes to the file `log`.
 * argv[0] is a path. A program that cannot be executed ends with 127. Returns its pid, or -1.
 */
pid_t proc_start(const char *const *argv, const char *log, GError **error);
/* End it and all that it started and that started from there, and reap it. */
void proc_end(pid_t pid);

/* In a child between fork and exec: die by `sig` when the parent dies; false if it is gone. */
bool proc_die_with_parent(pid_t parent, int sig);

#endif
