// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A QEMU that misbehaves on purpose, for contract tests: it answers --version, speaks just enough
 * QMP, and then does on its serial ports what the file FAKE_QEMU.mode beside it says:
 *
 *	silent	nothing, for ever
 *	flood	console bytes without end, never a hello
 *	torn	records that are no records, for ever
 *	exit	ends with code 7 and a word on stderr
 *	mute	not even a monitor
 *
 * Asked to start without running (-S) it ends well at once: it takes any cage.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fd_of(int argc, char **argv, const char *id)
{
	char want[64];
	int fd = -1;

	snprintf(want, sizeof(want), "socket,id=%s,fd=", id);
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], want, strlen(want)) == 0)
			fd = strtol(argv[i] + strlen(want), NULL, 10);
	return fd;
}

static void read_mode(char *mode, size_t size)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 8);
	FILE *f;

	path[n > 0 ? n : 0] = '\0';
	memcpy(path + strlen(path), ".mode", 6);
	f = fopen(path, "r");
	if (!f || !fgets(mode, size, f))
		exit(9);
	mode[strcspn(mode, "\n")] = '\0';
	fclose(f);
}

/* Answer every line with an empty result that carries its id. */
static void answer(int qmp, char *line)
{
	char *id = strstr(line, "\"id\":");
	char reply[256];
	const char *ret = strstr(line, "query-cpus-fast") ? "[{\"thread-id\": 1}]" : "{}";

	snprintf(reply, sizeof(reply), "{\"return\": %s, \"id\": %ld}\n", ret,
		 id ? strtol(id + 5, NULL, 10) : 0);
	if (write(qmp, reply, strlen(reply)) < 0)
		exit(8);
}

static void serve_qmp(int qmp)
{
	char line[65536];
	ssize_t n = read(qmp, line, sizeof(line) - 1);

	if (n <= 0)
		exit(0);
	line[n] = '\0';
	for (char *save = NULL, *one = strtok_r(line, "\n", &save); one;
	     one = strtok_r(NULL, "\n", &save))
		answer(qmp, one);
}

static void misbehave(const char *mode, int console, int wire)
{
	static const char torn[] = "@1 00000000 hello {\"wire\":1}\n@@ garbage\n";
	static char flood[4096];

	if (strcmp(mode, "exit") == 0) {
		fprintf(stderr, "fake: out of luck\n");
		exit(7);
	}
	memset(flood, '#', sizeof(flood));
	/* some MiB a second: an emulated UART gives a tenth of that */
	for (int i = 0; i < 16 && strcmp(mode, "flood") == 0; i++)
		if (write(console, flood, sizeof(flood)) < 0)
			break;
	if (strcmp(mode, "torn") == 0 && write(wire, torn, sizeof(torn) - 1) < 0)
		usleep(1000);
}

int main(int argc, char **argv)
{
	char mode[32];
	int qmp = fd_of(argc, argv, "mon"), console = fd_of(argc, argv, "console");
	int wire = fd_of(argc, argv, "wire");
	static const char greeting[] = "{\"QMP\": {\"version\": {}}}\n";

	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		puts("QEMU emulator version 10.9.9 (fake)");
		return 0;
	}
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "-S") == 0)
			return 0;
	read_mode(mode, sizeof(mode));
	if (strcmp(mode, "mute") == 0)
		pause();
	signal(SIGPIPE, SIG_IGN);
	fcntl(console, F_SETFL, O_NONBLOCK);
	fcntl(wire, F_SETFL, O_NONBLOCK);
	if (qmp < 0 || write(qmp, greeting, sizeof(greeting) - 1) < 0)
		return 6;
	for (;;) {
		struct pollfd pfd = { .fd = qmp, .events = POLLIN };

		if (poll(&pfd, 1, 5) > 0)
			serve_qmp(qmp);
		misbehave(mode, console, wire);
	}
}
