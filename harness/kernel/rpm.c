// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The format as rpm's docs/manual/format.md has it: a header is magic, counts, an index of
 * (tag, type, offset, count), and a store of data. Everything is big-endian and bounded by rpm's
 * own limits.
 */
#include "kernel/rpm.h"

#include "base/fs.h"
#include "kernel/gpg.h"

#include <archive.h>

#define LEAD_LEN 96
#define INTRO_LEN 16
#define ENTRY_LEN 16
#define ENTRIES_MAX 65535
#define STORE_MAX (64u << 20)
#define PACKAGE_MAX (512u << 20)

enum {
	TYPE_INT32 = 4,
	TYPE_STRING = 6,
	TYPE_BIN = 7,
	TYPE_STRING_ARRAY = 8,
	TAG_NAME = 1000,
	TAG_VERSION = 1001,
	TAG_RELEASE = 1002,
	TAG_EPOCH = 1003,
	TAG_ARCH = 1022,
	TAG_PAYLOADDIGEST = 5092,
	TAG_PAYLOADDIGESTALGO = 5093,
	SIGTAG_DSA = 267,
	SIGTAG_RSA = 268,
	SIGTAG_PGP = 1002,
	SIGTAG_GPG = 1005,
	ALGO_SHA256 = 8,
};

struct header {
	const uint8_t *index, *store;
	uint32_t entries, store_len;
	struct rpm_span span; /* all of it in the file */
	const uint8_t *file;  /* where the file begins */
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void rpm_facts_clear(struct rpm_facts *facts)
{
	g_clear_pointer(&facts->name, g_free);
	g_clear_pointer(&facts->arch, g_free);
	g_clear_pointer(&facts->version, g_free);
	g_clear_pointer(&facts->payload_sha256, g_free);
}

static bool header_at(const uint8_t *data, size_t len, size_t at, struct header *ret)
{
	static const uint8_t magic[] = { 0x8e, 0xad, 0xe8, 0x01 };
	const uint8_t *p = data + at;
	uint32_t entries, store;
	size_t size;

	if (at > len || len - at < INTRO_LEN || memcmp(p, magic, sizeof(magic)))
		return false;
	entries = be32(p + 8);
	store = be32(p + 12);
	if (entries > ENTRIES_MAX || store > STORE_MAX)
		return false;
	size = INTRO_LEN + (size_t)entries * ENTRY_LEN + store;
	if (len - at < size)
		return false;
	*ret = (struct header){ .index = p + INTRO_LEN,
				.entries = entries,
				.store_len = store,
				.store = p + INTRO_LEN + (size_t)entries * ENTRY_LEN,
				.span = { at, size },
				.file = data };
	return true;
}

/* The data of a tag of that type: bytes to the end of the store, and the count; NULL: none. */
static const uint8_t *find(const struct header *h, uint32_t tag, uint32_t type, size_t *ret_left,
			   uint32_t *ret_count)
{
	for (uint32_t i = 0; i < h->entries; i++) {
		const uint8_t *e = h->index + (size_t)i * ENTRY_LEN;

		if (be32(e) != tag || be32(e + 4) != type || be32(e + 8) >= h->store_len)
			continue;
		*ret_left = h->store_len - be32(e + 8);
		*ret_count = be32(e + 12);
		return h->store + be32(e + 8);
	}
	return NULL;
}

static char *get_string(const struct header *h, uint32_t tag, uint32_t type)
{
	uint32_t count;
	size_t left;
	const char *text = (const char *)find(h, tag, type, &left, &count);

	if (!text || !count || !memchr(text, '\0', left) || !*text ||
	    !g_utf8_validate(text, -1, NULL))
		return NULL;
	return g_strdup(text);
}

static bool get_int(const struct header *h, uint32_t tag, uint32_t *ret)
{
	uint32_t count;
	size_t left;
	const uint8_t *p = find(h, tag, TYPE_INT32, &left, &count);

	if (!p || !count || left < 4)
		return false;
	*ret = be32(p);
	return true;
}

static struct rpm_span get_signature(const struct header *h, uint32_t rsa, uint32_t dsa)
{
	uint32_t count;
	size_t left;
	const uint8_t *p = find(h, rsa, TYPE_BIN, &left, &count);

