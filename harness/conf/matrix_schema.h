/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of kernels.yaml's keys (matrix_keys.h), for editors and for people. Pure. */
#ifndef KLAB_CONF_MATRIX_SCHEMA_H
#define KLAB_CONF_MATRIX_SCHEMA_H

#include <jansson.h>

/* JSON Schema 2020-12; a new reference. */
json_t *matrix_schema_json(void);
/* The table of docs/kernels.md, g_free. */
char *matrix_schema_markdown(void);
/* Lines for a terminal, g_free. */
char *matrix_schema_text(void);

#endif
