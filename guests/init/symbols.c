// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sends the kernel's text symbols: /proc/kallsyms without data, modules, boot code and the padding
 * in front of functions, sorted, deflated, in base64. Under 2 MB of text become a quarter of that.
 */
#include "base64.h"
#include "init.h"
#include "link.h"

#include "probes/lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define TEXT_MAX (64u << 20) /* a distribution's kernel has 8 to 12 MiB */
#define NAME_MAX_LEN 255
#define CHUNK_RAW 5400 /* three quarters of a record's payload */

struct symbol {
	uint64_t addr;
	const char *name;
};

struct table {
	char *text;
	struct symbol *symbols;
	size_t n, room;
};

static char *kallsyms_read(void)
{
	int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	size_t len = 0, room = 1 << 20;
	char *buf = fd < 0 ? NULL : malloc(room), *bigger;
	ssize_t n = 1;

	while (buf && n > 0) {
		n = read(fd, buf + len, room - 1 - len);
		len += n > 0 ? n : 0;
		if (len < room - 1)
			continue;
		bigger = room < TEXT_MAX ? realloc(buf, room *= 2) : NULL;
		if (!bigger)
			break;
		buf = bigger;
	}
	if (fd >= 0)
		close(fd);
	if (buf)
		buf[len] = '\0';
	return buf;
}

/* Outside of _stext.._etext lies boot code, gone by now; "__pfx_f" is padding in front of f. */
static void table_trim(struct table *t)
{
	uint64_t from = 0, to = UINT64_MAX;
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (!strcmp(t->symbols[i].name, "_stext"))
			from = t->symbols[i].addr;
		else if (!strcmp(t->symbols[i].name, "_etext"))
			to = t->symbols[i].addr;
	}
	for (size_t i = 0; i < t->n; i++)
		if (t->symbols[i].addr >= from && t->symbols[i].addr <= to &&
		    strncmp(t->symbols[i].name, "__pfx_", 6))
			t->symbols[kept++] = t->symbols[i];
	t->n = kept;
}

static bool table_add(struct table *t, uint64_t addr, const char *name)
{
	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 1 << 16;
		void *bigger = realloc(t->symbols, room * sizeof(*t->symbols));

		if (!bigger)
			return false;
		t->symbols = bigger;
		t->room = room;
	}
	t->symbols[t->n++] = (struct symbol){ .addr = addr, .name = name };
	return true;
}

/* Lines are "HEX TYPE NAME" or, in modules and generated code, "HEX TYPE NAME\t[OWNER]". */
static void table_parse(struct table *t)
{
	char *save, *line, *end;

	for (line = strtok_r(t->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		uint64_t addr = strtoull(line, &end, 16);

		if (!addr || end == line || end[0] != ' ' || !end[1] || !strchr("tTwW", end[1]) ||
		    end[2] != ' ' || strchr(end + 3, '\t') || strlen(end + 3) > NAME_MAX_LEN)
			continue;
		if (!table_add(t, addr, end + 3))
			return;
	}
}

static int symbol_compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Put bytes through the deflater; full chunks go out. */
static void stream_put(z_stream *z, const char *bytes, size_t len, int flush)
{
	static uint8_t chunk[CHUNK_RAW];
	static char payload[CHUNK_RAW / 3 * 4 + 8];
	int err;

	z->next_in = (Bytef *)bytes;
	z->avail_in = len;
	do {
		if (!z->next_out) {
			z->next_out = chunk;
			z->avail_out = sizeof(chunk);
		}
		err = deflate(z, flush);
		if (z->avail_out && err != Z_STREAM_END)
			continue;
		base64_encode(payload, chunk, sizeof(chunk) - z->avail_out);
		if (z->avail_out < sizeof(chunk))
			link_send("symbols", payload);
		z->next_out = NULL;
	} while (z->avail_in || (flush == Z_FINISH && err == Z_OK));
}

static void table_send(const struct table *t)
{
	z_stream z = { 0 };
	char line[NAME_MAX_LEN + 32];

	if (deflateInit(&z, Z_DEFAULT_COMPRESSION) != Z_OK)
		return;
	for (size_t i = 0; i < t->n; i++) {
		text_format(line, sizeof(line), "%llx %s\n", (unsigned long long)t->symbols[i].addr,
			    t->symbols[i].name);
		stream_put(&z, line, strlen(line), Z_NO_FLUSH);
	}
	stream_put(&z, "", 0, Z_FINISH);
	deflateEnd(&z);
}

void symbols_send(void)
{
	struct table t = { .text = kallsyms_read() };

	if (t.text)
		table_parse(&t);
	table_trim(&t);
	if (t.n) {
		qsort(t.symbols, t.n, sizeof(*t.symbols), symbol_compare);
		table_send(&t);
	} else {
		link_note("no symbols: '/proc/kallsyms' is absent or shows no address");
	}
	link_send("symbols", ".");
	free(t.symbols);
	free(t.text);
}
