/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unsafe libc calls become compile errors in the harness; included by the build before every file. */
#ifndef KLAB_BASE_BANNED_H
#define KLAB_BASE_BANNED_H
#ifndef __ASSEMBLER__
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef strcpy
#define strcpy(x, y) banned_function_strcpy
#undef strcat
#define strcat(x, y) banned_function_strcat
#undef strncpy
#define strncpy(x, y, n) banned_function_strncpy
#undef sprintf
#define sprintf(...) banned_function_sprintf
#undef gets
#define gets(x) banned_function_gets
#undef atoi
#define atoi(x) banned_function_atoi
#undef system
#define system(x) banned_function_system
#endif
#endif
