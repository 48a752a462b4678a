// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How fast is the console parser, and is its memory flat? Feeds 1, 10 and 100 MB of the golden
 * corpus end to end, and inputs made to be slow. It measures and judges nothing:
 *
 *	bench_console [FOLDER]	(default: the golden corpus; FOLDER/NAME/console.txt are read)
 *
 * "peak" is the whole process' high-water mark so far, the input's own block included.
 */
#include "parse/console.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MB 1000000
#define PIECE 65536 /* bytes a feed, as a reader of a serial port might give them */

static long peak_kib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

/* CPU time of this process: what a busy machine does not change much. */
static int64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * G_USEC_PER_SEC + t.tv_nsec / 1000;
}

static GString *corpus_read(const char *folder)
{
	GDir *dir = g_dir_open(folder, 0, NULL);
	GString *all = g_string_new(NULL);

	for (const char *name; dir && (name = g_dir_read_name(dir));) {
		g_autofree char *path = g_build_filename(folder, name, "console.txt", NULL);
		g_autofree char *text = NULL;
		gsize len;

		if (!g_file_get_contents(path, &text, &len, NULL))
			continue;
		g_string_append_len(all, text, len);
		g_string_append_c(all, '\n');
	}
	if (dir)
		g_dir_close(dir);
	return all;
}

/* Feed `block` over and over until `total` bytes are through. */
static void measure(const char *what, const char *block, size_t len, size_t total)
{
	g_autoptr(console) c = console_new();
	int64_t start_us = g_get_monotonic_time(), start_cpu_us = cpu_us(), us, used_us;
	uint64_t events = 0;

	for (size_t done = 0, at = 0; done < total;) {
		size_t n = MIN(MIN((size_t)PIECE, len - at), total - done);

		console_feed(c, block + at, n);
		done += n;
		at = (at + n) % len;
	}
	console_finish(c);
	us = MAX(g_get_monotonic_time() - start_us, 1);
	used_us = MAX(cpu_us() - start_cpu_us, 1);
	for (unsigned i = 0; i < CONSOLE__COUNT; i++)
		events += console_report(c)->counts[i];
	printf("%-26s %5.0f MB %7.1f MB/s %7.1f MB/CPU-s %8" G_GUINT64_FORMAT
	       " events %3u kept, %6zu bytes held, peak %ld KiB\n",
	       what, (double)total / MB, (double)total / us, (double)total / used_us, events,
	       console_report(c)->n, console_held(c), peak_kib());
}

/* A text again and again, up to `len` bytes. */
static GString *repeated(const char *text, size_t len)
{
	GString *block = g_string_sized_new(len + strlen(text));

	while (block->len < len)
		g_string_append(block, text);
	return block;
}

static void measure_slow(void)
{
	static const struct {
		const char *what, *text;
	} inputs[] = {
		{ "one line of x", "x" },
		{ "one line of [", "[" },
		{ "one line of stamps", "[    1.000000] " },
		{ "one line of +0x", "a+0x" },
		{ "one line of BUG:", "BUG: " },
		{ "one line of NMI chatter", "Uhhuh. NMI received for unknown reason 2d." },
		{ "chatter, unfinished", "Uhhuh. NMI rec" },
		{ "empty lines", "\n" },
		{ "carriage returns", "\r" },
		{ "escapes", "\033[0m" },
		{ "oops heads", "BUG: kernel NULL pointer dereference, address: 0\n" },
		{ "lines that begin a splat", "WARNING: no such thing as the kernel prints\n" },
		{ "frames", "[    1.000000]  f+0x1/0x2\n" },
		{ "segfaults", "x[1]: segfault at 0 ip 0 sp 0 error 4\n" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(inputs); i++) {
		GString *block = repeated(inputs[i].text, 1 * MB);

		measure(inputs[i].what, block->str, block->len, 64 * MB);
		g_string_free(block, TRUE);
	}
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 1 * MB, 10 * MB, 100 * MB };
	GString *corpus =
		corpus_read(argc > 1 ? argv[1] : SOURCE_DIR "/harness/tests/golden/console");

	if (!corpus->len) {
		fprintf(stderr, "no NAME/console.txt to read\n");
		return 2;
	}
	printf("corpus: %zu bytes, fed over and over\n", corpus->len);
	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++)
		measure("corpus", corpus->str, corpus->len, sizes[i]);
	measure_slow();
	g_string_free(corpus, TRUE);
	return 0;
}
