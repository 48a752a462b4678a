/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest of a few hundred bytes that proves that an accelerator runs 64-bit code: it enters long
 * mode, computes there, says its token on port 0xe9 and ends QEMU through port 0xf4. See
 * accel_guest.h. Nested hosts exist where KVM opens, creates a VM, and stops after 16-bit code.
 *
 * A flat multiboot image (address fields in the header, no ELF) that is data to the harness: all
 * addresses are computed from where it is loaded.
 */
#define LOAD	0x100000
#define TABLES	0x110000		/* three pages: PML4, PDPT, PD */
#define STACK	0x120000
#define AT(label) (LOAD + (label) - accel_guest)

#define MAGIC	0x1badb002
#define FLAGS	0x00010000		/* the header has addresses */

	.section .rodata.accel_guest, "a"
	.balign 16
	.global accel_guest, accel_guest_end
accel_guest:
	.long MAGIC, FLAGS, -(MAGIC + FLAGS)
	.long LOAD			/* where this header belongs */
	.long LOAD			/* load address, end of data, end of bss, entry */
	.long AT(accel_guest_end)
	.long STACK
	.long AT(start)

	.code32
start:
	cli
	cld
	movl $STACK, %esp
	movl $TABLES, %edi
	movl $(3 * 4096 / 4), %ecx
	xorl %eax, %eax
	rep stosl
	movl $(TABLES + 0x1003), TABLES
	movl $(TABLES + 0x2003), TABLES + 0x1000
	movl $0x83, TABLES + 0x2000	/* the first 2 MiB, as one page */
	movl $TABLES, %eax
	movl %eax, %cr3
	movl %cr4, %eax
	orl $0x20, %eax			/* PAE */
	movl %eax, %cr4
	movl $0xc0000080, %ecx		/* EFER.LME */
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl %cr0, %eax
	orl $0x80000001, %eax		/* PG, PE */
	movl %eax, %cr0
	lgdt AT(gdtr)
	ljmp $8, $AT(long_mode)

	.code64
long_mode:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %ss
	/* Sum 1..100000 shifted beyond 32 bits: 5000050000 << 20. */
	xorl %eax, %eax
	movl $100000, %ecx
1:	addq %rcx, %rax
	loop 1b
	shlq $20, %rax
	movabsq $(5000050000 << 20), %rdx
	cmpq %rdx, %rax
	jne 3f
	movl $AT(token), %esi
	movl $(token_end - token), %ecx
	movw $0xe9, %dx
	rep outsb
	movl $0x2a, %eax
	movw $0xf4, %dx
	outl %eax, %dx
3:	hlt
	jmp 3b

token:
	.ascii "klab-long-mode\n"
token_end:
	.balign 8
gdt:
	.quad 0
	.quad 0x00209a0000000000	/* 8: 64-bit code */
	.quad 0x0000920000000000	/* 16: data */
gdtr:
	.word gdtr - gdt - 1
	.long AT(gdt)
accel_guest_end:
	.byte 0

	.section .note.GNU-stack, "", @progbits
