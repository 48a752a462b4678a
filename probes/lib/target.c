// SPDX-License-Identifier: GPL-2.0-or-later
/* The program of target.h. Its code is position independent and never runs where it is linked. */
#include "probes/lib/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define START_OFFSET 512
#define VADDR 0x400000
#define RIP_CONSTANT 0x5a17c0de

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

/* lea changes no flags: they must come back as they went in. */
#define JCC(condition, bit) "j" condition " 1f\n lea " bit "(%rax), %rax\n1:\n"

asm(".pushsection .text.target, \"ax\", @progbits\n"
    ".balign " TEXT(TARGET_PAGE) "\n"
    "target_image:\n"
    ".skip " TEXT(START_OFFSET) "\n"
    "	mov $" TEXT(TARGET_EXEC_CALLS) ", %ebx\n"
    "1:	mov %rbx, %rdi\n"
    "	call target_push\n"
    "	lea (%rdi,%rdi,2), %rcx\n"
    "	mov $1, %edi\n"
    "	cmp %rcx, %rax\n"
    "	jne 2f\n"
    "	dec %ebx\n"
    "	jnz 1b\n"
    "	xor %edi, %edi\n"
    "2:	mov $231, %eax\n"		/* exit_group */
    "	syscall\n"
    ".balign " TEXT(TARGET_PAGE) "\n"

    "target_nop:\n"
    "	nop\n	lea 0x11(%rdi), %rax\n	ret\n"
    ".balign " TEXT(TARGET_STRIDE) "\n"
    ".byte 0x0f, 0x1f, 0x44, 0, 0\n"
    "	lea 1(%rdi,%rdi), %rax\n	ret\n"
    ".balign " TEXT(TARGET_STRIDE) "\n"
    "target_push:\n"
    "	push %rbp\n	mov %rsp, %rbp\n	lea (%rdi,%rdi,2), %rax\n	pop %rbp\n	ret\n"
    ".balign " TEXT(TARGET_STRIDE) "\n"
    "	jmp 1f\n	ud2\n1:	mov %rdi, %rax\n	not %rax\n	ret\n"
    ".balign " TEXT(TARGET_STRIDE) "\n"
    "	call 1f\n	lea 1(%rax), %rax\n	ret\n1:	mov %rdi, %rax\n	ret\n"
    ".balign " TEXT(TARGET_STRIDE) "\n"
    "	mov 1f(%rip), %rax\n	lea (%rax,%rdi), %rax\n	ret\n"
    ".balign 8\n"
    "1:	.quad " TEXT(RIP_CONSTANT) "\n"
    ".balign " TEXT(TARGET_STRIDE) "\n"
    "	mov $0, %eax\n	cmp %rsi, %rdi\n"
    JCC("le", "1") JCC("g", "2") JCC("l", "4") JCC("ge", "8") JCC("b", "16") JCC("a", "32")
    JCC("e", "64")
    "	ret\n"
    ".balign " TEXT(TARGET_STRIDE) "\n"
    "target_recurse:\n"
    "	test %rdi, %rdi\n	jz 1f\n	dec %rdi\n	call target_recurse\n"
    "	inc %rdi\n	inc %rax\n	ret\n1:	xor %eax, %eax\n	ret\n"
    ".balign " TEXT(TARGET_STRIDE) "\n"
    "	jmp target_push\n"
    ".balign " TEXT(TARGET_STRIDE) "\n"
    "	ret\n"
    ".balign " TEXT(TARGET_STRIDE) "\n"
    "	push %rbx\n	call *%rdi\n	pop %rbx\n	ret\n"
    ".balign " TEXT(TARGET_PAGE) "\n"
    ".popsection\n");

/* struct target_call: fn, 15 registers from 8 on, flags at 128. */
asm(".pushsection .text.target_enter, \"ax\", @progbits\n"
    ".globl target_enter\n"
    ".type target_enter, @function\n"
    "target_enter:\n"
    "	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
    "	push %rdi\n	push (%rdi)\n	sub $8, %rsp\n"
    "	push 128(%rdi)\n	popfq\n"
    "	mov 8(%rdi), %rax\n	mov 16(%rdi), %rbx\n	mov 24(%rdi), %rcx\n"
    "	mov 32(%rdi), %rdx\n	mov 40(%rdi), %rsi\n	mov 56(%rdi), %rbp\n"
    "	mov 64(%rdi), %r8\n	mov 72(%rdi), %r9\n	mov 80(%rdi), %r10\n"
    "	mov 88(%rdi), %r11\n	mov 96(%rdi), %r12\n	mov 104(%rdi), %r13\n"
    "	mov 112(%rdi), %r14\n	mov 120(%rdi), %r15\n	mov 48(%rdi), %rdi\n"
    "	call *8(%rsp)\n"
    "	pushfq\n	push %rdi\n	mov 32(%rsp), %rdi\n"
    "	mov %rax, 8(%rdi)\n	mov %rbx, 16(%rdi)\n	mov %rcx, 24(%rdi)\n"
    "	mov %rdx, 32(%rdi)\n	mov %rsi, 40(%rdi)\n	mov %rbp, 56(%rdi)\n"
    "	mov %r8, 64(%rdi)\n	mov %r9, 72(%rdi)\n	mov %r10, 80(%rdi)\n"
    "	mov %r11, 88(%rdi)\n	mov %r12, 96(%rdi)\n	mov %r13, 104(%rdi)\n"
    "	mov %r14, 112(%rdi)\n	mov %r15, 120(%rdi)\n"
    "	pop 48(%rdi)\n	pop 128(%rdi)\n"
    "	add $24, %rsp\n"
    "	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n"
    "	ret\n"
    ".size target_enter, . - target_enter\n"
    ".popsection\n");

