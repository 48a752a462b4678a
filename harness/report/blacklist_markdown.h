/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON twin as a page for people, in the Markdown that GitHub and GitLab show. Pure. */
#ifndef KLAB_REPORT_BLACKLIST_MARKDOWN_H
#define KLAB_REPORT_BLACKLIST_MARKDOWN_H

#include <glib.h>
#include <jansson.h>

/* The page of a document of blacklist_json(); same document, same bytes. Caller frees. */
char *blacklist_markdown(const json_t *document);

#endif
