/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Under what the kernel runs, where a workload must know. */
#ifndef KLAB_PROBE_ENGINE_H
#define KLAB_PROBE_ENGINE_H

#include <stdbool.h>

/* Is every instruction translated by QEMU (TCG)? Then code that all CPUs run must not be patched
 * while they run it (stale translations look like a kernel's fault), and interrupts are dear. */
bool engine_emulates(void);

#endif
