// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * x86 setup headers. Offsets and meanings are those of Documentation/arch/x86/boot.rst; the payload
 * fields came with protocol 2.08 (Linux 2.6.26), xloadflags with 2.12 (Linux 3.8).
 */
#include "kernel/bzimage.h"

enum {
	OFF_SETUP_SECTS = 0x1f1,
	OFF_SYSSIZE = 0x1f4,
	OFF_BOOT_FLAG = 0x1fe,
	OFF_MAGIC = 0x202,
	OFF_PROTOCOL = 0x206,
	OFF_VERSION = 0x20e,
	OFF_XLOADFLAGS = 0x236,
	OFF_PAYLOAD = 0x248,
	OFF_PAYLOAD_LEN = 0x24c,
	OFF_PREF_ADDRESS = 0x258,	/* protocol 2.10, Linux 2.6.31 */
	OFF_INIT_SIZE = 0x260,
	HEADER_LEN = 0x250,
	XLF_KERNEL_64 = 1,
};

static uint16_t le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static bool is_text(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < MIN(len, 512); i++)
		if (!g_ascii_isprint(p[i]) && !g_ascii_isspace(p[i]))
			return false;
	return len > 0;
}

const char *bzimage_looks_like(const void *data, size_t len)
{
	static const struct {
		size_t at, len;
		const char *magic, *what;
	} kinds[] = {
		{ 0x38, 4, "ARM\x64", "an arm64 kernel (klab boots x86-64)" },
		{ 4, 4, "zimg", "a compressed EFI kernel of another architecture" },
		{ 0, 2, "\x1f\x8b", "a gzip file (perhaps another architecture's kernel)" },
		{ 0, 6, "\xfd" "7zXZ\0", "an xz file" },
		{ 0, 4, "\x28\xb5\x2f\xfd", "a zstd file" },
		{ 0, 4, "\x04\x22\x4d\x18", "an lz4 file" },
		{ 0, 7, "!<arch>", "an ar archive, such as a .deb package" },
		{ 0, 4, "\xed\xab\xee\xdb", "an rpm package" },
		{ 0, 6, "070701", "an initramfs (cpio)" },
		{ 0, 4, "QFI\xfb", "a qcow2 disk image" },
		{ 0, 4, "PK\3\4", "a zip file" },
		{ 0, 2, "MZ", "an EFI or DOS program" },
		{ 257, 5, "ustar", "a tar archive" },
	};
	const uint8_t *p = data;

	if (len >= 20 && !memcmp(p, "\x7f" "ELF", 4))
		return le16(p + 18) == 62  ? "an uncompressed ELF vmlinux or program for x86-64 "
					     "(klab boots the bzImage)" :
		       le16(p + 18) == 183 ? "an ELF file for arm64" :
					     "an ELF file";
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (len >= kinds[i].at + kinds[i].len &&
		    !memcmp(p + kinds[i].at, kinds[i].magic, kinds[i].len))
			return kinds[i].what;
	return is_text(p, len) ? "text" : "data of no known kind";
}

static bool check_is_kernel(const uint8_t *p, size_t len, uint64_t file_size, GError **error)
{
	bool boot = len >= OFF_MAGIC && le16(p + OFF_BOOT_FLAG) == 0xaa55;

	if (!file_size)
		return lab_fail(error, LAB_ERROR_INPUT, "the file is empty");
	if (boot && len < HEADER_LEN)
		return lab_fail(error, LAB_ERROR_INPUT,
				"truncated: has %zu bytes, which ends within the boot header", len);
	if (boot && !memcmp(p + OFF_MAGIC, "HdrS", 4))
		return true;
	return lab_fail(error, LAB_ERROR_INPUT,
			"not a kernel: %" G_GUINT64_FORMAT " bytes that look like %s", file_size,
			bzimage_looks_like(p, len));
}

static bool check_machine(const uint8_t *p, unsigned protocol, GError **error)
{
	if (protocol < 0x208)
		return lab_fail(error, LAB_ERROR_INPUT,
				"boot protocol %u.%02u is older than 2.08 (Linux 2.6.26)",
				protocol >> 8, protocol & 0xff);
	if (protocol >= 0x20c && !(le16(p + OFF_XLOADFLAGS) & XLF_KERNEL_64))
		return lab_fail(error, LAB_ERROR_INPUT, "a 32-bit kernel: klab boots x86-64");
	return true;
}

/* Sizes: all sums are of 32-bit fields in 64 bits, so nothing wraps. */
static bool parse_sizes(const uint8_t *p, uint64_t file_size, struct bzimage *img, GError **error)
{
	uint64_t sects = p[OFF_SETUP_SECTS] ? p[OFF_SETUP_SECTS] : 4, setup = (sects + 1) * 512;

	img->size = setup + (uint64_t)le32(p + OFF_SYSSIZE) * 16;
	img->payload_offset = setup + le32(p + OFF_PAYLOAD);
	img->payload_len = le32(p + OFF_PAYLOAD_LEN);
	if (img->size > file_size)
		return lab_fail(error, LAB_ERROR_INPUT,
				"truncated: has %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
				" bytes", file_size, img->size);
	if (img->payload_len < 8 || img->payload_offset + img->payload_len > img->size)
		return lab_fail(error, LAB_ERROR_INPUT,
				"damaged: its header places %" G_GUINT64_FORMAT
				" bytes of payload outside of the image", img->payload_len);
	return true;
}

/* "RELEASE (builder) #1 SMP ..." at 0x200 + the 16-bit field, within the setup part. */
static bool parse_version(const uint8_t *p, size_t len, struct bzimage *img, GError **error)
{
	size_t setup = MIN(len, (p[OFF_SETUP_SECTS] ? p[OFF_SETUP_SECTS] + 1u : 5u) * 512);
	size_t at = 0x200u + le16(p + OFF_VERSION), end = at, blank;

	while (at > 0x200 && end < setup && g_ascii_isprint(p[end]))
		end++;
	for (blank = at; blank < end && p[blank] != ' ';)
		blank++;
	if (end >= setup || p[end] || blank == at || blank - at >= sizeof(img->release))
		return lab_fail(error, LAB_ERROR_INPUT, "damaged: its header names no version");
	g_strlcpy(img->release, (const char *)p + at, blank - at + 1);
	g_strlcpy(img->version, blank < end ? (const char *)p + blank + 1 : "",
		  sizeof(img->version));
	return true;
}

/* It unpacks itself to where it wants to run, and needs so much there. */
static uint64_t parse_memory(const uint8_t *p, size_t len, unsigned protocol)
{
	uint64_t at;

	if (protocol < 0x20a || len < OFF_INIT_SIZE + 4)
		return 0;
	at = (uint64_t)le32(p + OFF_PREF_ADDRESS + 4) << 32 | le32(p + OFF_PREF_ADDRESS);
	return at >> 40 ? 0 : at + le32(p + OFF_INIT_SIZE);
}

bool bzimage_parse(const void *data, size_t len, uint64_t file_size, struct bzimage *ret,
		   GError **error)
{
	struct bzimage img = { 0 };

	if (!check_is_kernel(data, len, file_size, error))
		return false;
	img.protocol = le16((const uint8_t *)data + OFF_PROTOCOL);
	if (!check_machine(data, img.protocol, error) ||
	    !parse_sizes(data, file_size, &img, error) || !parse_version(data, len, &img, error))
		return false;
	img.memory = parse_memory(data, len, img.protocol);
	*ret = img;
	return true;
}
