// SPDX-License-Identifier: GPL-2.0-or-later
/* A host of libvirt's: what it says of itself. See libvirt_host.h. */
#include "guest/libvirt_host.h"

#include <libxml/xmlreader.h>
#include <string.h>

#define LOOK_MS 180000 /* a host that asks each of its QEMUs takes 45 s and more */
#define CHECK_MS 10000
#define XML_OPTIONS (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)

void libvirt_host_free(struct libvirt_host *host)
{
	if (!host)
		return;
	g_free(host->hostname);
	g_free(host->cpu);
	g_free(host->arch);
	g_free(host->driver);
	g_free(host->libvirt);
	g_free(host->emulator);
	g_free(host->no_emulator);
	g_free(host);
}

/* --- its XML -----------------------------------------------------------------------------------
 */

static char *take(xmlChar *text)
{
	char *copy = text ? g_strstrip(g_strndup((char *)text, 1000)) : NULL;

	xmlFree(text);
	return copy;
}

static void set(char **field, char *value)
{
	g_free(*field);
	*field = value;
}

typedef void (*on_element)(xmlTextReaderPtr reader, const char *name, int depth, void *user);

/* Every element from its start, until the text is no XML any more. */
static void walk(const char *xml, on_element take_element, void *user)
{
	xmlTextReaderPtr reader = xmlReaderForMemory(xml, strlen(xml), NULL, NULL, XML_OPTIONS);

	while (reader && xmlTextReaderRead(reader) == 1) {
		int type = xmlTextReaderNodeType(reader);

		if (type == XML_READER_TYPE_DOCUMENT_TYPE)
			break; /* libvirt declares nothing */
		if (type == XML_READER_TYPE_ELEMENT)
			take_element(reader, (const char *)xmlTextReaderConstLocalName(reader),
				     xmlTextReaderDepth(reader), user);
	}
	if (reader)
		xmlFreeTextReader(reader);
}

static void take_cap(xmlTextReaderPtr reader, const char *name, int depth, void *user)
{
	struct libvirt_host *host = user;

	/* the host's come first, those of guests after them */
	if (depth == 3 && !strcmp(name, "model") && !host->cpu)
		host->cpu = take(xmlTextReaderReadString(reader));
	else if (depth == 3 && !strcmp(name, "arch") && !host->arch)
		host->arch = take(xmlTextReaderReadString(reader));
}

void libvirt_host_read_caps(const char *xml, struct libvirt_host *ret)
{
	walk(xml, take_cap, ret);
}

static void take_domcap(xmlTextReaderPtr reader, const char *name, int depth, void *user)
{
	struct libvirt_host *host = user;
	g_autofree char *type = NULL;

	if (depth == 1 && !strcmp(name, "path"))
		set(&host->emulator, take(xmlTextReaderReadString(reader)));
	if (depth != 1 || strcmp(name, "domain") != 0)
		return;
	type = take(xmlTextReaderReadString(reader));
	host->qemu |= !g_strcmp0(type, "qemu");
	host->kvm |= !g_strcmp0(type, "kvm");
}

void libvirt_host_read_domcaps(const char *xml, struct libvirt_host *ret)
{
	walk(xml, take_domcap, ret);
}

/* --- looking -----------------------------------------------------------------------------------
 */

struct look {
	char *emulator;
	struct libvirt_host *host;
};

static void look_clear(gpointer box)
{
	struct look *look = box;

	g_free(look->emulator);
	libvirt_host_free(look->host);
}

/* Free memory and what caches would give back, as `free` has it under "available". */
static uint64_t free_memory_mib(virConnectPtr conn)
{
	static const char *const counted[] = { VIR_NODE_MEMORY_STATS_FREE,
					       VIR_NODE_MEMORY_STATS_BUFFERS,
					       VIR_NODE_MEMORY_STATS_CACHED, NULL };
	virNodeMemoryStats stats[16];
	int n = G_N_ELEMENTS(stats);
	uint64_t kib = 0;

	if (virNodeGetMemoryStats(conn, VIR_NODE_MEMORY_STATS_ALL_CELLS, stats, &n, 0))
		return virNodeGetFreeMemory(conn) >> 20;
	for (int i = 0; i < n; i++)
		if (g_strv_contains(counted, stats[i].field))
			kib += stats[i].value;
	return kib >> 10;
}

