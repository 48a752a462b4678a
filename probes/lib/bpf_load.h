/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every probe with BPF programs does before it loads them, and when it cannot. */
#ifndef KLAB_PROBE_BPF_LOAD_H
#define KLAB_PROBE_BPF_LOAD_H

#include "probes/lib/probe.h"

/* BPF memory counts as locked below 5.11; libbpf is silent from now on. */
void bpf_load_prepare(void);
/* Given libbpf's error, a negative errno: skips, naming the option that is missing. */
enum probe_result bpf_load_skip(struct probe_run *run, int err);

#endif
