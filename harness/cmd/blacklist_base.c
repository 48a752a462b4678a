// SPDX-License-Identifier: GPL-2.0-or-later
/* What the subcommands of klab blacklist share. */
#include "cmd/blacklist.h"
#include "cmd/hazards.h"
#include "base/embed.h"
#include "conf/suggest.h"
#include "report/blacklist_evidence.h"
#include "report/blacklist_json.h"
#include "report/blacklist_markdown.h"
#include "report/header.h"

#include <sys/utsname.h>

#define OS_RELEASE_MAX (64u << 10)

void evidence_base_clear(struct evidence_base *base)
{
	know_free(base->known);
	if (base->measured)
		g_ptr_array_unref(base->measured);
	if (base->runs)
		g_ptr_array_unref(base->runs);
	hazard_set_free(base->hazards);
}

/* A result.json, the folder of a run, or an evidence file. */
static bool read_from(GPtrArray *runs, const char *from, GError **error)
{
	g_autofree char *file = g_file_test(from, G_FILE_TEST_IS_DIR)
					? g_build_filename(from, "result.json", NULL)
					: g_strdup(from);
	g_autofree char *text = NULL;
	size_t len;

	return cmd_read_named(file, BLACKLIST_BYTES_MAX, &text, &len, error) &&
	       blacklist_evidence_add(runs, file, text, len, error);
}

/* What is kept as evidence is what is read here: made again from it, the same bytes come out. */
static bool measure_runs(struct evidence_base *base, GError **error)
{
	g_autoptr(GPtrArray) probes = NULL;

	if (!probes_parse(embed_probes_json, EMBED_LEN(probes_json), &probes, error))
		return false;
	for (unsigned i = 0; i < base->runs->len; i++) {
		g_autofree char *text = blacklist_evidence_run_text(base->runs->pdata[i]);

		if (!measured_read("evidence", text, strlen(text), probes, base->hazards,
				   base->measured, error))
			return false;
	}
	return true;
}

bool evidence_base_load(struct evidence_base *base, const char *hazards_file, char *const *from,
			GError **error)
{
	base->measured = g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
	base->runs = blacklist_evidence_new();
	if (!cmd_load_hazards(hazards_file, &base->hazards, error))
		return false;
	for (; from && *from; from++)
		if (!read_from(base->runs, *from, error))
			return false;
	if (!measure_runs(base, error))
		return false;
	base->known = know_new(base->hazards, base->measured);
	return true;
}

void kernel_texts_clear(struct kernel_texts *texts)
{
	g_free(texts->release);
	g_free(texts->version);
	g_free(texts->os_release);
}

bool kernel_texts_identify(const struct kernel_texts *texts, struct ktb_kernel *ret, GError **error)
{
	g_autofree char *os_text = NULL;
	const char *os_file = texts->os_release;
	struct utsname uts;
	size_t len;

	if (!texts->release && (texts->version || texts->os_release))
		return lab_fail(error, LAB_ERROR_USAGE,
				"--version and --os-release need --release");
	if (!texts->release && uname(&uts) < 0)
		return lab_fail_errno(error, "uname");
	if (!texts->release && g_file_test("/etc/os-release", G_FILE_TEST_EXISTS))
		os_file = "/etc/os-release";
	if (os_file && !cmd_read_named(os_file, OS_RELEASE_MAX, &os_text, &len, error))
		return false;
	if (ktb_identify(ret, texts->release ? texts->release : uts.release,
			 texts->release ? texts->version : uts.version, os_text))
		return true;
	return lab_fail(error, LAB_ERROR_USAGE,
			"'%s' is no kernel release\n"
			"hint: give what 'uname -r' prints there, and 'uname -v' as --version",
			texts->release ? texts->release : uts.release);
}

char *kernel_line(const struct ktb_kernel *kernel)
{
	return g_strdup_printf("kernel %s: vendor %s, build %s, upstream %s%s", kernel->release,
			       kernel->vendor, kernel->build[0] ? kernel->build : "not told",
			       kernel->base,
			       kernel->base_exact ? "" : " or a later release of that branch");
}

bool blacklist_check_op(const struct knowledge *known, const char *op, GError **error)
{
	g_autofree char *hint = NULL, *all = NULL;

	if (g_strv_contains((const char *const *)known->ops, op))
		return true;
	hint = suggest_phrase(op, (const char *const *)known->ops);
	all = g_strjoinv(", ", known->ops);
	return lab_fail(error, LAB_ERROR_USAGE,
			"no operation is called '%s'%s\nhint: there are: %s", op, hint, all);
}

bool blacklist_print_json(json_t *document, GError **error)
{
	char *text = blacklist_json_text(document);
	bool ok = cmd_output("-", text, strlen(text), error);

	free(text);
	json_decref(document);
	return ok;
}

void blacklist_texts_clear(struct blacklist_texts *texts)
{
	g_free(texts->header);
	g_free(texts->markdown);
	g_free(texts->evidence);
	free(texts->json);
	json_decref(texts->document);
}

void blacklist_render(const struct evidence_base *base, struct blacklist_texts *ret)
{
	json_t *document =
		blacklist_json_of_runs(base->known, base->hazards, base->measured, base->runs);

	*ret = (struct blacklist_texts){
		.document = document,
		.header = header_render(base->known, blacklist_json_digest(document)),
		.markdown = blacklist_markdown(document),
		.evidence = base->runs->len ? blacklist_evidence_text(base->runs) : NULL,
	};
	blacklist_json_add_file(document, "header", ret->header);
	blacklist_json_add_file(document, "markdown", ret->markdown);
	if (ret->evidence)
		blacklist_json_add_file(document, "evidence", ret->evidence);
	ret->json = blacklist_json_text(document);
}