/* One type of domain that the host offers for this emulator, or not. */
static bool ask_type(virConnectPtr conn, const char *emulator, const char *type,
		     struct libvirt_host *host)
{
	char *xml = virConnectGetDomainCapabilities(conn, emulator, "x86_64", "pc", type, 0);

	if (xml)
		libvirt_host_read_domcaps(xml, host);
	free(xml);
	return xml != NULL;
}

static void ask_types(virConnectPtr conn, const char *emulator, struct libvirt_host *host)
{
	g_autoptr(GError) why = NULL;

	/* the last to be asked names the emulator: with TCG, which is always there */
	ask_type(conn, emulator, "kvm", host);
	if (!ask_type(conn, emulator, "qemu", host) && !host->emulator) {
		lab_fail_libvirt(&why, "no QEMU for x86-64");
		/* whoever asked has better advice */
		host->no_emulator = g_strndup(why->message, strcspn(why->message, "\n"));
	}
}

static bool check_work(virConnectPtr conn, void *box, GError **error)
{
	const char *driver = virConnectGetType(conn);

	return !g_strcmp0(driver, "QEMU") ||
	       lab_fail(error, LAB_ERROR_UNSUPPORTED,
			"this is libvirt's %s driver, which runs no QEMU guests\n"
			"hint: qemu:///embed, qemu:///system, qemu+ssh://HOST/system",
			driver ? driver : "unknown");
}

bool libvirt_host_check(struct libvirt_conn *c, GError **error)
{
	return libvirt_run(c, check_work, NULL, NULL, CHECK_MS, error) ||
	       lab_prefix(error, "'%s'", c->uri);
}

static void ask_names(virConnectPtr conn, struct libvirt_host *host)
{
	char *hostname = virConnectGetHostname(conn);
	unsigned long version = 0;
	virNodeInfo node;

	host->hostname = g_strdup(hostname);
	free(hostname);
	host->driver = g_strdup(virConnectGetType(conn));
	virConnectGetLibVersion(conn, &version);
	host->libvirt = g_strdup_printf("%lu.%lu.%lu", version / 1000000, version / 1000 % 1000,
					version % 1000);
	host->cpus = virNodeGetInfo(conn, &node) ? 0 : node.cpus;
	host->free_mib = free_memory_mib(conn);
}

static bool look_work(virConnectPtr conn, void *box, GError **error)
{
	struct look *look = box;
	struct libvirt_host *host = look->host;
	int64_t began = g_get_monotonic_time();
	char *caps = check_work(conn, NULL, error) ? virConnectGetCapabilities(conn) : NULL;

	if (!caps)
		return lab_fail_libvirt(error, "capabilities");
	libvirt_host_read_caps(caps, host);
	free(caps);
	ask_names(conn, host);
	ask_types(conn, look->emulator, host);
	host->answer_s = (g_get_monotonic_time() - began) / 1e6;
	began = g_get_monotonic_time();
	if (host->emulator)
		ask_type(conn, look->emulator, "qemu", host);
	host->again_s = (g_get_monotonic_time() - began) / 1e6;
	return true;
}

bool libvirt_host_look(struct libvirt_conn *c, const char *emulator, struct libvirt_host **ret,
		       GError **error)
{
	struct look *look = g_atomic_rc_box_new0(struct look);
	bool ok;

	look->emulator = g_strdup(emulator);
	look->host = g_new0(struct libvirt_host, 1);
	ok = libvirt_run(c, look_work, look, look_clear, LOOK_MS, error);
	if (ok)
		*ret = g_steal_pointer(&look->host);
	g_atomic_rc_box_release_full(look, look_clear);
	return ok;
}
