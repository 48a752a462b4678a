// SPDX-License-Identifier: GPL-2.0-or-later
/* See jsonl.h. */
#include "parse/jsonl.h"

#include <string.h>

json_t *jsonl_parse(char *text)
{
	json_t *list = json_array();
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		json_t *object = json_loads(line, 0, NULL);

		if (!json_is_object(object)) {
			json_decref(object);
			break;
		}
		json_array_append_new(list, object);
	}
	return list;
}
