// SPDX-License-Identifier: GPL-2.0-or-later
/* See dump.h. The engine writes into a descriptor of ours: its cage has no folders. */
#include "run/dump.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define ROOM_LEFT (UINT64_C(256) << 20)	/* bytes that a dump leaves free on the disk */
#define NOTES_MAX (4u << 20)
#define PHDRS_MAX 4096
#define VMCOREINFO_MAX 4096		/* VMCOREINFO_BYTES, include/linux/vmcore_info.h */

/* --- the note ---------------------------------------------------------------------------------- */

static bool read_at(int fd, uint64_t at, void *buf, size_t len, GError **error)
{
	return pread(fd, buf, len, at) == (ssize_t)len ||
	       lab_fail(error, LAB_ERROR_INPUT, "not a whole ELF core");
}

static bool write_at(int fd, uint64_t at, const void *buf, size_t len, GError **error)
{
	return pwrite(fd, buf, len, at) == (ssize_t)len || lab_fail_errno(error, "'" DUMP_FILE "'");
}

static bool find_notes(int fd, Elf64_Phdr *ret, uint64_t *ret_at, GError **error)
{
	Elf64_Ehdr eh;

	if (!read_at(fd, 0, &eh, sizeof(eh), error))
		return false;
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_phentsize != sizeof(*ret) || eh.e_phnum > PHDRS_MAX)
		return lab_fail(error, LAB_ERROR_INPUT, "not an ELF core of 64 bits");
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		*ret_at = eh.e_phoff + i * sizeof(*ret);
		if (!read_at(fd, *ret_at, ret, sizeof(*ret), error))
			return false;
		if (ret->p_type == PT_NOTE && ret->p_filesz <= NOTES_MAX)
			return true;
	}
	return lab_fail(error, LAB_ERROR_INPUT, "an ELF core without notes");
}

static void append_padded(GByteArray *out, const void *data, size_t len)
{
	g_byte_array_append(out, data, len);
	while (out->len % 4)
		g_byte_array_append(out, (const guint8 *)"", 1);
}

/* There is no room behind the notes: all of them move to the end of the file. */
bool dump_add_note(int fd, const char *name, const void *desc, size_t len, GError **error)
{
	const Elf64_Nhdr head = { .n_namesz = strlen(name) + 1, .n_descsz = len };
	g_autoptr(GByteArray) notes = g_byte_array_new();
	Elf64_Phdr ph;
	struct stat st;
	uint64_t at = 0;

	if (!find_notes(fd, &ph, &at, error))
		return false;
	g_byte_array_set_size(notes, ph.p_filesz);
	if (!read_at(fd, ph.p_offset, notes->data, notes->len, error))
		return false;
	append_padded(notes, "", 0);
	append_padded(notes, &head, sizeof(head));
	append_padded(notes, name, head.n_namesz);
	append_padded(notes, desc, len);
	if (fstat(fd, &st))
		return lab_fail_errno(error, "'" DUMP_FILE "'");
	ph.p_offset = (st.st_size + 7) & ~(off_t)7;
	ph.p_filesz = notes->len;
	ph.p_memsz = ph.p_memsz ? notes->len : 0;
	return write_at(fd, ph.p_offset, notes->data, notes->len, error) &&
	       write_at(fd, at, &ph, sizeof(ph), error);
}

/* --- the kernel's VMCOREINFO ------------------------------------------------------------------- */

static bool read_symbol(struct guest *g, const struct facts *f, const char *name, uint64_t *ret_addr,
			uint64_t *ret)
{
	const struct kallsym *sym = kallsyms_find(f->kallsyms, name);

	if (!sym || !guest_read_virt(g, 0, sym->addr, ret, sizeof(*ret), NULL))
		return false;
	*ret_addr = sym->addr;
	return true;
}

/* vmcoreinfo_data is a pointer since 4.13 and an array before; its text begins with OSRELEASE=. */
static char *read_vmcoreinfo(struct guest *g, const struct facts *f, size_t *ret_len)
{
	uint64_t data, size, at, unused;
	g_autofree char *text = NULL;

	if (!f || !f->kallsyms || !read_symbol(g, f, "vmcoreinfo_data", &at, &data) ||
	    !read_symbol(g, f, "vmcoreinfo_size", &unused, &size) || !size ||
	    size > VMCOREINFO_MAX)
		return NULL;
	if (memcmp(&data, "OSRELEAS", 8))
		at = data;
	text = g_malloc0(size + 1);
	if (!guest_read_virt(g, 0, at, text, size, NULL) || !g_str_has_prefix(text, "OSRELEASE="))
		return NULL;
	*ret_len = size;
	return g_steal_pointer(&text);
}

/* --- the dump ---------------------------------------------------------------------------------- */

static bool check_room(const char *dir, uint64_t want, GError **error)
{
	struct statvfs fs;
	uint64_t room;

	if (statvfs(dir, &fs))
		return lab_fail_errno(error, "'%s'", dir);
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	return room >= want + ROOM_LEFT ||
	       lab_fail(error, LAB_ERROR_INFRA,
			"no room for a dump of %" G_GUINT64_FORMAT " MiB: '%s' has %" G_GUINT64_FORMAT
			" MiB free", want >> 20, dir, room >> 20);
}

static bool fill(struct guest *g, const struct facts *f, int fd, unsigned mem_mib,
		 struct dump_result *ret, GError **error)
{
	struct dump_result result = { 0 };
	g_autofree char *info = NULL;
	struct stat st;
	size_t len;

	if (!guest_dump(g, fd, 30000 + mem_mib * 20, error))
		return false;
	info = read_vmcoreinfo(g, f, &len);
	if (info && !dump_add_note(fd, "VMCOREINFO", info, len, error))
		return false;
	if (fsync(fd) || fstat(fd, &st))
		return lab_fail_errno(error, "'" DUMP_FILE "'");
	result.vmcoreinfo = info != NULL;
	result.bytes = st.st_size;
	*ret = result;
	return true;
}

bool dump_write(struct guest *g, const struct facts *f, const char *dir, unsigned mem_mib,
		struct dump_result *ret, GError **error)
{
	g_autofree char *path = g_build_filename(dir, DUMP_FILE, NULL);
	g_autofree char *tmp = g_strconcat(path, ".tmp", NULL);
	auto_fd fd = -1;
	bool ok;

	if (!check_room(dir, (uint64_t)mem_mib << 20, error))
		return false;
	fd = open(tmp, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return lab_fail_errno(error, "'%s'", tmp);
	ok = fill(g, f, fd, mem_mib, ret, error) &&
	     (!g_rename(tmp, path) || lab_fail_errno(error, "'%s'", path));
	if (!ok)
		g_unlink(tmp);
	return ok;
}
