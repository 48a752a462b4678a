/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Do the detectors detect, on this host, with this engine? See run/canary.h. */
#ifndef KLAB_CMD_SELFTEST_H
#define KLAB_CMD_SELFTEST_H

#include "cmd/lab.h"

/*
 * Run all canaries, unless this klab passed with this engine since the host's boot; the lab's engine is
 * open. What goes wrong becomes the engine's trouble, so that verdicts are infra and say why. False
 * only when the user stops it (LAB_ERROR_INTERRUPTED).
 */
bool selftest_ensure(struct lab *lab, unsigned jobs, GError **error);

#endif
