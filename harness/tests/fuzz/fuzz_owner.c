// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of domains and volumes on a host are anybody's: each has an answer, and klab's own the
 * right one. */
#include "guest/owner.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, MIN(size, 4096));
	g_autofree char *name = owner_domain_name(text);

	if ((unsigned)owner_of(text, "klab") > OWNER_ELSEWHERE ||
	    owner_of(name, "klab") != OWNER_ALIVE)
		abort();
	return 0;
}
