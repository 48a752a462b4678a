// SPDX-License-Identifier: GPL-2.0-or-later
/* libxml2's reader, element by element; a document that declares anything of its own is refused. */
#include "kernel/rpmrepo.h"

#include "base/vercmp.h"
#include "kernel/download.h"
#include "kernel/unpack.h"

#include <libxml/xmlreader.h>

#define DEPTH_MAX 16
#define PRIMARY_MAX (UINT64_C(2) << 30)
#define OPTIONS (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)

static void reader_free(xmlTextReader *reader)
{
	xmlFreeTextReader(reader);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlTextReader, reader_free)

/* One package, or one <data> of repomd.xml, as far as it was read. */
struct item {
	char *name, *arch, *checksum, *href, *epoch, *ver, *rel;
};
typedef struct item item;

static void item_clear(struct item *i)
{
	g_free(i->name);
	g_free(i->arch);
	g_free(i->checksum);
	g_free(i->href);
	g_free(i->epoch);
	g_free(i->ver);
	g_free(i->rel);
	*i = (struct item){ 0 };
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(item, item_clear)

void rpm_entry_clear(struct rpm_entry *entry)
{
	g_clear_pointer(&entry->version, g_free);
	g_clear_pointer(&entry->href, g_free);
	g_clear_pointer(&entry->hash, g_free);
}

static char *take(xmlChar *text)
{
	char *copy = text ? g_strstrip(g_strndup((char *)text, 4096)) : NULL;

	xmlFree(text);
	return copy;
}

static char *attribute(xmlTextReader *reader, const char *name)
{
	return take(xmlTextReaderGetAttribute(reader, (const xmlChar *)name));
}

static void set(char **field, char *value)
{
	g_free(*field);
	*field = value;
}

static void read_child(xmlTextReader *reader, struct item *item)
{
	const char *name = (const char *)xmlTextReaderConstLocalName(reader);

	if (!strcmp(name, "name")) {
		set(&item->name, take(xmlTextReaderReadString(reader)));
	} else if (!strcmp(name, "arch")) {
		set(&item->arch, take(xmlTextReaderReadString(reader)));
	} else if (!strcmp(name, "checksum")) {
		set(&item->checksum, take(xmlTextReaderReadString(reader)));
	} else if (!strcmp(name, "version")) {
		set(&item->epoch, attribute(reader, "epoch"));
		set(&item->ver, attribute(reader, "ver"));
		set(&item->rel, attribute(reader, "rel"));
	} else if (!strcmp(name, "location")) {
		set(&item->href, attribute(reader, "href"));
	}
}

/*
 * Step through the document. An item is an element of depth 1 (its children are read into *item);
 * 1: at the end of one, 0: no more, -1: damaged.
 */
static int next_item(xmlTextReader *reader, const char *element, struct item *item)
{
	int rc;

	while ((rc = xmlTextReaderRead(reader)) == 1) {
		int type = xmlTextReaderNodeType(reader), depth = xmlTextReaderDepth(reader);
		const char *name = (const char *)xmlTextReaderConstLocalName(reader);

		if (type == XML_READER_TYPE_DOCUMENT_TYPE ||
		    type == XML_READER_TYPE_ENTITY_REFERENCE || depth > DEPTH_MAX)
			return -1;
		if (type == XML_READER_TYPE_ELEMENT && depth == 1) {
			item_clear(item);
			item->name = attribute(reader, "type");
		} else if (type == XML_READER_TYPE_ELEMENT && depth == 2) {
			read_child(reader, item);
		} else if (type == XML_READER_TYPE_END_ELEMENT && depth == 1 &&
			   !g_strcmp0(name, element)) {
			return 1;
		}
	}
	return rc;
}

static bool has_file(const struct item *item)
{
	return download_hash_ok(item->checksum) && download_name_ok(item->href);
}

static bool fail_xml(const char *what, GError **error)
{
	return lab_fail(error, LAB_ERROR_INPUT, "%s is no whole metadata of an rpm repository",
			what);
}

bool rpm_repomd_parse(const char *text, size_t len, struct rpm_entry *ret, GError **error)
{
	g_autoptr(xmlTextReader) reader =
		len > 0 && len <= G_MAXINT
			? xmlReaderForMemory(text, (int)len, "repomd.xml", NULL, OPTIONS)
			: NULL;
	g_auto(item) item = { 0 };
	int rc = reader ? 1 : -1;

	while (rc == 1 && (rc = next_item(reader, "data", &item)) == 1)
		if (!g_strcmp0(item.name, "primary"))
			break;
	if (rc < 0)
		return fail_xml("repomd.xml", error);
	if (!rc || !has_file(&item))
		return lab_fail(error, LAB_ERROR_INPUT,
				"repomd.xml names no list of packages by its sha256 or sha512");
	ret->href = g_steal_pointer(&item.href);
	ret->hash = g_steal_pointer(&item.checksum);
	return true;
}

/* ---- primary.xml ---- */

static char *item_version(const struct item *item)
{
	bool has_epoch = item->epoch && *item->epoch && strcmp(item->epoch, "0") != 0;

	if (!item->ver || !item->rel)
		return NULL;
	return g_strdup_printf("%s%s%s-%s", has_epoch ? item->epoch : "", has_epoch ? ":" : "",
			       item->ver, item->rel);
}

static void consider(struct item *item, const struct rpm_query *query, struct rpm_entry *best)
{
	g_autofree char *version = NULL;

	if (g_strcmp0(item->name, query->name) || g_strcmp0(item->arch, "x86_64") ||
	    !has_file(item) || !(version = item_version(item)) ||
	    (query->version && strcmp(query->version, version) != 0) ||
	    (best->version && vercmp_rpm(version, best->version) <= 0))
		return;
	rpm_entry_clear(best);
	best->version = g_steal_pointer(&version);
	best->href = g_steal_pointer(&item->href);
	best->hash = g_steal_pointer(&item->checksum);
}

struct input {
	struct unpack *file;
	GError *error;
};

static int input_read(void *user, char *data, int len)
{
	struct input *in = user;

	return in->error ? -1 : (int)unpack_next(in->file, data, MAX(len, 0), &in->error);
}

static int input_close(void *user)
{
	return 0;
}

static bool search(xmlTextReader *reader, const char *path, const struct rpm_query *query,
		   struct rpm_entry *ret, GError **error)
{
	g_auto(rpm_entry) best = { 0 };
	g_auto(item) item = { 0 };
	int rc;

	while ((rc = next_item(reader, "package", &item)) == 1)
		consider(&item, query, &best);
	if (rc < 0)
		return fail_xml(path, error);
	if (!best.href)
		return lab_fail(error, LAB_ERROR_UNAVAILABLE, "'%s%s%s' is not in the repository",
				query->name, query->version ? "-" : "",
				query->version ? query->version : "");
	*ret = best;
	best = (struct rpm_entry){ 0 };
	return true;
}

/* What is done with the packages of a file: one is looked for, or each is shown. */
struct errand {
	const char *path;
	const struct rpm_query *query;
	struct rpm_entry *ret;
	rpm_visit visit; /* or NULL */
	void *user;
};

static bool show_all(xmlTextReader *reader, const struct errand *e, GError **error)
{
	g_auto(item) item = { 0 };
	int rc;

	while ((rc = next_item(reader, "package", &item)) == 1) {
		g_autofree char *version = item_version(&item);

		if (version && item.name && has_file(&item) && !g_strcmp0(item.arch, "x86_64"))
			e->visit(item.name, version, e->user);
	}
	return !rc || fail_xml(e->path, error);
}

static bool read_primary(const struct errand *e, GError **error)
{
	g_autoptr(unpack) file = unpack_open(e->path, PRIMARY_MAX, error);
	struct input in = { .file = file };
	bool ok;

	if (!file)
		return false;
	g_autoptr(xmlTextReader) reader =
		xmlReaderForIO(input_read, input_close, &in, "primary.xml", NULL, OPTIONS);

	if (!reader)
		ok = fail_xml(e->path, error);
	else
		ok = e->visit ? show_all(reader, e, error)
			      : search(reader, e->path, e->query, e->ret, error);
	/* What the file itself is wrong with says more than where the XML ended. */
	if (!ok && in.error) {
		g_clear_error(error);
		g_propagate_error(error, g_steal_pointer(&in.error));
	}
	g_clear_error(&in.error);
	return ok;
}

bool rpm_primary_find(const char *path, const struct rpm_query *query, struct rpm_entry *ret,
		      GError **error)
{
	const struct errand e = { .path = path, .query = query, .ret = ret };

	return read_primary(&e, error);
}

bool rpm_primary_each(const char *path, rpm_visit visit, void *user, GError **error)
{
	const struct errand e = { .path = path, .visit = visit, .user = user };

	return read_primary(&e, error);
}
