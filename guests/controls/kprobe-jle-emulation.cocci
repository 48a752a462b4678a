// SPDX-License-Identifier: GPL-2.0-or-later
//
// Puts hazard kprobe-jle-emulation back into arch/x86/include/asm/text-patching.h of Linux 6.1.y.
//
// As in Linux 5.13 to 5.18 (6256e668b7af): a kprobe on a jle or jg wants the zero flag as well as a
// difference of sign and overflow, not one of both. Undoes 8924779df820 (6.0-rc2).

@@
identifier match, regs;
symbol X86_EFLAGS_ZF;
@@
- match = match || (regs->flags & X86_EFLAGS_ZF);
+ match = match && (regs->flags & X86_EFLAGS_ZF);
