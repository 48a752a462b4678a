// SPDX-License-Identifier: GPL-2.0-or-later
/* Classes of console events: their names, and which of them end a guest. */
#include "parse/console.h"

const char *console_class_name(enum console_class class)
{
	static const char *const names[CONSOLE__COUNT] = {
		[CONSOLE_OOPS] = "oops",
		[CONSOLE_CORRUPTION] = "corruption",
		[CONSOLE_LOCKDEP] = "lockdep",
		[CONSOLE_HARD_LOCKUP] = "hard-lockup",
		[CONSOLE_HUNG_TASK] = "hung-task",
		[CONSOLE_SOFT_LOCKUP] = "soft-lockup",
		[CONSOLE_RCU_STALL] = "rcu-stall",
		[CONSOLE_PANIC] = "panic",
		[CONSOLE_KILLED_INIT] = "killed-init",
		[CONSOLE_BOOT_FAILURE] = "boot-failure",
		[CONSOLE_WEATHER] = "weather",
		[CONSOLE_WARN] = "warn",
		[CONSOLE_RACE] = "race",
		[CONSOLE_UNDEFINED] = "undefined",
		[CONSOLE_OOM] = "oom",
		[CONSOLE_USER_FAULT] = "user-fault",
	};

	return names[class];
}

bool console_class_is_fatal(enum console_class class)
{
	switch (class) {
	case CONSOLE_OOPS:
	case CONSOLE_CORRUPTION:
	case CONSOLE_HARD_LOCKUP:
	case CONSOLE_PANIC:
	case CONSOLE_KILLED_INIT:
	case CONSOLE_WEATHER:
		return true;
	default:
		return false;
	}
}
