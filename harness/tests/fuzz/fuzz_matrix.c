// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kernels.yaml from anybody: any bytes give a matrix or a message that is text. What stands before
 * a first NUL is what a user typed after -k.
 */
#include "conf/matrix.h"

#define PATTERN_MAX 64 /* fnmatch(3) takes exponential time for what nobody types */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(const GError *error)
{
	if (error && !g_utf8_validate(error->message, -1, NULL))
		g_error("the message is no text");
}

static void check_spec(const struct kernel_spec *spec)
{
	if (!spec->id || !spec->source)
		g_error("a kernel without an id or a source");
	if ((!strcmp(spec->source, "deb") || !strcmp(spec->source, "rpm")) &&
	    !spec->keyring + !spec->sha256 + !spec->verify_none != 2)
		g_error("'%s': not one way to verify", spec->id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, 0, MIN(size, PATTERN_MAX));
	g_autofree char *typed = nul ? g_strdup((const char *)data) : NULL;
	size_t skip = nul ? nul - data + 1 : 0;
	const char *const patterns[] = { typed, NULL };
	g_autoptr(GError) error = NULL, why = NULL;
	g_autoptr(GPtrArray) chosen = NULL;
	g_autoptr(matrix) m = NULL;

	if (matrix_parse("fuzz", (const char *)data + skip, size - skip, &m, &error) ==
	    (error != NULL))
		g_error("success and error disagree");
	check_message(error);
	for (unsigned i = 0; m && i < m->kernels->len; i++)
		check_spec(m->kernels->pdata[i]);
	if (m && matrix_select(m, patterns, &chosen, &why) == (why != NULL))
		g_error("choice and error disagree");
	return 0;
}
