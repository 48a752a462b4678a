// SPDX-License-Identifier: GPL-2.0-or-later
/* See boot_files.h. The kernel unpacks archives that follow each other: the agent's stays as it is.
 */
#include "run/boot_files.h"

#include "base/fs.h"
#include "parse/elf.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define CPIO_ALIGN 512
#define BUSYBOX "/bin/busybox"

void boot_file_free(struct boot_file *file)
{
	if (!file)
		return;
	g_free(file->host);
	g_free(file->guest);
	g_free(file);
}

static bool place_is_good(const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);

	if (*path != '/' || strlen(path) > 1000 || !strcmp(path, "/init"))
		return false;
	for (char **part = parts + 1; *part; part++)
		if (!**part || !strcmp(*part, ".") || !strcmp(*part, ".."))
			return false;
	return true;
}

bool boot_file_parse(const char *text, struct boot_file **ret, GError **error)
{
	const char *colon = strstr(text, ":/");
	g_autofree char *host = colon ? g_strndup(text, colon - text) : g_strdup(text);
	g_autofree char *name = g_path_get_basename(host);
	g_autofree char *guest = NULL;

	if (!colon)
		guest = g_strconcat("/root/", name, NULL);
	else if (g_str_has_suffix(colon + 1, "/"))
		guest = g_strconcat(colon + 1, name, NULL);
	else
		guest = g_strdup(colon + 1);
	if (!*host || !place_is_good(guest))
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s': no file, or no place for one in the guest\n"
				"hint: HOST[:GUEST], GUEST an absolute path without '..'",
				text);
	*ret = g_new0(struct boot_file, 1);
	(*ret)->host = g_steal_pointer(&host);
	(*ret)->guest = g_steal_pointer(&guest);
	return true;
}

/* --- busybox -------------------------------------------------------------------------------- */

static bool check_static(const char *path, GError **error)
{
	g_autofree char *bytes = NULL;
	struct elf *e = g_new(struct elf, 1);
	size_t len;
	bool program, dynamic;

	if (!fs_read(path, BOOT_FILES_MAX, &bytes, &len, error)) {
		g_free(e);
		return false;
	}
	program = elf_open(bytes, len, e);
	dynamic = program && elf_section(e, ".interp");
	g_free(e);
	if (program && !dynamic)
		return true;
	return lab_fail(error, LAB_ERROR_INPUT,
			"'%s' is no %s\n"
			"hint: apt install busybox-static, or --busybox PATH",
			path,
			dynamic ? "static program, and the guest has no libraries"
				: "x86-64 program");
}

bool boot_busybox_find(const char *asked, char **ret, GError **error)
{
	g_autofree char *path = asked ? g_strdup(asked) : g_find_program_in_path("busybox");

	if (!path)
		return lab_fail(error, LAB_ERROR_UNAVAILABLE,
				"there is no busybox on this host, and a shell is made of it\n"
				"hint: apt install busybox-static, or --busybox PATH");
	if (!check_static(path, error))
		return false;
	*ret = g_steal_pointer(&path);
	return true;
}

/* --- the archive ---------------------------------------------------------------------------- */

struct packer {
	struct archive *a;
	GByteArray *out;
	GHashTable *folders; /* made already */
};

struct node {
	const char *path; /* without the leading '/' */
	mode_t type, perm;
	const char *target; /* of a link */
	const void *data;
	size_t len;
};

static bool put(struct packer *p, const struct node *node)
{
	struct archive_entry *entry = archive_entry_new();
	bool ok;

	archive_entry_set_pathname(entry, node->path);
	archive_entry_set_filetype(entry, node->type);
	archive_entry_set_perm(entry, node->perm);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_nlink(entry, 1);
	if (node->target)
		archive_entry_set_symlink(entry, node->target);
	archive_entry_set_size(entry, node->len); /* newc wants one on every entry */
	ok = archive_write_header(p->a, entry) == ARCHIVE_OK &&
	     (!node->len ||
	      archive_write_data(p->a, node->data, node->len) == (la_ssize_t)node->len);
	archive_entry_free(entry);
	return ok;
}

/* The folders above `path`, outermost first. */
static bool put_parents(struct packer *p, const char *path)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		char *dir = g_strndup(path, slash - path);

		if (!g_hash_table_contains(p->folders, dir) &&
		    !put(p, &(struct node){ .path = dir, .type = AE_IFDIR, .perm = 0755 })) {
			g_free(dir);
			return false;
		}
		g_hash_table_add(p->folders, dir);
	}
	return true;
}

