// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files that a user wants to import; see import_read.h. What a file is, its bytes say and not its
 * name. Everything is bounded, and of an archive nothing is written anywhere.
 */
#include "kernel/import_read.h"

#include "base/fs.h"
#include "kernel/banner.h"
#include "kernel/bzimage.h"
#include "kernel/deb.h"
#include "kernel/rpm.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

#define HEAD_LEN 4096
#define CHUNK (1u << 20)
#define ENTRIES_MAX 1000000
#define CANDIDATES_MAX 8
#define NOTES_MAX (1u << 20)
#define SECTIONS_MAX 65536
#define XEN_PHYS32_ENTRY 18 /* include/xen/interface/elfnote.h */

void import_piece_free(struct import_piece *piece)
{
	if (!piece)
		return;
	g_free(piece->path);
	g_free(piece->sha256);
	kernel_found_clear(&piece->found);
	g_free(piece->banner);
	g_free(piece);
}

static const char *const image_globs[] = { "boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz",
					   "lib/modules/*/vmlinuz", NULL };
static const char *const config_globs[] = { "boot/config-*", "usr/lib/modules/*/config",
					    "lib/modules/*/config", NULL };

/* --- packages -----------------------------------------------------------------------------------
 */

static bool take_package(struct import_piece *piece,
			 bool (*read)(const char *, struct deb_file *, unsigned, GError **),
			 GError **error)
{
	struct deb_file files[] = {
		{ .globs = image_globs, .max = KERNEL_IMAGE_MAX },
		{ .globs = config_globs, .max = KERNEL_CONFIG_MAX },
	};
	bool ok = read(piece->path, files, G_N_ELEMENTS(files), error);

	piece->found.image = files[0].data;
	piece->found.image_len = files[0].len;
	piece->found.config = files[1].data;
	if (!ok || files[0].data)
		return ok;
	return lab_fail(
		error, LAB_ERROR_INPUT,
		"'%s': package '%s' %s holds no kernel image\n"
		"hint: the image is in linux-image-* (Debian: also linux-binary-*), kernel, "
		"kernel-core or kernel-default",
		piece->path, piece->found.package, piece->found.package_version);
}

static bool read_deb(struct import_piece *piece, GError **error)
{
	return deb_identify(piece->path, &piece->found.package, &piece->found.package_version,
			    error) &&
	       take_package(piece, deb_read, error);
}

static bool read_rpm(struct import_piece *piece, GError **error)
{
	g_auto(rpm_facts) facts = { 0 };

	if (!rpm_identify(piece->path, &facts, error))
		return false;
	piece->found.package = g_steal_pointer(&facts.name);
	piece->found.package_version = g_steal_pointer(&facts.version);
	return take_package(piece, rpm_read, error);
}

/* --- archives -----------------------------------------------------------------------------------
 */

struct candidate {
	char *name, *data;
	size_t len;
};

struct candidates {
	struct candidate list[CANDIDATES_MAX];
	unsigned n;
};

static void candidates_clear(struct candidates *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		g_free(c->list[i].name);
		g_free(c->list[i].data);
	}
}

static bool fail_archive(struct archive *a, const char *path, GError **error)
{
	return lab_fail(error, LAB_ERROR_INPUT, "'%s' is no whole archive: %s", path,
			archive_error_string(a) ? archive_error_string(a) : "it ends too early");
}

static bool read_entry(struct archive *a, struct archive_entry *entry, size_t max,
		       struct candidates *c, const char *path, GError **error)
{
	int64_t size = archive_entry_size(entry);
	struct candidate *one = &c->list[c->n];

