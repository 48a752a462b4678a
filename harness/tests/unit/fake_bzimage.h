/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A minimal bzImage for tests: header, setup sectors, a gzip payload that may hold a config. */
#ifndef TEST_FAKE_BZIMAGE_H
#define TEST_FAKE_BZIMAGE_H

#include <gio/gio.h>
#include <string.h>

struct fake_bzimage {
	const char *version;	/* NULL: "6.1.0-fake (b@h) #1 SMP" */
	const char *config;	/* put into the payload as CONFIG_IKCONFIG does, or NULL */
	unsigned protocol;	/* 0: 0x20f */
	unsigned xloadflags;	/* as it is: 1 is 64-bit */
	size_t ballast;		/* random bytes in the payload */
	const GByteArray *plain;	/* what is packed instead of all that, or NULL */
};

static inline void fake_gzip(GByteArray *out, const void *data, size_t len)
{
	g_autoptr(GConverter) gzip =
		G_CONVERTER(g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP, 1));
	g_autofree guint8 *packed = g_malloc(len + 4096);
	gsize took = 0, gave = 0;

	if (g_converter_convert(gzip, data, len, packed, len + 4096, G_CONVERTER_INPUT_AT_END,
				&took, &gave, NULL) == G_CONVERTER_FINISHED)
		g_byte_array_append(out, packed, gave);
}

static inline void fake_put32(guint8 *p, guint32 value)
{
	value = GUINT32_TO_LE(value);
	memcpy(p, &value, 4);
}

static inline GByteArray *fake_payload(const struct fake_bzimage *fake)
{
	g_autoptr(GByteArray) plain = g_byte_array_new();
	g_autoptr(GRand) random = g_rand_new_with_seed(1);
	GByteArray *packed = g_byte_array_new();

	if (fake->plain) {
		fake_gzip(packed, fake->plain->data, fake->plain->len);
		return packed;
	}
	g_byte_array_set_size(plain, fake->ballast);
	for (size_t i = 0; i < fake->ballast; i++)
		plain->data[i] = g_rand_int(random);
	/* As in a real kernel, the mark occurs alone before it occurs with a config. */
	g_byte_array_append(plain, (const guint8 *)"vmlinux IKCFG_ST not here", 25);
	if (fake->config) {
		g_byte_array_append(plain, (const guint8 *)"IKCFG_ST", 8);
		fake_gzip(plain, fake->config, strlen(fake->config));
		g_byte_array_append(plain, (const guint8 *)"IKCFG_ED", 8);
	}
	fake_gzip(packed, plain->data, plain->len);
	return packed;
}

static inline GByteArray *fake_bzimage(const struct fake_bzimage *fake)
{
	enum { SETUP_SECTS = 3, SETUP = (SETUP_SECTS + 1) * 512, OFFSET = 64 };
	const char *version = fake->version ? fake->version : "6.1.0-fake (b@h) #1 SMP";
	g_autoptr(GByteArray) payload = fake_payload(fake);
	GByteArray *img = g_byte_array_new();
	guint32 body = (OFFSET + payload->len + 15) / 16 * 16;
	guint8 *p;

	g_byte_array_set_size(img, SETUP + body);
	p = img->data;
	memset(p, 0, img->len);
	p[0x1f1] = SETUP_SECTS;
	fake_put32(p + 0x1f4, body / 16);
	p[0x1fe] = 0x55;
	p[0x1ff] = 0xaa;
	memcpy(p + 0x202, "HdrS", 4);
	p[0x206] = fake->protocol ? fake->protocol & 0xff : 0x0f;
	p[0x207] = 2;
	p[0x20f] = 2;		/* the version is at 0x200 + 0x200 */
	p[0x236] = fake->xloadflags;
	fake_put32(p + 0x248, OFFSET);
	fake_put32(p + 0x24c, payload->len);
	memcpy(p + 0x400, version, MIN(strlen(version) + 1, SETUP - 0x400));
	memcpy(p + SETUP + OFFSET, payload->data, payload->len);
	return img;
}

#endif
