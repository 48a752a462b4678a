/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `hosts:` of kernels.yaml and its drop-ins: where else guests may run, by names for --connect.
 *
 *	hosts:
 *	  - name: lab1				# what --connect takes
 *	    uri: qemu+ssh://root@lab1/system	# as of virsh -c
 *	    pool: klab				# storage pool for kernels (default: default)
 *	    emulator: /opt/qemu/bin/qemu-system-x86_64	# default: what the host offers
 *	    max-guests: 4			# at once, of one klab run (default: as many as -j
 *says)
 */
#ifndef KLAB_CONF_HOSTS_H
#define KLAB_CONF_HOSTS_H

#include "conf/doc.h"

#include <jansson.h>

#define HOSTS_MAX 1000
#define HOSTS_URI_MAX 1000 /* bytes */
#define HOSTS_GUESTS_MAX 1024
#define HOSTS_WORD_MORE "._+-" /* of names and pools, beside letters and digits */

struct host_spec {
	char *name; /* NULL: the user gave a bare URI */
	char *uri;
	char *pool;          /* NULL: "default", which is never made */
	char *emulator;      /* absolute path on the host; NULL: what it offers */
	unsigned max_guests; /* 0: no limit of the host's own */
	unsigned line;
};
typedef struct host_spec host_spec;
void host_spec_free(struct host_spec *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(host_spec, host_spec_free)

/* Append the items of the list `node` to `hosts` (of struct host_spec *); of two with one name in a
 * file the second is an error, a later file's is left out: so with `first`, the number of those
 * that earlier files gave. */
void hosts_read(const struct doc_node *node, GPtrArray *hosts, guint first,
		struct doc_errors *errors);
/* NULL, or what is wrong with a URI: "has no scheme ..."; a sentence begins with the URI. */
const char *hosts_uri_trouble(const char *uri);
/*
 * What --connect means: a URI (it has "://"), or the name of a host. A URI that a host of the list
 * has gets that one's other keys. LAB_ERROR_USAGE, with "did you mean". `hosts` may be NULL.
 */
bool hosts_find(const GPtrArray *hosts, const char *connect, struct host_spec **ret,
		GError **error);
/* The items' JSON Schema, a new reference. */
json_t *hosts_schema_json(void);

#endif