	if (c->n == CANDIDATES_MAX)
		return true;
	if (size < 0 || (uint64_t)size > max)
		return lab_fail(error, LAB_ERROR_INPUT, "'%s': its file '%s' is too large", path,
				archive_entry_pathname(entry));
	one->name = g_strdup(archive_entry_pathname(entry));
	one->data = g_malloc(size + 1);
	c->n++;
	while (one->len < (size_t)size) {
		la_ssize_t n = archive_read_data(a, one->data + one->len, size - one->len);

		if (n <= 0)
			return fail_archive(a, path, error);
		one->len += n;
	}
	one->data[size] = '\0';
	return true;
}

/* "boot/vmlinuz-*" also below a folder of any name, as tar makes it. */
static bool fits(const char *name, const char *const *globs)
{
	static const char *const below[] = { "", "./", "*/" };

	for (; *globs; globs++)
		for (size_t i = 0; i < G_N_ELEMENTS(below); i++) {
			g_autofree char *glob = g_strconcat(below[i], *globs, NULL);

			if (!fnmatch(glob, name, 0))
				return true;
		}
	return false;
}

static bool list_archive(struct archive *a, const char *path, struct candidates *images,
			 struct candidates *configs, GError **error)
{
	static const char *const tar_images[] = {
		"boot/vmlinuz*",         "boot/bzImage*", "lib/modules/*/vmlinuz",
		"arch/x86/boot/bzImage", "bzImage",       NULL
	};
	struct archive_entry *entry;
	unsigned entries = 0;
	int rc;

