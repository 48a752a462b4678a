/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The freestanding parts of the generated header, byte for byte; included too, though empty to an
 * assembler, so that the build knows what this depends on. */
#include "base/vercmp.h"
#include "base/ktb_identify.h"
#include "base/ktb_range.h"
#include "base/ktb_declared.h"
#include "base/ktb_check.h"

	.section .rodata
	.macro part name, file
	.global header_text_\name
header_text_\name:
	.incbin "\file"
	.byte 0
	.endm

	part vercmp, "base/vercmp.h"
	part identify, "base/ktb_identify.h"
	part range, "base/ktb_range.h"
	part declared, "base/ktb_declared.h"
	part check, "base/ktb_check.h"
	.section .note.GNU-stack,"",@progbits
