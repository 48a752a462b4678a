// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Payloads of bzImages. Every format but gzip is followed by the unpacked length in four bytes,
 * which libarchive must not see; gzip ends in the same number by itself.
 */
#include "kernel/payload.h"

#include "kernel/banner.h"

#include <archive.h>
#include <archive_entry.h>
#include <gio/gio.h>

#define CONFIG_START "IKCFG_ST"
#define MARK_LEN 8
#define CHUNK (256u << 10)
#define CONFIG_PACKED_MAX (1u << 20)
#define CONFIG_MAX (2u << 20)

/* The packed config lies between two marks somewhere in the stream. */
struct config_scan {
	GByteArray *kept;	/* while searching: the last bytes; then: all since the mark */
	bool found;
};

/* The mark also occurs in code that looks for it: only a gzip header behind it makes a config. */
static void scan_search(struct config_scan *scan)
{
	const guint8 *p = scan->kept->data, *end = p + scan->kept->len;

	while (!scan->found && (size_t)(end - p) >= MARK_LEN + 3) {
		const guint8 *hit = memmem(p, end - p, CONFIG_START, MARK_LEN);

		if (!hit || (size_t)(end - hit) < MARK_LEN + 3)
			break;
		p = hit + 1;
		if (!memcmp(hit + MARK_LEN, "\x1f\x8b\x08", 3)) {
			scan->found = true;
			p = hit + MARK_LEN;
		}
	}
	if (!scan->found && (size_t)(end - p) > MARK_LEN + 2)
		p = end - (MARK_LEN + 2);
	g_byte_array_remove_range(scan->kept, 0, p - scan->kept->data);
}

static void scan_feed(struct config_scan *scan, const void *data, size_t len)
{
	if (!len || (scan->found && scan->kept->len > CONFIG_PACKED_MAX))
		return;
	g_byte_array_append(scan->kept, data, len);
	if (!scan->found)
		scan_search(scan);
}

/* The scan may have kept bytes behind the packed config: what follows its end is not read. */
static char *config_unpack(const guint8 *data, size_t len)
{
	g_autoptr(GConverter) gunzip =
		G_CONVERTER(g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP));
	g_autofree char *text = g_malloc(CONFIG_MAX);
	GConverterResult rc = G_CONVERTER_CONVERTED;
	size_t in = 0, out = 0;

	while (rc == G_CONVERTER_CONVERTED) {
		gsize took = 0, gave = 0;

		rc = g_converter_convert(gunzip, data + in, len - in, text + out,
					 CONFIG_MAX - 1 - out, G_CONVERTER_INPUT_AT_END, &took,
					 &gave, NULL);
		in += took;
		out += gave;
	}
	if (rc != G_CONVERTER_FINISHED)
		return NULL;
	text[out] = '\0';
	return g_strdup(text);
}

/* ---- streams: each hands its unpacked bytes to the scan and counts them ---- */

struct stream {
	const guint8 *data;
	size_t len;
	guint8 *chunk;
	struct config_scan *scan;
	struct banner_scan *banner;	/* or NULL */
	GByteArray *keep;	/* gets all bytes, or NULL */
	uint64_t total;
};

static bool fail_broken(const struct stream *s, const char *why, GError **error)
{
	return lab_fail(error, LAB_ERROR_INPUT,
			"damaged: its payload breaks after %" G_GUINT64_FORMAT " bytes: %s",
			s->total, why);
}

static void stream_take(struct stream *s, size_t len)
{
	scan_feed(s->scan, s->chunk, len);
	if (s->banner)
		banner_scan_feed(s->banner, s->chunk, len);
	if (s->keep)
		g_byte_array_append(s->keep, s->chunk, len);
	s->total += len;
}

/* Not by libarchive, which does not look at gzip's checksum. */
static bool gunzip(struct stream *s, GError **error)
{
	g_autoptr(GConverter) gunzip =
		G_CONVERTER(g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP));
	GConverterResult rc = G_CONVERTER_CONVERTED;
	g_autoptr(GError) own = NULL;
	size_t in = 0;

	while (rc == G_CONVERTER_CONVERTED && s->total <= PAYLOAD_UNPACKED_MAX) {
		gsize took = 0, gave = 0;

		rc = g_converter_convert(gunzip, s->data + in, s->len - in, s->chunk, CHUNK,
					 G_CONVERTER_INPUT_AT_END, &took, &gave, &own);
		in += took;
		stream_take(s, gave);
	}
	return rc != G_CONVERTER_ERROR || fail_broken(s, own->message, error);
}

