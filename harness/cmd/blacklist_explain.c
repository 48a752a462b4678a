// SPDX-License-Identifier: GPL-2.0-or-later
/* klab blacklist explain: why an answer is what it is, or all about one hazard. */
#include "cmd/blacklist.h"
#include "base/embed.h"
#include "conf/suggest.h"
#include "report/blacklist_explain.h"

struct explain {
	struct kernel_texts texts;
	char *hazards, *hazard;
	char **ops, **from;
	gboolean json;
};

static void explain_clear(struct explain *e)
{
	kernel_texts_clear(&e->texts);
	g_free(e->hazards);
	g_free(e->hazard);
	g_strfreev(e->ops);
	g_strfreev(e->from);
}

static bool find_hazard(const struct hazard_set *hazards, const char *id, const struct hazard **ret,
			GError **error)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new();
	g_autofree char *hint = NULL;

	*ret = id ? hazard_set_find(hazards, id) : NULL;
	if (*ret || !id)
		return true;
	for (unsigned i = 0; i < hazards->all->len; i++)
		g_ptr_array_add(ids, ((struct hazard *)hazards->all->pdata[i])->id);
	g_ptr_array_add(ids, NULL);
	hint = suggest_phrase(id, (const char *const *)ids->pdata);
	return lab_fail(error, LAB_ERROR_USAGE,
			"no hazard is called '%s'%s\nhint: 'klab hazards' lists them", id, hint);
}

/* The operations to explain: those named, that of the hazard, or all. */
static bool pick_ops(const struct explain *e, const struct knowledge *known,
		     const struct hazard *hazard, char ***ret, GError **error)
{
	char *const one[] = { hazard ? hazard->op : NULL, NULL };

	for (char **op = e->ops; op && *op; op++)
		if (!blacklist_check_op(known, *op, error))
			return false;
	if (hazard && e->ops && !g_strv_contains((const char *const *)e->ops, hazard->op))
		return lab_fail(error, LAB_ERROR_USAGE,
				"hazard '%s' is of operation '%s', which --op does not name",
				hazard->id, hazard->op);
	*ret = g_strdupv(hazard ? (char **)one : e->ops ? e->ops : known->ops);
	return true;
}

static bool print_kernel(const struct explain *e, const struct blacklist_question *q,
			 const struct hazard *hazard, GError **error)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autofree char *about = NULL;
	g_auto(GStrv) ops = NULL;
	struct ktb_kernel kernel;
	json_t *list, *document;

	if (!kernel_texts_identify(&e->texts, &kernel, error) ||
	    !pick_ops(e, q->known, hazard, &ops, error))
		return false;
	about = kernel_line(&kernel);
	g_string_append_printf(out, "%s\n", about);
	list = json_array();
	for (char **op = ops; *op; op++) {
		json_t *one = blacklist_explain_op(q, &kernel, *op, hazard);

		blacklist_explain_op_text(out, one);
		json_array_append_new(list, one);
	}
	document = json_pack("{s:{s:s, s:s, s:s, s:s, s:s}, s:o}", "kernel", "release",
			     kernel.release, "version", kernel.version, "vendor", kernel.vendor,
			     "build", kernel.build, "upstream", kernel.base, "answers", list);
	if (e->json)
		return blacklist_print_json(document, error);
	json_decref(document);
	return cmd_output("-", out->str, out->len, error);
}

static bool print_hazard(const struct explain *e, const struct blacklist_question *q,
			 const struct hazard *hazard, GError **error)
{
	g_autoptr(GString) out = g_string_new(NULL);
	json_t *explanation = blacklist_explain_hazard(q, hazard);

	if (e->json)
		return blacklist_print_json(explanation, error);
	blacklist_explain_hazard_text(out, explanation);
	json_decref(explanation);
	return cmd_output("-", out->str, out->len, error);
}

static bool explain_run(const struct explain *e, struct evidence_base *base, GError **error)
{
	g_autoptr(GPtrArray) probes = NULL;
	const struct hazard *hazard;
	bool any_kernel = e->hazard && !e->texts.release && !e->texts.version &&
			  !e->texts.os_release && !e->ops;

	if (!evidence_base_load(base, e->hazards, e->from, error) ||
	    !find_hazard(base->hazards, e->hazard, &hazard, error) ||
	    !probes_parse(embed_probes_json, EMBED_LEN(probes_json), &probes, error))
		return false;

	const struct blacklist_question q = { base->known, base->hazards, base->measured, probes };

	return any_kernel ? print_hazard(e, &q, hazard, error) : print_kernel(e, &q, hazard, error);
}

static const char epilog[] =
	"Without --release this host's kernel is meant; --hazard alone explains the hazard on all\n"
	"kernels. The exit code is 0 whatever the answer: 'klab blacklist check' is for "
	"scripts.\n\n"
	"Examples:\n"
	"  klab blacklist explain --release 6.1.20 --op nmi-user-read\n"
	"  klab blacklist explain --hazard text-poke-race --from "
	"results/published/" BLACKLIST_EVIDENCE "\n";

int blacklist_explain_command(int argc, char **argv)
{
	struct explain e = { 0 };
	struct evidence_base base = { 0 };
	g_autoptr(GError) error = NULL;
	bool ok = false;
	int code;
	const GOptionEntry entries[] = {
		{ "release", 'r', 0, G_OPTION_ARG_STRING, &e.texts.release,
		  "'uname -r' of the kernel", "TEXT" },
		{ "version", 'v', 0, G_OPTION_ARG_STRING, &e.texts.version,
		  "'uname -v' of the kernel", "TEXT" },
		{ "os-release", 0, 0, G_OPTION_ARG_FILENAME, &e.texts.os_release,
		  "Its /etc/os-release, copied here", "FILE" },
		{ "op", 0, 0, G_OPTION_ARG_STRING_ARRAY, &e.ops,
		  "Operation; repeatable (default: all)", "OP" },
		{ "hazard", 0, 0, G_OPTION_ARG_STRING, &e.hazard, "This hazard alone", "ID" },
		{ "from", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &e.from,
		  "Verdicts to include: a result.json, the folder of a run, or the evidence of a "
		  "blacklist; repeatable",
		  "RESULT" },
		{ "hazards", 0, 0, G_OPTION_ARG_FILENAME, &e.hazards,
		  "Declarations (default: the shipped ones)", "FILE" },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &e.json, "Print JSON", NULL },
		G_OPTION_ENTRY_NULL
	};

	if (!cmd_parse(&argc, &argv, "",
		       "Why the blacklist answers as it does: who says so, what was measured, what "
		       "later builds\nare told, and what would change the answer.",
		       entries, epilog, &code)) {
		explain_clear(&e);
		return code;
	}
	if (argc > 1)
		lab_fail(&error, LAB_ERROR_USAGE, "unexpected operand '%s'", argv[1]);
	else
		ok = explain_run(&e, &base, &error);
	evidence_base_clear(&base);
	explain_clear(&e);
	return ok ? EXIT_CLEAN : cmd_error("blacklist explain", error);
}
