// SPDX-License-Identifier: GPL-2.0-or-later
/* Functions of the function tracer: see ftrace_function.h. */
#include "probes/lib/ftrace_function.h"
#include "probes/lib/tracefs.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define INDEX_SINCE 5001 /* filters take a function's place in the list */

/* A megabyte or two, one function a line. */
int ftrace_function_list(void (*meet)(const char *name, unsigned index))
{
	static char buf[32768];
	char path[256];
	unsigned index = 0;
	size_t len = 0;
	ssize_t n;
	int fd;

	text_format(path, sizeof(path), "%s/available_filter_functions", tracefs_root());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0) {
		char *line = buf, *end;

		buf[len += n] = '\0';
		for (; (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			line[strcspn(line, " \t")] = '\0'; /* a module's name follows */
			meet(line, ++index);
		}
		len -= line - buf;
		memmove(buf, line, len);
	}
	close(fd);
	return 0;
}

int ftrace_function_call(const char *name, const char *const *calls, unsigned n)
{
	static const char *const prefixes[] = { "__x64_sys_", "sys_", "SyS_", "__ia32_sys_",
						"__do_sys_" };

	for (unsigned p = 0; p < sizeof(prefixes) / sizeof(*prefixes); p++) {
		size_t len = strlen(prefixes[p]);

		if (strncmp(name, prefixes[p], len))
			continue;
		for (unsigned i = 0; i < n; i++)
			if (!strcmp(name + len, calls[i]))
				return i;
	}
	return -1;
}

void ftrace_function_by_name(struct ftrace_function *f)
{
	text_format(f->token, sizeof(f->token), "%s", f->name);
}

void ftrace_function_set(struct ftrace_function *f, const char *name, unsigned index)
{
	text_format(f->name, sizeof(f->name), "%s", name);
	ftrace_function_by_name(f);
	if (kernel_version() >= INDEX_SINCE)
		text_format(f->token, sizeof(f->token), "%u", index);
}

int ftrace_function_filter(const struct trace_instance *t, const char *file,
			   const struct ftrace_function *f, bool on)
{
	char text[80];

	text_format(text, sizeof(text), "%s%s\n", on ? "" : "!", f->token);
	return trace_instance_append(t, file, text);
}
