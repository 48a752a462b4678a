/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table of cheap system calls whose results depend neither on when nor on which CPU they are
 * made: made once, then made again to see whether they still give the same.
 */
#ifndef KLAB_PROBE_KNOWN_CALLS_H
#define KLAB_PROBE_KNOWN_CALLS_H

#include <stdbool.h>

#define KNOWN_CALLS_MAX 128

/* Make all of them. 0 or a negative errno. */
int known_learn(void);
/* How many there are; each has an index from 0. */
unsigned known_count(void);
/* The kernel's name for it, without a prefix such as "__x64_sys_". */
const char *known_name(unsigned i);
/* The result that it must give, or a negative errno; a descriptor counts as 0. */
long known_want(unsigned i);
/* Make it again; cpu (a worker's number) chooses the buffer. True: as it must be, or not known. */
bool known_check(unsigned i, unsigned cpu, long *ret_got);
/* Restore what known_learn() changed. */
void known_forget(void);

#endif