static struct archive *archive_open(const struct stream *s)
{
	struct archive *a = archive_read_new();

	archive_read_support_format_raw(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_lzma(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_lz4(a);
	archive_read_support_filter_zstd(a);
	if (archive_read_open_memory(a, s->data, s->len) == ARCHIVE_OK)
		return a;
	archive_read_free(a);
	return NULL;
}

/* *ret_known is false for a format that nobody here can unpack: it would come out as it is. */
static bool unarchive(struct stream *s, bool *ret_known, GError **error)
{
	struct archive *a = archive_open(s);
	struct archive_entry *entry;
	la_ssize_t n = 0;
	bool ok;

	*ret_known = a && archive_read_next_header(a, &entry) == ARCHIVE_OK &&
		     archive_filter_count(a) > 1;
	while (*ret_known && s->total <= PAYLOAD_UNPACKED_MAX &&
	       (n = archive_read_data(a, s->chunk, CHUNK)) > 0)
		stream_take(s, n);
	ok = n >= 0 || fail_broken(s, archive_error_string(a) ? archive_error_string(a) : "?",
				   error);
	archive_read_free(a);
	return ok;
}

static bool unpack(struct stream *s, bool *ret_known, GError **error)
{
	const guint8 *tail = s->data + s->len - 4;
	uint32_t want = tail[0] | tail[1] << 8 | tail[2] << 16 | (uint32_t)tail[3] << 24;
	bool gzip = !memcmp(s->data, "\x1f\x8b", 2);

	*ret_known = true;
	s->len -= gzip ? 0 : 4;
	if (!(gzip ? gunzip(s, error) : unarchive(s, ret_known, error)))
		return false;
	if (*ret_known && s->total != want)
		return lab_fail(error, LAB_ERROR_INPUT,
				"damaged: its payload unpacks to %" G_GUINT64_FORMAT
				" bytes and claims %u", s->total, want);
	return true;
}

static bool run(struct stream *stream, bool *ret_known, GError **error)
{
	g_autofree guint8 *chunk = g_malloc(CHUNK);

	stream->chunk = chunk;
	if (stream->len <= 8)
		return lab_fail(error, LAB_ERROR_INPUT, "damaged: its payload has %zu bytes",
				stream->len);
	return unpack(stream, ret_known, error);
}

bool payload_look(const void *data, size_t len, struct payload_facts *ret, GError **error)
{
	g_autoptr(GByteArray) kept = g_byte_array_new(), last = g_byte_array_new();
	struct config_scan scan = { .kept = kept };
	struct banner_scan banner = { .kept = last };
	struct stream stream = { .data = data, .len = len, .scan = &scan, .banner = &banner };
	bool known;

	*ret = (struct payload_facts){ 0 };
	if (!run(&stream, &known, error)) {
		g_free(banner.banner);
		return false;
	}
	banner_scan_end(&banner);
	ret->banner = banner.banner;
	if (scan.found)
		ret->config = config_unpack(kept->data, kept->len);
	return true;
}

void payload_facts_clear(struct payload_facts *facts)
{
	g_clear_pointer(&facts->config, g_free);
	g_clear_pointer(&facts->banner, g_free);
}

bool payload_check(const void *data, size_t len, char **ret_config, GError **error)
{
	g_auto(payload_facts) facts = { 0 };

	*ret_config = NULL;
	if (!payload_look(data, len, &facts, error))
		return false;
	*ret_config = g_steal_pointer(&facts.config);
	return true;
}

bool payload_unpack(const void *data, size_t len, GBytes **ret, GError **error)
{
	g_autoptr(GByteArray) kept = g_byte_array_new(), all = g_byte_array_new();
	struct config_scan scan = { .kept = kept };
	struct stream stream = { .data = data, .len = len, .scan = &scan, .keep = all };
	bool known;

	if (!run(&stream, &known, error))
		return false;
	if (!known)
		return lab_fail(error, LAB_ERROR_UNSUPPORTED,
				"its payload is compressed in a way that cannot be unpacked here");
	*ret = g_byte_array_free_to_bytes(g_steal_pointer(&all));
	return true;
}
