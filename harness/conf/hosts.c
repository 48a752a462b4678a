// SPDX-License-Identifier: GPL-2.0-or-later
/* Hosts by name: from YAML, and for --connect. See hosts.h. */
#include "conf/hosts.h"

#include "conf/matrix_keys.h"
#include "conf/suggest.h"

#include <string.h>

#define PATH_MAX_BYTES 1000

static const char *const host_keys[] = { "name", "uri", "pool", "emulator", "max-guests", NULL };

void host_spec_free(struct host_spec *host)
{
	if (!host)
		return;
	g_free(host->name);
	g_free(host->uri);
	g_free(host->pool);
	g_free(host->emulator);
	g_free(host);
}

/* Without libvirt's QEMU driver there is no monitor; its test driver is for tests. */
static bool scheme_is_good(const char *scheme)
{
	return !strcmp(scheme, "qemu") || g_str_has_prefix(scheme, "qemu+") ||
	       !strcmp(scheme, "test") || g_str_has_prefix(scheme, "test+");
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (!g_ascii_isprint(*text))
			return false;
	return true;
}

const char *hosts_uri_trouble(const char *uri)
{
	g_autofree char *scheme = g_uri_parse_scheme(uri);

	if (strlen(uri) > HOSTS_URI_MAX)
		return "is longer than 1000 bytes";
	if (!scheme || !strstr(uri, "://"))
		return "is no URI of libvirt's, such as qemu+ssh://root@host/system";
	if (!is_printable(uri) || strchr(uri, ' ') || !g_uri_is_valid(uri, G_URI_FLAGS_NONE, NULL))
		return "is no valid URI";
	return scheme_is_good(scheme) ? NULL : "is of another hypervisor: klab's guests want qemu";
}

/* --- from YAML ----------------------------------------------------------------------------- */

static char *read_word(const struct doc_node *node, const char *key, bool needed,
		       struct doc_errors *errors)
{
	const char *text =
		needed ? doc_need_text(node, key, errors) : doc_get_text(node, key, errors);

	if (text && (strlen(text) > MATRIX_ID_MAX || !matrix_word_is_good(text, HOSTS_WORD_MORE)))
		doc_error(doc_get(node, key), errors,
			  "'%s' wants letters, digits and %s, at most %d, not '%s'", key,
			  HOSTS_WORD_MORE, MATRIX_ID_MAX, text);
	return g_strdup(text);
}

static char *read_uri(const struct doc_node *node, struct doc_errors *errors)
{
	const char *uri = doc_need_text(node, "uri", errors);
	const char *why = uri ? hosts_uri_trouble(uri) : NULL;

	if (why)
		doc_error(doc_get(node, "uri"), errors, "'%s' %s", uri, why);
	return g_strdup(uri);
}

/* A path on that host, which nobody can complete from here. */
static char *read_emulator(const struct doc_node *node, struct doc_errors *errors)
{
	const char *path = doc_get_text(node, "emulator", errors);

	if (path && (*path != '/' || !is_printable(path) || strlen(path) > PATH_MAX_BYTES))
		doc_error(doc_get(node, "emulator"), errors,
			  "'emulator' wants an absolute path on the host");
	return g_strdup(path);
}

static unsigned read_guests(const struct doc_node *node, struct doc_errors *errors)
{
	const char *text = doc_get_text(node, "max-guests", errors);
	guint64 n = 0;

	if (text && !g_ascii_string_to_unsigned(text, 10, 1, HOSTS_GUESTS_MAX, &n, NULL))
		doc_error(doc_get(node, "max-guests"), errors, "'max-guests' wants 1..%d, not '%s'",
			  HOSTS_GUESTS_MAX, text);
	return n;
}

static struct host_spec *read_host(const struct doc_node *node, struct doc_errors *errors)
{
	struct host_spec *host = g_new0(struct host_spec, 1);

	doc_check_keys(node, host_keys, errors);
	host->name = read_word(node, "name", true, errors);
	host->uri = read_uri(node, errors);
	host->pool = read_word(node, "pool", false, errors);
	host->emulator = read_emulator(node, errors);
	host->max_guests = read_guests(node, errors);
	host->line = node->line;
	return host;
}

static int find_name(const GPtrArray *hosts, const char *name)
{
	for (guint i = 0; hosts && name && i < hosts->len; i++)
		if (!g_strcmp0(((struct host_spec *)hosts->pdata[i])->name, name))
			return i;
	return -1;
}