static bool put_host_file(struct packer *p, const char *host, const char *guest, GError **error)
{
	g_autofree char *data = NULL;
	struct stat st;
	size_t len;

	if (stat(host, &st))
		return lab_fail(error, LAB_ERROR_USAGE, "'%s': %s", host, g_strerror(errno));
	if (!S_ISREG(st.st_mode))
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s': not a regular file\n"
				"hint: pack a folder with tar, the guest's busybox unpacks it",
				host);
	if (!fs_read(host, BOOT_FILES_MAX - MIN(p->out->len, BOOT_FILES_MAX), &data, &len, error))
		return lab_prefix(error, "no more than %u MiB of files fit", BOOT_FILES_MAX >> 20);
	if (put_parents(p, guest + 1) && put(p, &(struct node){ .path = guest + 1,
								.type = AE_IFREG,
								.perm = st.st_mode & 07777,
								.data = data,
								.len = len }))
		return true;
	return lab_fail(error, LAB_ERROR_INFRA, "initramfs: '%s': %s", guest,
			archive_error_string(p->a));
}

static bool put_skeleton(struct packer *p)
{
	static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n", group[] = "root:x:0:\n";
	static const struct node nodes[] = {
		{ .path = "bin/sh", .type = AE_IFLNK, .perm = 0777, .target = "busybox" },
		{ .path = "etc/passwd",
		  .type = AE_IFREG,
		  .perm = 0644,
		  .data = passwd,
		  .len = sizeof(passwd) - 1 },
		{ .path = "etc/group",
		  .type = AE_IFREG,
		  .perm = 0644,
		  .data = group,
		  .len = sizeof(group) - 1 },
	};

	if (!put_parents(p, "sbin/") || !put_parents(p, "usr/bin/") ||
	    !put_parents(p, "usr/sbin/") || !put_parents(p, "root/") || !put_parents(p, "run/"))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(nodes); i++)
		if (!put_parents(p, nodes[i].path) || !put(p, &nodes[i]))
			return false;
	return true;
}

static la_ssize_t on_write(struct archive *a, void *user, const void *data, size_t len)
{
	g_byte_array_append(user, data, len);
	return len;
}

static bool pack(struct packer *p, const char *busybox, const GPtrArray *files, GError **error)
{
	bool ok = archive_write_set_format_cpio_newc(p->a) == ARCHIVE_OK &&
		  archive_write_open(p->a, p->out, NULL, on_write, NULL) == ARCHIVE_OK &&
		  put_skeleton(p);

	if (!ok)
		return lab_fail(error, LAB_ERROR_INFRA, "initramfs: %s",
				archive_error_string(p->a));
	if (busybox && !put_host_file(p, busybox, BUSYBOX, error))
		return false;
	for (guint i = 0; i < files->len; i++) {
		const struct boot_file *file = files->pdata[i];

		if (!put_host_file(p, file->host, file->guest, error))
			return false;
	}
	return archive_write_close(p->a) == ARCHIVE_OK ||
	       lab_fail(error, LAB_ERROR_INFRA, "initramfs: %s", archive_error_string(p->a));
}

/* --- in memory ------------------------------------------------------------------------------ */

static bool write_all(int fd, const void *data, size_t len, GError **error)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, (const char *)data + at, len - at);

		if (n < 0)
			return lab_fail_errno(error, "cannot keep the initramfs in memory");
		at += n;
	}
	return true;
}

/* The next archive begins on an even block, as cpio's readers like it. */
static bool join(const char *agent_cpio, const GByteArray *more, struct boot_initrd *ret,
		 GError **error)
{
	static const char zeros[CPIO_ALIGN];
	g_autofree char *agent = NULL;
	size_t len;

	if (!fs_read(agent_cpio, BOOT_FILES_MAX, &agent, &len, error))
		return false;
	ret->fd = memfd_create("klab-initrd", MFD_CLOEXEC);
	if (ret->fd < 0)
		return lab_fail_errno(error, "memfd_create");
	ret->path = g_strdup_printf("/proc/%d/fd/%d", getpid(), ret->fd);
	ret->size = (len + CPIO_ALIGN - 1) / CPIO_ALIGN * CPIO_ALIGN + more->len;
	return write_all(ret->fd, agent, len, error) &&
	       write_all(ret->fd, zeros, -len % CPIO_ALIGN, error) &&
	       write_all(ret->fd, more->data, more->len, error);
}

bool boot_initrd_make(const char *agent_cpio, const char *busybox, const GPtrArray *files,
		      struct boot_initrd *ret, GError **error)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autoptr(GHashTable) folders =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct packer p = { .a = archive_write_new(), .out = out, .folders = folders };
	bool ok = pack(&p, busybox, files, error);

	archive_write_free(p.a);
	return ok && join(agent_cpio, out, ret, error);
}

void boot_initrd_clear(struct boot_initrd *initrd)
{
	lab_fd_close(&initrd->fd);
	g_clear_pointer(&initrd->path, g_free);
}
