// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzz what a guest can send: wire records in any pieces, symbol lists, register text. */
#include "guest/regs.h"
#include "parse/symbol_stream.h"
#include "parse/symbols.h"
#include "parse/wire.h"

#include <stdlib.h>
#include <string.h>

static void on_record(const struct wire_record *record, void *user)
{
	char again[WIRE_LINE_MAX + 1];

	/* what was accepted can be written again, and is bounded */
	if (strlen(record->type) + strlen(record->payload) > WIRE_LINE_MAX ||
	    !wire_format(again, sizeof(again), record->seq, record->type, record->payload))
		abort();
}

/* Lines as payloads of records, and the whole as a deflated stream. */
static void fuzz_stream(const char *text)
{
	g_autoptr(GString) sent = g_string_new(NULL), deflated = g_string_new(text);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line && !symbol_stream_add(sent, *line); line++)
		;
	g_free(symbol_stream_text(sent));
	g_free(symbol_stream_text(deflated));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire_parser p;
	size_t cut = size ? data[0] % 64 + 1 : 1;
	struct guest_regs regs[4];
	size_t at = 0;

	wire_parser_init(&p, on_record, NULL);
	for (size_t i = 0; i < size; i += cut)
		wire_parser_feed(&p, data + i, MIN(cut, size - i));

	g_autoptr(symbols) s = symbols_parse((const char *)data, size);
	g_autofree char *text = g_strndup((const char *)data, size);

	while (symbols_glob(s, "*a*", &at))
		;
	for (size_t i = 0; i < s->n; i++)
		if (symbols_find(s, s->sym[i].addr) == &s->sym[s->n])
			abort();
	regs_parse(text, regs, 4);
	fuzz_stream(text);
	return 0;
}