static void add_host(struct host_spec *host, GPtrArray *hosts, guint first,
		     const struct doc_node *at, struct doc_errors *errors)
{
	int twin = find_name(hosts, host->name);

	if (twin >= (int)first)
		doc_error(at, errors, "host '%s' is there already: line %u", host->name,
			  ((struct host_spec *)hosts->pdata[twin])->line);
	if (twin >= 0 || !host->name)
		host_spec_free(host);
	else
		g_ptr_array_add(hosts, host);
}

void hosts_read(const struct doc_node *node, GPtrArray *hosts, guint first,
		struct doc_errors *errors)
{
	if (!doc_want(node, DOC_LIST, "'hosts'", errors))
		return;
	for (guint i = 0; i < node->children->len; i++) {
		const struct doc_node *item = node->children->pdata[i];

		if (hosts->len >= HOSTS_MAX) {
			doc_error(item, errors, "more than %u hosts", HOSTS_MAX);
			return;
		}
		if (doc_want(item, DOC_MAP, "a host", errors))
			add_host(read_host(item, errors), hosts, first, item, errors);
	}
}

/* --- for --connect --------------------------------------------------------------------------- */

static struct host_spec *copy(const struct host_spec *of)
{
	struct host_spec *host = g_new(struct host_spec, 1);

	*host = (struct host_spec){ .name = g_strdup(of->name),
				    .uri = g_strdup(of->uri),
				    .pool = g_strdup(of->pool),
				    .emulator = g_strdup(of->emulator),
				    .max_guests = of->max_guests,
				    .line = of->line };
	return host;
}

static bool find_uri(const GPtrArray *hosts, const char *uri, struct host_spec **ret,
		     GError **error)
{
	const struct host_spec bare = { .uri = (char *)uri }, *found = &bare;
	const char *why = hosts_uri_trouble(uri);

	if (why)
		return lab_fail(error, LAB_ERROR_USAGE, "--connect: '%s' %s", uri, why);
	for (guint i = 0; hosts && i < hosts->len && found == &bare; i++)
		if (!g_strcmp0(((struct host_spec *)hosts->pdata[i])->uri, uri))
			found = hosts->pdata[i];
	*ret = copy(found);
	return true;
}

bool hosts_find(const GPtrArray *hosts, const char *connect, struct host_spec **ret, GError **error)
{
	int at = find_name(hosts, connect);
	g_autofree const char **names = NULL;
	g_autofree char *near = NULL;

	if (strstr(connect, "://"))
		return find_uri(hosts, connect, ret, error);
	if (at >= 0) {
		*ret = copy(hosts->pdata[at]);
		return true;
	}
	names = g_new0(const char *, hosts ? hosts->len + 1 : 1);
	for (guint i = 0; hosts && i < hosts->len; i++)
		names[i] = ((struct host_spec *)hosts->pdata[i])->name;
	near = suggest_phrase(connect, names);
	return lab_fail(
		error, LAB_ERROR_USAGE,
		"--connect: '%s' is neither a URI nor the name of a host%s\n"
		"hint: a URI as of virsh -c, such as qemu+ssh://root@host/system, or a name from "
		"'hosts:' of the kernels file",
		connect, near);
}

json_t *hosts_schema_json(void)
{
	const char *word = "^[A-Za-z0-9][A-Za-z0-9._+-]*$";

	return json_pack("{s:s s:s s:b s:[s s] s:{s:{s:s s:s} s:{s:s s:s s:s} s:{s:s s:s s:s} "
			 "s:{s:s s:s s:s} s:{s:[s s] s:s}}}",
			 "type", "object", "description",
			 "a host of libvirt's that guests may run on", "additionalProperties", 0,
			 "required", "name", "uri", "properties", "name", "type", "string",
			 "pattern", word, "uri", "type", "string", "pattern",
			 "^(qemu|test)([+][a-z0-9]+)?://", "description", "as of virsh -c", "pool",
			 "type", "string", "pattern", word, "description",
			 "storage pool for kernels and initramfs (default: default)", "emulator",
			 "type", "string", "pattern", "^/", "description",
			 "QEMU on that host (default: what it offers)", "max-guests", "type",
			 "integer", "string", "description", "guests at once of one klab run");
}
