// SPDX-License-Identifier: GPL-2.0-or-later
//
// Puts hazard kprobe-indirect-call-emulation back into arch/x86/kernel/kprobes/core.c of Linux 6.1.y.
//
// As in Linux 5.13 to 6.6.10 (6256e668b7af): a kprobe on a call through a register pushes the return
// address of a call of five bytes, whatever its size. Undoes f5d03da48d06 (6.7-rc8, 6.1.72).

@@
identifier p, regs, offs;
symbol INT3_INSN_SIZE;
@@
- int3_emulate_push(regs, regs->ip - INT3_INSN_SIZE + p->ainsn.size);
- int3_emulate_jmp(regs, regs_get_register(regs, offs));
+ int3_emulate_call(regs, regs_get_register(regs, offs));
