/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a kernel function's name says about a stack: waiting loop, noise, NMI, BPF. One table for the
 * console parser and for the judge of hangs; names of 3.10 to 7.x, suffixes like .part.0 ignored.
 */
#ifndef KLAB_PARSE_FRAMES_H
#define KLAB_PARSE_FRAMES_H

#include <stdbool.h>

/* The waiting loop of a lock, of a cross call, or of stop_machine. */
bool frame_spins(const char *symbol);
/* The waiting loop of a cross call: other CPUs must take an interrupt to end it. */
bool frame_awaits_ipi(const char *symbol);
/* Says nothing about who waits for what: lock internals, entry code, fault and report glue. */
bool frame_is_noise(const char *symbol);
/* Of that, what may well fail itself: scheduler, entry code, timers, watchdogs. */
bool frame_is_machinery(const char *symbol);
/* Gives, takes back or checks memory for others. */
bool frame_is_allocator(const char *symbol);
/* Entry or dispatch of a non-maskable interrupt. */
bool frame_is_nmi(const char *symbol);
/* The context that this entry function begins: "nmi", "irq", "int3"; NULL for all others. */
const char *frame_context(const char *symbol);
/* BPF's run-time or a JITed program. */
bool frame_is_bpf(const char *symbol);

#endif
