// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PID 1 of every guest: makes its world, says hello, serves the host, powers off. Elsewhere it only
 * answers --describe and --selftest. It must run on 3.10 and later, with nothing beside it.
 */
#include "init.h"
#include "link.h"
#include "status.h"

#include "probes/lib/util.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#define CMDLINE_MAX 4096

/* The value of klab.nonce= on the kernel command line, or NULL. */
static const char *nonce_find(void)
{
	static char cmdline[CMDLINE_MAX];
	char *save, *word;

	if (file_read("/proc/cmdline", cmdline, sizeof(cmdline)) < 0)
		return NULL;
	for (word = strtok_r(cmdline, " \n", &save); word; word = strtok_r(NULL, " \n", &save))
		if (!strncmp(word, "klab.nonce=", 11))
			return word + 11;
	return NULL;
}

static int libbpf_say(enum libbpf_print_level level, const char *format, va_list ap)
{
	char text[400];

	if (level != LIBBPF_WARN)
		return 0;
	text_vformat(text, sizeof(text), format, ap);
	text[strcspn(text, "\n")] = '\0';
	probe_note("%s", text);
	return 0;
}

/* Without ACPI a power off halts for ever; a reset ends the guest too (-no-reboot). */
static void power_off(void)
{
	sync();
	if (access("/sys/firmware/acpi", F_OK) == 0 || access("/proc/acpi", F_OK) == 0)
		reboot(RB_POWER_OFF);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

/* Words for the console, where the wire cannot carry them. */
static void last_words(const char *text, int err)
{
	char line[200];

	text_format(line, sizeof(line), "klab: %s: %s\n", text, strerror(-err));
	file_write("/dev/kmsg", line);
	sleep_ms(500);
	power_off();
}

static void pid1_main(void)
{
	int err;

	mounts_make();
	sysctls_set();
	kconfig_load();
	json_object_seed(1); /* or jansson asks the kernel for entropy that is not there yet */
	libbpf_set_print(libbpf_say);
	err = status_init(cpu_count(), nonce_find());
	if (err)
		last_words("no status page", err);
	status_beat_start();
	err = link_open("/dev/ttyS1");
	if (err)
		last_words("no second serial port", err);
	agent_serve();
	link_send("bye", "");
	link_drain();
	power_off();
}

int main(int argc, char **argv)
{
	if (getpid() == 1)
		pid1_main();
	if (argc == 2 && !strcmp(argv[1], "--describe"))
		return describe_main();
	if (argc == 2 && !strcmp(argv[1], "--selftest"))
		return selftest_main();
	fprintf(stderr, "usage: init --describe | --selftest (as PID 1: the guest agent)\n");
	return 2;
}
