// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes tracing_blacklist.h: the freestanding code of base/ verbatim, the tables of know/ as
 * constants, and the few functions that a product calls. The order is that of the knowledge; no
 * time, host or path goes in.
 */
#include "report/header.h"

extern const char header_text_vercmp[], header_text_identify[], header_text_range[],
	header_text_declared[], header_text_check[];

static const char intro[] =
	"/* SPDX-License-Identifier: MIT OR GPL-2.0-only */\n"
	"/*\n"
	" * tracing_blacklist.h: which tracing operations are unsafe on which kernels. Generated "
	"by\n"
	" * klab " KLAB_VERSION " from its declarations and measurements; do not edit.\n"
	" *\n"
	" *	struct ktb_kernel kernel;\n"
	" *	struct ktb_answer answer;\n"
	" *\n"
	" *	ktb_identify(&kernel, uts.release, uts.version, os_release_text_or_NULL);\n"
	" *	ktb_force(&kernel, getenv(\"MYTOOL_FORCE\"));	// optional: \"all\" or \"op,op\"\n"
	" *	answer = ktb_check(&kernel, KTB_OP_...);\n"
	" *	if (!answer.allowed)\n"
	" *		... do without the operation, or refuse; answer.reason says why ...\n"
	" *	else if (answer.forced)\n"
	" *		... log that the user overrode answer.reason ...\n"
	" *\n"
	" * Freestanding C99 and C++11, kernel code included: no allocation, no library, no files. "
	"With\n"
	" * KTB_WITH_STDIO defined before the #include, ktb_identify_host() asks the running "
	"system.\n"
	" * With KTB_STRICT defined, unknown counts as affected (as after ktb_strict(&kernel, "
	"1)).\n"
	" */\n";

static void append_literal(GString *out, const char *text)
{
	if (!text) {
		g_string_append(out, "NULL");
		return;
	}
	g_string_append_c(out, '"');
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		if (*at == '"' || *at == '\\' || *at == '?')
			g_string_append_printf(out, "\\%c", *at);
		else if (*at >= 0x20 && *at < 0x7f)
			g_string_append_c(out, *at);
		else
			g_string_append_printf(out, "\\%03o", *at);
	}
	g_string_append_c(out, '"');
}

static void append_fields(GString *out, const char *const *fields, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		g_string_append(out, i ? ",\n\t  " : "");
		append_literal(out, fields[i]);
	}
}

/* "nmi-user-read" -> "nmi_user_read", or with upper case letters. */
static char *identifier(const char *name, bool upper)
{
	char *id = upper ? g_ascii_strup(name, -1) : g_strdup(name);

	for (char *at = id; *at; at++)
		if (!g_ascii_isalnum(*at))
			*at = '_';
	return id;
}

static void append_ops(GString *out, const struct knowledge *k)
{
	unsigned n = g_strv_length(k->ops);

	g_string_append(out, "/* Operations: what a tracing product may want to do. */\n");
	for (char **op = k->ops; *op; op++) {
		g_autofree char *id = identifier(*op, true);

		g_string_append_printf(out, "#define KTB_OP_%s \"%s\"\n", id, *op);
	}
	g_string_append_printf(out, "#define KTB_N_OPS %u\n", n);
	g_string_append(out, "static const char *const ktb_ops[KTB_N_OPS + 1] = { ");
	for (char **op = k->ops; *op; op++) {
		append_literal(out, *op);
		g_string_append(out, ", ");
	}
	g_string_append(out, "NULL };\n\n");
}

static void append_ranges(GString *out, const struct ktb_hazard *h)
{
	static const char *const kinds[] = { "KTB_RANGE_AFFECTED", "KTB_RANGE_CLEAN",
					     "KTB_RANGE_UNKNOWN", "KTB_BUILD_CLEAN",
					     "KTB_ALL_CLEAN" };
	g_autofree char *id = identifier(h->id, false);

	g_string_append_printf(out, "static const struct ktb_range ktb_ranges_%s[] = {\n", id);
	for (size_t i = 0; i < h->n_ranges; i++) {
		const struct ktb_range *r = &h->ranges[i];

		g_string_append(out, "\t{ ");
		append_literal(out, r->vendor);
		g_string_append_printf(out, ", %s, ", kinds[r->kind]);
		append_literal(out, r->lo);
		g_string_append(out, ", ");
		append_literal(out, r->last);
		g_string_append(out, ", ");
		append_literal(out, r->hi);
		g_string_append_printf(out, ", %lu },\n", r->hi_branch);
	}
	g_string_append(out, "};\n\n");
}