_Static_assert(sizeof(struct target_call) == 136, "target_enter knows the offsets");

extern const char target_image[2 * TARGET_PAGE];

static void header_make(char *page, unsigned pages)
{
	Elf64_Ehdr e = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = VADDR + START_OFFSET,
		.e_phoff = sizeof(e),
		.e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	Elf64_Phdr p = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_vaddr = VADDR,
		.p_paddr = VADDR,
		.p_filesz = (pages + 1) * TARGET_PAGE,
		.p_memsz = (pages + 1) * TARGET_PAGE,
		.p_align = TARGET_PAGE,
	};

	memcpy(page, target_image, TARGET_PAGE);
	memcpy(page, &e, sizeof(e));
	memcpy(page + sizeof(e), &p, sizeof(p));
}

int target_write(const char *path, unsigned pages)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);
	char head[TARGET_PAGE];
	bool ok;

	if (fd < 0)
		return -errno;
	header_make(head, pages);
	ok = write(fd, head, TARGET_PAGE) == TARGET_PAGE;
	for (unsigned i = 0; ok && i < pages; i++)
		ok = write(fd, target_image + TARGET_PAGE, TARGET_PAGE) == TARGET_PAGE;
	close(fd);
	return ok ? 0 : -EIO;
}

void *target_map(const char *path, unsigned pages)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map;

	if (fd < 0)
		return NULL;
	map = mmap(NULL, (pages + 1) * TARGET_PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	close(fd);
	return map == MAP_FAILED ? NULL : map;
}

/* The bits of the jumps that are not taken. */
static uint64_t jcc_want(uint64_t a, uint64_t b)
{
	int64_t sa = a, sb = b;

	return (sa <= sb ? 0 : 1) | (sa > sb ? 0 : 2) | (sa < sb ? 0 : 4) | (sa >= sb ? 0 : 8) |
	       (a < b ? 0 : 16) | (a > b ? 0 : 32) | (a == b ? 0 : 64);
}

static uint64_t result_want(enum target_fn fn, const struct target_call *in)
{
	uint64_t x = in->reg[TARGET_RDI];

	switch (fn) {
	case TARGET_NOP:
		return x + 0x11;
	case TARGET_NOP5:
		return 2 * x + 1;
	case TARGET_PUSH:
	case TARGET_TAIL:
		return 3 * x;
	case TARGET_JMP:
		return ~x;
	case TARGET_CALL:
		return x + 1;
	case TARGET_RIP:
		return x + RIP_CONSTANT;
	case TARGET_JCC:
		return jcc_want(x, in->reg[TARGET_RSI]);
	case TARGET_RECURSE:
		return x;
	default:
		return in->reg[TARGET_RAX];
	}
}

/* Would a C function keep it? */
static bool callee_saved(int reg)
{
	return reg == TARGET_RBX || reg == TARGET_RBP || (reg >= TARGET_R15 - 3 && reg <= TARGET_R15);
}

int target_judge(enum target_fn fn, const struct target_call *in, const struct target_call *out,
		 uint64_t *ret_want)
{
	bool c = fn == TARGET_CALLBACK;

	for (int i = 0; i < TARGET_REGS; i++) {
		*ret_want = i == TARGET_RAX ? result_want(fn, in) : in->reg[i];
		if ((!c || callee_saved(i)) && out->reg[i] != *ret_want)
			return i;
	}
	*ret_want = in->flags & TARGET_FLAGS;
	if (!c && fn != TARGET_JCC && fn != TARGET_RECURSE &&
	    (out->flags & TARGET_FLAGS) != *ret_want)
		return TARGET_REGS;
	return -1;
}

const char *target_reg_name(int reg)
{
	static const char *const names[] = { "RAX", "RBX", "RCX", "RDX", "RSI", "RDI",
					     "RBP", "R8",  "R9",  "R10", "R11", "R12",
					     "R13", "R14", "R15", "the flags" };

	return names[reg];
}