	while ((rc = archive_read_next_header(a, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
		const char *name = archive_entry_pathname(entry);

		if (++entries > ENTRIES_MAX)
			return lab_fail(error, LAB_ERROR_INPUT, "'%s' has more than %u files", path,
					ENTRIES_MAX);
		if (!name || archive_entry_filetype(entry) != AE_IFREG)
			continue;
		if (fits(name, tar_images) &&
		    !read_entry(a, entry, KERNEL_IMAGE_MAX, images, path, error))
			return false;
		if (fits(name, config_globs) &&
		    !read_entry(a, entry, KERNEL_CONFIG_MAX, configs, path, error))
			return false;
	}
	return rc == ARCHIVE_EOF || fail_archive(a, path, error);
}

/* The same image may lie in two places. */
static bool choose_image(struct candidates *images, const char *path, GError **error)
{
	g_autoptr(GString) names = g_string_new(NULL);
	bool same = true;

	for (unsigned i = 0; i < images->n; i++) {
		g_string_append_printf(names, "%s'%s'", i ? ", " : "", images->list[i].name);
		same &= images->list[i].len == images->list[0].len &&
			!memcmp(images->list[i].data, images->list[0].data, images->list[0].len);
	}
	if (images->n && same)
		return true;
	if (images->n)
		return lab_fail(error, LAB_ERROR_INPUT,
				"'%s' holds more than one kernel: %s\n"
				"hint: unpack it, and import the images",
				path, names->str);
	return lab_fail(error, LAB_ERROR_INPUT,
			"'%s' holds no kernel image\n"
			"hint: looked for boot/vmlinuz*, boot/bzImage*, lib/modules/*/vmlinuz and "
			"arch/x86/boot/bzImage",
			path);
}

/* The config of the image's release; another one's is none. */
static void choose_config(struct candidates *configs, struct kernel_found *found)
{
	g_autofree char *beside = NULL, *within = NULL;
	struct bzimage img;

	if (!bzimage_parse(found->image, found->image_len, found->image_len, &img, NULL))
		return;
	beside = g_strconcat("/config-", img.release, NULL);
	within = g_strdup_printf("/%s/config", img.release);
	for (unsigned i = 0; i < configs->n && !found->config; i++)
		if (g_str_has_suffix(configs->list[i].name, beside) ||
		    g_str_has_suffix(configs->list[i].name, within))
			found->config = g_steal_pointer(&configs->list[i].data);
}

static bool read_archive(struct import_piece *piece, GError **error)
{
	struct archive *a = archive_read_new();
	struct candidates images = { .n = 0 }, configs = { .n = 0 };
	bool ok;

	archive_read_support_format_tar(a);
	archive_read_support_filter_all(a);
	ok = archive_read_open_filename(a, piece->path, CHUNK) == ARCHIVE_OK
		     ? list_archive(a, piece->path, &images, &configs, error)
		     : fail_archive(a, piece->path, error);
	archive_read_free(a);
	ok = ok && choose_image(&images, piece->path, error);
	if (ok) {
		piece->found.image = g_steal_pointer(&images.list[0].data);
		piece->found.image_len = images.list[0].len;
		choose_config(&configs, &piece->found);
	}
	candidates_clear(&images);
	candidates_clear(&configs);
	return ok;
}

/* --- single files -------------------------------------------------------------------------------
 */

static bool read_image(struct import_piece *piece, GError **error)
{
	g_autofree char *dir = g_path_get_dirname(piece->path), *name = NULL, *beside = NULL;
	struct bzimage img;
	struct kernel_found *found = &piece->found;

	if (!fs_read(piece->path, KERNEL_IMAGE_MAX, &found->image, &found->image_len, error))
		return false;
	if (!bzimage_parse(found->image, found->image_len, found->image_len, &img, error))
		return lab_prefix(error, "'%s'", piece->path);
	/* as distributions install it */
	name = g_strconcat("config-", img.release, NULL);
	beside = g_build_filename(dir, name, NULL);
	if (!strchr(img.release, '/'))
		fs_read(beside, KERNEL_CONFIG_MAX, &found->config, NULL, NULL);
	return true;
}

bool import_note_is_pvh(const void *notes, size_t len)
{
	const uint8_t *p = notes;
	Elf64_Nhdr note;

	while (len >= sizeof(note)) {
		uint64_t step;

		memcpy(&note, p, sizeof(note));
		step = sizeof(note) + (((uint64_t)note.n_namesz + 3) & ~3ull) +
		       (((uint64_t)note.n_descsz + 3) & ~3ull);
		if (note.n_type == XEN_PHYS32_ENTRY && note.n_namesz == 4 &&
		    len >= sizeof(note) + 4 && !memcmp(p + sizeof(note), "Xen", 4))
			return true;
		if (step > len)
			break;
		p += step;
		len -= step;
	}
	return false;
}

static bool section_is_pvh(int fd, const Elf64_Shdr *sh)
{
	g_autofree uint8_t *notes = NULL;

	if (sh->sh_type != SHT_NOTE || !sh->sh_size || sh->sh_size > NOTES_MAX)
		return false;
	notes = g_malloc(sh->sh_size);
	return pread(fd, notes, sh->sh_size, sh->sh_offset) == (ssize_t)sh->sh_size &&
	       import_note_is_pvh(notes, sh->sh_size);
}

static bool find_pvh(int fd, const Elf64_Ehdr *eh)
{
	for (unsigned i = 0; i < eh->e_shnum && i < SECTIONS_MAX; i++) {
		Elf64_Shdr sh;

		if (eh->e_shentsize != sizeof(sh) ||
		    pread(fd, &sh, sizeof(sh), eh->e_shoff + i * sizeof(sh)) != sizeof(sh))
			return false;
		if (section_is_pvh(fd, &sh))
			return true;
	}
	return false;
}

/* A vmlinux with debug information may have a gigabyte: read as a stream. */
static char *find_banner(int fd)
{
	g_autoptr(GByteArray) kept = g_byte_array_new();
	g_autofree uint8_t *chunk = g_malloc(CHUNK);
	struct banner_scan scan = { .kept = kept };
	off_t at = 0;
	ssize_t n;

	while (!scan.banner && (n = pread(fd, chunk, CHUNK, at)) > 0) {
		banner_scan_feed(&scan, chunk, n);
		at += n;
	}
	banner_scan_end(&scan);
	return scan.banner;
}

static bool read_vmlinux(struct import_piece *piece, GError **error)
{
	auto_fd fd = open(piece->path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr eh;

	if (fd < 0 || pread(fd, &eh, sizeof(eh), 0) != sizeof(eh))
		return lab_fail_errno(error, "'%s'", piece->path);
	piece->kind = IMPORT_VMLINUX;
	piece->pvh = find_pvh(fd, &eh);
	piece->banner = find_banner(fd);
	return piece->banner ||
	       lab_fail(error, LAB_ERROR_INPUT, "'%s' is an ELF file, but no kernel", piece->path);
}

static bool read_config(struct import_piece *piece, GError **error)
{
	piece->kind = IMPORT_CONFIG;
	return fs_read(piece->path, KERNEL_CONFIG_MAX, &piece->found.config, NULL, error);
}

/* --- which --------------------------------------------------------------------------------------
 */

static bool is_vmlinux(const char *head, size_t len)
{
	const Elf64_Ehdr *eh = (const void *)head;

	return len >= sizeof(*eh) && !memcmp(head, ELFMAG, SELFMAG) &&
	       head[EI_CLASS] == ELFCLASS64 && eh->e_machine == EM_X86_64;
}

static bool is_bzimage(const char *head, size_t len)
{
	return len >= 0x206 && !memcmp(head + 0x202, "HdrS", 4);
}

static bool is_archive(const char *head, size_t len)
{
	static const struct {
		size_t at, len;
		const char *magic;
	} kinds[] = {
		{ 257, 5, "ustar" },
		{ 0, 2, "\x1f\x8b" },
		{ 0, 6,
		  "\xfd"
		  "7zXZ\0" },
		{ 0, 4, "\x28\xb5\x2f\xfd" },
		{ 0, 3, "BZh" },
		{ 0, 4, "\x04\x22\x4d\x18" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (len >= kinds[i].at + kinds[i].len &&
		    !memcmp(head + kinds[i].at, kinds[i].magic, kinds[i].len))
			return true;
	return false;
}

/* Text throughout: archives of configs have NULs. */
static bool is_config(const char *head, size_t len)
{
	return strlen(head) == len && g_str_is_ascii(head) && strstr(head, "CONFIG_");
}

static bool read_by_kind(struct import_piece *piece, const char *head, size_t len, GError **error)
{
	if (is_vmlinux(head, len))
		return read_vmlinux(piece, error);
	if (is_config(head, len))
		return read_config(piece, error);
	piece->sha256 = fs_sha256(piece->path, error);
	if (!piece->sha256)
		return false;
	if (is_bzimage(head, len))
		return read_image(piece, error);
	if (len >= 8 && !memcmp(head, "!<arch>\n", 8))
		return read_deb(piece, error);
	if (len >= 4 && !memcmp(head, "\xed\xab\xee\xdb", 4))
		return read_rpm(piece, error);
	if (is_archive(head, len))
		return read_archive(piece, error);
	return lab_fail(error, LAB_ERROR_INPUT,
			"'%s' is nothing that a kernel is in: it looks like "
			"%s\nhint: .deb, .rpm, tar archives and bzImages can be imported",
			piece->path, bzimage_looks_like(head, len));
}

bool import_read(const char *path, struct import_piece **ret, GError **error)
{
	g_autofree char *head = g_malloc0(HEAD_LEN + 1);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct import_piece *piece;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st))
		return lab_fail(error, LAB_ERROR_INPUT, "'%s': %s", path, g_strerror(errno));
	if (!S_ISREG(st.st_mode))
		return lab_fail(error, LAB_ERROR_INPUT, "'%s': not a regular file", path);
	n = read(fd, head, HEAD_LEN);
	if (n <= 0)
		return lab_fail(error, LAB_ERROR_INPUT, "'%s': the file is empty", path);
	piece = g_new0(struct import_piece, 1);
	piece->path = g_canonicalize_filename(path, NULL);
	if (!read_by_kind(piece, head, n, error)) {
		import_piece_free(piece);
		return false;
	}
	*ret = piece;
	return true;
}
