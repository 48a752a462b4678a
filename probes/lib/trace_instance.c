// SPDX-License-Identifier: GPL-2.0-or-later
/* Instances of tracefs: see trace_instance.h. */
#include "probes/lib/trace_instance.h"
#include "probes/lib/tracefs.h"
#include "probes/lib/util.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 256

static void path_of(char *path, const struct trace_instance *t, const char *file)
{
	text_format(path, PATH_SIZE, "%s/%s", t->dir, file);
}

static int settle(const struct trace_instance *t, unsigned kib_per_cpu)
{
	char kib[16];

	text_format(kib, sizeof(kib), "%u\n", kib_per_cpu);
	trace_instance_write(t, "options/record-cmd", "0\n");
	return trace_instance_write(t, "buffer_size_kb", kib);
}

int trace_instance_make(struct trace_instance *t, const char *name, unsigned kib_per_cpu)
{
	const char *root = tracefs_root();
	int err;

	*t = (struct trace_instance){ 0 };
	if (!root)
		return -ENOENT;
	text_format(t->dir, sizeof(t->dir), "%s/instances/%s", root, name);
	err = mkdir(t->dir, 0700) ? -errno : settle(t, kib_per_cpu);
	if (err)
		trace_instance_remove(t);
	return err;
}

int trace_instance_top(struct trace_instance *t, unsigned kib_per_cpu)
{
	const char *root = tracefs_root();

	*t = (struct trace_instance){ .top = true };
	if (!root)
		return -ENOENT;
	text_format(t->dir, sizeof(t->dir), "%s", root);
	return settle(t, kib_per_cpu);
}

void trace_instance_remove(struct trace_instance *t)
{
	if (*t->dir && !t->top)
		rmdir(t->dir);
	*t = (struct trace_instance){ 0 };
}

bool trace_instance_has(const struct trace_instance *t, const char *file)
{
	char path[PATH_SIZE];

	path_of(path, t, file);
	return *t->dir && !access(path, F_OK);
}

int trace_instance_write(const struct trace_instance *t, const char *file, const char *text)
{
	char path[PATH_SIZE];

	path_of(path, t, file);
	return file_write(path, text);
}

int trace_instance_append(const struct trace_instance *t, const char *file, const char *text)
{
	char path[PATH_SIZE];

	path_of(path, t, file);
	return file_append(path, text);
}

int trace_instance_read(const struct trace_instance *t, const char *file, char *buf, unsigned size)
{
	char path[PATH_SIZE];

	path_of(path, t, file);
	return file_read(path, buf, size);
}

/* Numbers of "NAME: N" lines, added to what they tell. */
static void stats_add(char *text, struct trace_counts *sum)
{
	char *save, *line = strtok_r(text, "\n", &save);
	unsigned long long n;

	for (; line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "entries: %llu", &n) == 1 ||
		    sscanf(line, "overrun: %llu", &n) == 1 ||
		    sscanf(line, "read events: %llu", &n) == 1)
			sum->written += n;
		else if (sscanf(line, "commit overrun: %llu", &n) == 1 ||
			 sscanf(line, "dropped events: %llu", &n) == 1)
			sum->lost += n;
	}
}

int trace_instance_counts(const struct trace_instance *t, unsigned ncpus, struct trace_counts *ret)
{
	struct trace_counts sum = { 0 };
	char file[64], text[1024];

	for (unsigned cpu = 0; cpu < ncpus; cpu++) {
		int n;

		text_format(file, sizeof(file), "per_cpu/cpu%u/stats", cpu);
		n = trace_instance_read(t, file, text, sizeof(text));
		if (n < 0)
			return n;
		stats_add(text, &sum);
	}
	*ret = sum;
	return 0;
}
