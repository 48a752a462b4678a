// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a kernel image: header, payload and embedded config must neither crash nor hang. */
#include "kernel/bzimage.h"
#include "kernel/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autofree char *config = NULL, *unpacked = NULL;
	g_autoptr(GError) error = NULL;
	struct bzimage img;

	if (!bzimage_parse(data, len, len, &img, &error)) {
		if (!error || !*error->message)
			abort();
	} else if (img.payload_offset + img.payload_len > len || !*img.release) {
		abort();
	} else {
		payload_check(data + img.payload_offset, img.payload_len, &config, NULL);
	}
	/* Reaching a payload through a header takes the fuzzer long: also feed it directly. */
	if (len > 8)
		payload_check(data, len, &unpacked, NULL);
	return 0;
}
