// SPDX-License-Identifier: GPL-2.0-or-later
/* A program that does nothing but end: see tiny_exec.h. One page, one segment, no libc: an exec of
 * it costs little else than what exec(2) itself does. */
#include "probes/lib/tiny_exec.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define BASE 0x400000u

struct tiny {
	Elf64_Ehdr elf;
	Elf64_Phdr load;
	unsigned char code[16];
};

static const struct tiny tiny = {
	.elf = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = BASE + offsetof(struct tiny, code),
		.e_phoff = offsetof(struct tiny, load),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	},
	.load = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_vaddr = BASE,
		.p_paddr = BASE,
		.p_filesz = sizeof(struct tiny),
		.p_memsz = sizeof(struct tiny),
		.p_align = 4096,
	},
	/* mov $60, %eax; xor %edi, %edi; syscall: exit(0) */
	.code = { 0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05 },
};

int tiny_exec_make(void)
{
	int fd = open(TINY_EXEC_PATH, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, &tiny, sizeof(tiny));
	close(fd);
	return n == sizeof(tiny) ? 0 : -EIO;
}