static void append_hazards(GString *out, const struct knowledge *k)
{
	for (size_t i = 0; i < k->table.n_hazards; i++)
		append_ranges(out, &k->hazards[i]);
	g_string_append(out, "static const struct ktb_hazard ktb_hazards[] = {\n");
	for (size_t i = 0; i < k->table.n_hazards; i++) {
		const struct ktb_hazard *h = &k->hazards[i];
		const char *fields[] = {
			h->id, h->op, h->summary, h->workaround, h->needs, h->fix
		};
		g_autofree char *id = identifier(h->id, false);

		g_string_append(out, "\t{ ");
		append_fields(out, fields, G_N_ELEMENTS(fields));
		g_string_append_printf(out, ",\n\t  ktb_ranges_%s, %zu },\n", id, h->n_ranges);
	}
	/* No array may be empty: the last entry is never reached. */
	g_string_append(out, "\t{ NULL, \"\", NULL, NULL, NULL, NULL, NULL, 0 },\n};\n\n");
}

static const char *value_name(enum ktb_value value)
{
	return value == KTB_AFFECTED ? "KTB_AFFECTED" : "KTB_CLEAN";
}

static void append_measured(GString *out, const struct knowledge *k)
{
	g_string_append(out,
			"/* Builds that were run: release, version, build, operation, verdict. */\n"
			"static const struct ktb_measured ktb_measurements[] = {\n");
	for (size_t i = 0; i < k->table.n_measured; i++) {
		const struct ktb_measured *m = &k->measured[i];
		const char *fields[] = { m->release, m->version, m->build, m->op };

		g_string_append(out, "\t{ ");
		append_fields(out, fields, G_N_ELEMENTS(fields));
		g_string_append_printf(out, ",\n\t  %s, %d, ", value_name(m->value), m->calibrated);
		append_literal(out, m->hazard);
		g_string_append(out, ", ");
		append_literal(out, m->detail);
		g_string_append(out, " },\n");
	}
	g_string_append(out, "\t{ \"\", \"\", \"\", \"\", KTB_CLEAN, 0, NULL, \"\" },\n};\n\n");
}

static void append_spans(GString *out, const struct knowledge *k)
{
	g_string_append(out, "/* Between two builds that were measured alike: operation, vendor, "
			     "verdict, the two. */\n"
			     "static const struct ktb_span ktb_spans[] = {\n");
	for (size_t i = 0; i < k->table.n_spans; i++) {
		const struct ktb_span *s = &k->spans[i];
		const char *bounds[] = { s->lo, s->hi };

		g_string_append(out, "\t{ ");
		append_literal(out, s->op);
		g_string_append(out, ", ");
		append_literal(out, s->vendor);
		g_string_append_printf(out, ", %s,\n\t  ", value_name(s->value));
		append_fields(out, bounds, G_N_ELEMENTS(bounds));
		g_string_append_printf(out, ", %d, ", s->calibrated);
		append_literal(out, s->hazard);
		g_string_append(out, " },\n");
	}
	g_string_append(out, "\t{ \"\", \"\", KTB_CLEAN, \"\", \"\", 0, NULL },\n};\n\n");
}

static void append_functions(GString *out, const struct knowledge *k)
{
	g_string_append(out, "static const struct ktb_table ktb_knowledge = {\n"
			     "\tKTB_EVIDENCE_DIGEST, ");
	append_literal(out, k->table.surveyed);
	g_string_append_printf(
		out, ",\n\tktb_hazards, %zu,\n\tktb_measurements, %zu,\n\tktb_spans, %zu,\n};\n\n",
		k->table.n_hazards, k->table.n_measured, k->table.n_spans);
	g_string_append(out, "/* May this operation be used on this kernel? The answer's texts are "
			     "constants, or part\n"
			     " * of the answer. */\n"
			     "static inline struct ktb_answer ktb_check(const struct ktb_kernel "
			     "*kernel, const char *op)\n"
			     "{\n"
			     "#ifdef KTB_STRICT\n"
			     "\tstruct ktb_kernel strict = *kernel;\n"
			     "\n"
			     "\tktb_strict(&strict, 1);\n"
			     "\treturn ktb_table_check(&ktb_knowledge, &strict, op);\n"
			     "#else\n"
			     "\treturn ktb_table_check(&ktb_knowledge, kernel, op);\n"
			     "#endif\n"
			     "}\n\n");
}

char *header_render(const struct knowledge *known, const char *digest)
{
	const char *const parts[] = { header_text_vercmp, header_text_identify, header_text_range,
				      header_text_declared, header_text_check };
	GString *out = g_string_sized_new(64 * 1024);

	g_string_append(out, intro);
	g_string_append(out, "#ifndef TRACING_BLACKLIST_H\n#define TRACING_BLACKLIST_H\n\n");
	g_string_append_printf(out, "#define KTB_API %d\n", HEADER_API);
	g_string_append(out, "#define KTB_GENERATOR \"klab " KLAB_VERSION "\"\n");
	g_string_append_printf(out, "#define KTB_EVIDENCE_DIGEST \\\n\t\"%s\"\n\n", digest);
	for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_string_append(out, parts[i]);
		g_string_append_c(out, '\n');
	}
	append_ops(out, known);
	append_hazards(out, known);
	append_measured(out, known);
	append_spans(out, known);
	append_functions(out, known);
	g_string_append(out, "#endif\n");
	return g_string_free(out, FALSE);
}
