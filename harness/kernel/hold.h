/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keep an image of the cache from being collected (kernel/gc.h) as long as this process lives, and
 * note that it was used now: its modification time is that of its last use.
 */
#ifndef KLAB_KERNEL_HOLD_H
#define KLAB_KERNEL_HOLD_H

#include "base/lab.h"

/* `image` is the path of an image of the store; any other file is left alone (true). False: it was
 * collected meanwhile, look for it anew. Threads: main thread only. */
bool kernel_hold(const char *image);

#endif
