/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A catalogue out of a test's text. */
#ifndef MATRIX_FIXTURE_H
#define MATRIX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "conf/matrix.h"

#include <string.h>

static inline struct matrix *parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	struct matrix *m = NULL;

	if (!matrix_parse("m.yaml", text, strlen(text), &m, &error))
		fail_msg("%s", error->message);
	return m;
}

#endif
