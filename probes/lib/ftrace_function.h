/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions that the function tracer can trace, and filters that name them.
 * Functions that return int return 0 or a negative errno unless they say otherwise.
 */
#ifndef KLAB_PROBE_FTRACE_FUNCTION_H
#define KLAB_PROBE_FTRACE_FUNCTION_H

#include "probes/lib/trace_instance.h"

#include <stdbool.h>

struct ftrace_function {
	char name[64];  /* "": none */
	char token[64]; /* what a filter takes for it */
};

/* Show each function that can be traced to meet(), with its place in the list, from 1. */
int ftrace_function_list(void (*meet)(const char *name, unsigned index));
/* Which system call of a list is name the function of, by the prefixes of all kernels? Its index,
 * or -1. */
int ftrace_function_call(const char *name, const char *const *calls, unsigned n);
/* Its token is its place where the kernel takes that (5.1): by name the kernel walks and decodes
 * all its symbols. */
void ftrace_function_set(struct ftrace_function *f, const char *name, unsigned index);
/* Its token is its name. */
void ftrace_function_by_name(struct ftrace_function *f);
/* Let it join or leave a file that holds a set of functions. */
int ftrace_function_filter(const struct trace_instance *t, const char *file,
			   const struct ftrace_function *f, bool on);

#endif
