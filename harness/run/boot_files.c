// SPDX-License-Identifier: GPL-2.0-or-later
/* See boot_files.h. The kernel unpacks archives that follow each other: the agent's stays as it is.
 */
#include "run/boot_files.h"

#include "base/fs.h"
#include "guest/cpio.h"
#include "parse/elf.h"

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
	struct cpio *archive;
	const GByteArray *out;
	GHashTable *folders; /* made already */
};

/* The folders above `path`, outermost first. */
static bool put_parents(struct packer *p, const char *path, GError **error)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		char *dir = g_strndup(path, slash - path);
		const struct cpio_node node = { .path = dir, .mode = S_IFDIR | 0755 };

		if (!g_hash_table_contains(p->folders, dir) && !cpio_put(p->archive, &node, error)) {
			g_free(dir);
			return false;
		}
		g_hash_table_add(p->folders, dir);
	}
	return true;
}

static bool put(struct packer *p, const struct cpio_node *node, GError **error)
{
	return put_parents(p, node->path, error) && cpio_put(p->archive, node, error);
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
	return put(p, &(struct cpio_node){ .path = guest + 1,
					   .mode = S_IFREG | (st.st_mode & 07777),
					   .data = data,
					   .len = len }, error);
}

static bool put_skeleton(struct packer *p, GError **error)
{
	static const char *const folders[] = { "sbin/", "usr/bin/", "usr/sbin/", "root/", "run/" };
	static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n", group[] = "root:x:0:\n";
	static const struct cpio_node nodes[] = {
		{ .path = "bin/sh", .mode = S_IFLNK | 0777, .target = "busybox" },
		{ .path = "etc/passwd",
		  .mode = S_IFREG | 0644,
		  .data = passwd,
		  .len = sizeof(passwd) - 1 },
		{ .path = "etc/group",
		  .mode = S_IFREG | 0644,
		  .data = group,
		  .len = sizeof(group) - 1 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
		if (!put_parents(p, folders[i], error))
			return false;
	for (size_t i = 0; i < G_N_ELEMENTS(nodes); i++)
		if (!put(p, &nodes[i], error))
			return false;
	return true;
}

static bool pack(struct packer *p, const char *busybox, const GPtrArray *files, GError **error)
{
	if (!put_skeleton(p, error) ||
	    (busybox && !put_host_file(p, busybox, BUSYBOX, error)))
		return false;
	for (guint i = 0; i < files->len; i++) {
		const struct boot_file *file = files->pdata[i];

		if (!put_host_file(p, file->host, file->guest, error))
			return false;
	}
	return cpio_end(p->archive, error);
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
	g_autoptr(cpio) archive = cpio_new(out, error);
	struct packer p = { .archive = archive, .out = out, .folders = folders };

	return archive && pack(&p, busybox, files, error) && join(agent_cpio, out, ret, error);
}

void boot_initrd_clear(struct boot_initrd *initrd)
{
	lab_fd_close(&initrd->fd);
	g_clear_pointer(&initrd->path, g_free);
}
