/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program that does nothing but end: what probes exec, as the guest has no other than the agent.
 */
#ifndef KLAB_PROBE_TINY_EXEC_H
#define KLAB_PROBE_TINY_EXEC_H

#define TINY_EXEC_PATH "/tmp/tiny"

/* Write it to TINY_EXEC_PATH. 0 or a negative errno. */
int tiny_exec_make(void);

#endif
