// SPDX-License-Identifier: GPL-2.0-or-later
/* What a host of libvirt's says of itself: any text is read, and times are never negative. */
#include "guest/libvirt_host.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(libvirt_host) host = g_new0(struct libvirt_host, 1);
	g_autofree char *text = g_strndup((const char *)data, size);

	libvirt_host_read_caps(text, host);
	libvirt_host_read_domcaps(text, host);
	if (libvirt_volume_mtime(text) < 0 || (host->emulator && strlen(host->emulator) > 1000))
		abort();
	return 0;
}