	if (!p)
		p = find(h, dsa, TYPE_BIN, &left, &count);
	return p && count <= left ? (struct rpm_span){ p - h->file, count }
				  : (struct rpm_span){ 0 };
}

static char *get_version(const struct header *h)
{
	g_autofree char *version = get_string(h, TAG_VERSION, TYPE_STRING);
	g_autofree char *release = get_string(h, TAG_RELEASE, TYPE_STRING);
	uint32_t epoch;

	if (!version || !release)
		return NULL;
	if (get_int(h, TAG_EPOCH, &epoch) && epoch)
		return g_strdup_printf("%u:%s-%s", epoch, version, release);
	return g_strdup_printf("%s-%s", version, release);
}

static char *get_payload_sha256(const struct header *h)
{
	uint32_t algo;

	if (!get_int(h, TAG_PAYLOADDIGESTALGO, &algo) || algo != ALGO_SHA256)
		return NULL;
	return get_string(h, TAG_PAYLOADDIGEST, TYPE_STRING_ARRAY);
}

static bool parse(const uint8_t *data, size_t len, struct rpm_facts *ret)
{
	static const uint8_t magic[] = { 0xed, 0xab, 0xee, 0xdb };
	struct header sig, head;

	if (len < LEAD_LEN || memcmp(data, magic, sizeof(magic)) ||
	    !header_at(data, len, LEAD_LEN, &sig) ||
	    !header_at(data, len, (sig.span.at + sig.span.len + 7) & ~(size_t)7, &head))
		return false;
	ret->name = get_string(&head, TAG_NAME, TYPE_STRING);
	ret->arch = get_string(&head, TAG_ARCH, TYPE_STRING);
	ret->version = get_version(&head);
	ret->header = head.span;
	ret->payload = head.span.at + head.span.len;
	ret->sig_all = get_signature(&sig, SIGTAG_PGP, SIGTAG_GPG);
	ret->sig_head = get_signature(&sig, SIGTAG_RSA, SIGTAG_DSA);
	ret->payload_sha256 = get_payload_sha256(&head);
	return ret->name && ret->version;
}

bool rpm_parse(const void *data, size_t len, struct rpm_facts *ret, GError **error)
{
	struct rpm_facts facts = { 0 };

	if (parse(data, len, &facts)) {
		*ret = facts;
		return true;
	}
	rpm_facts_clear(&facts);
	return lab_fail(error, LAB_ERROR_INPUT, "it is no whole rpm package");
}

/* The whole file: packages of kernels have 30 to 80 MB. What is verified and what is unpacked must
 * not differ, so both start from here. */
static bool load(const char *path, char **ret_data, size_t *ret_len, struct rpm_facts *ret,
		 GError **error)
{
	return fs_read(path, PACKAGE_MAX, ret_data, ret_len, error) &&
	       (rpm_parse(*ret_data, *ret_len, ret, error) || lab_prefix(error, "'%s'", path));
}

bool rpm_identify(const char *path, struct rpm_facts *ret, GError **error)
{
	g_autofree char *data = NULL;
	size_t len;

	return load(path, &data, &len, ret, error);
}

typedef struct archive archive_reader;
static void reader_free(archive_reader *a)
{
	archive_read_free(a);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(archive_reader, reader_free)

bool rpm_read(const char *path, struct deb_file *files, unsigned n, GError **error)
{
	g_autofree char *data = NULL;
	g_auto(rpm_facts) facts = { 0 };
	g_autoptr(archive_reader) a = archive_read_new();
	size_t len;

	if (!load(path, &data, &len, &facts, error))
		return false;
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_lzma(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_format_cpio(a);
	if (archive_read_open_memory(a, data + facts.payload, len - facts.payload) != ARCHIVE_OK)
		return lab_fail(error, LAB_ERROR_INPUT, "'%s' is no whole package: %s", path,
				archive_error_string(a));
	return deb_read_archive(a, path, files, n, error);
}

/* ---- signatures ---- */

struct signed_part {
	struct rpm_span signature, covers;
};

static bool pick_signature(const struct rpm_facts *facts, const char *data, size_t len,
			   const char *what, struct signed_part *ret, GError **error)
{
	g_autofree char *sum = NULL;

	if (facts->sig_all.len) {
		*ret = (struct signed_part){ facts->sig_all,
					     { facts->header.at, len - facts->header.at } };
		return true;
	}
	if (!facts->sig_head.len || !facts->payload_sha256)
		return lab_fail(error, LAB_ERROR_INPUT,
				"%s carries no signature that covers all of it\n"
				"hint: give its sha256, or say 'verify: none'",
				what);
	sum = fs_sha256_bytes(data + facts->payload, len - facts->payload);
	if (strcmp(sum, facts->payload_sha256))
		return lab_fail(error, LAB_ERROR_INPUT,
				"%s is damaged: the sha256 of its archive is '%s', not '%s'", what,
				sum, facts->payload_sha256);
	*ret = (struct signed_part){ facts->sig_head, facts->header };
	return true;
}

bool rpm_verify(const char *path, const char *keyring, const char *tmp_dir, const char *what,
		GError **error)
{
	g_autofree char *covered = g_build_filename(tmp_dir, "rpm.signed", NULL), *data = NULL;
	g_autofree char *signature = g_build_filename(tmp_dir, "rpm.sig", NULL);
	struct gpg_check check = { .keyring = keyring,
				   .path = covered,
				   .signature = signature,
				   .tmp_dir = tmp_dir,
				   .what = what };
	g_auto(rpm_facts) facts = { 0 };
	struct signed_part part = { 0 };
	size_t len;

	return load(path, &data, &len, &facts, error) &&
	       pick_signature(&facts, data, len, what, &part, error) &&
	       fs_write(signature, data + part.signature.at, part.signature.len, error) &&
	       fs_write(covered, data + part.covers.at, part.covers.len, error) &&
	       gpg_verify(&check, error);
}
