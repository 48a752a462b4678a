// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * klab blacklist verify: makes a blacklist again from its evidence and compares. Fresh: the same
 * bytes. Stale: it was true once; other evidence, other declarations or another klab would say
 * something else. Tampered: its bytes are not those that were written along with its digests.
 */
#include "cmd/blacklist.h"
#include "cmd/hazards.h"
#include "base/fs.h"
#include "report/blacklist_evidence.h"
#include "report/blacklist_json.h"
#include "report/blacklist_text.h"
#include "store/journal.h"

#define PUBLISHED "results/published"

enum state { FRESH, STALE, TAMPERED }; /* also the exit codes */

struct verify {
	char *json_file, *dir;
	char *hazards;
	char **from; /* NULL: the evidence beside it */
	json_t *document;
	char *text;
	enum state state;
	GPtrArray *reasons; /* of char * */
};

static void verify_clear(struct verify *v)
{
	g_free(v->json_file);
	g_free(v->dir);
	g_free(v->hazards);
	g_strfreev(v->from);
	json_decref(v->document);
	g_free(v->text);
	g_ptr_array_unref(v->reasons);
}

static void found(struct verify *v, enum state state, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
static void found(struct verify *v, enum state state, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_ptr_array_add(v->reasons, g_strdup_vprintf(fmt, ap));
	va_end(ap);
	v->state = MAX(v->state, state);
}

/* --- is it what was written? ----------------------------------------------------------------- */

static bool read_twin(struct verify *v, GError **error)
{
	json_error_t trouble;
	size_t len;

	if (!g_str_has_suffix(v->json_file, ".json"))
		return lab_fail(error, LAB_ERROR_USAGE,
				"'%s' is no blacklist: its name must end in .h, .json or .md",
				v->json_file);
	if (!cmd_read_named(v->json_file, BLACKLIST_BYTES_MAX, &v->text, &len, error))
		return false;
	v->document = json_loadb(v->text, len, JSON_REJECT_DUPLICATES, &trouble);
	if (v->document && json_is_array(json_object_get(v->document, "hazards")))
		return true;
	return lab_fail(error, LAB_ERROR_INPUT,
			"%s: no JSON twin of a blacklist\n"
			"hint: 'klab blacklist generate' writes one beside the header",
			v->json_file);
}

static void check_twin(struct verify *v)
{
	g_autofree char *digest = blacklist_json_compute_digest(v->document);
	char *again = blacklist_json_text(v->document);

	if (strcmp(digest, blacklist_text_of(v->document, "digest")) || strcmp(again, v->text))
		found(v, TAMPERED, "%s is not what its digest says", v->json_file);
	free(again);
}

/* What is written beside a twin, under its name. */
static const struct {
	const char *what, *suffix;
} beside[] = { { "header", ".h" }, { "markdown", ".md" }, { "evidence", ".evidence.json" } };

static char *file_beside(const struct verify *v, const char *suffix)
{
	size_t stem = strlen(v->json_file) - strlen(".json");

	return g_strdup_printf("%.*s%s", (int)stem, v->json_file, suffix);
}

/* One that is not there is told, and is no forgery. */
static void check_files(struct verify *v)
{
	const json_t *files = json_object_get(v->document, "files");

	for (unsigned i = 0; i < G_N_ELEMENTS(beside); i++) {
		const char *digest = blacklist_text_of(files, beside[i].what);
		g_autofree char *file = file_beside(v, beside[i].suffix);
		g_autofree char *is = *digest ? fs_sha256(file, NULL) : NULL;

		if (*digest && !is)
			found(v, FRESH, "'%s' is not there", file);
		else if (is && strcmp(is, digest))
			found(v, TAMPERED, "'%s' is not the file that was written", file);
	}
}

/* --- is it still true? ----------------------------------------------------------------------- */

/* Ids of the hazards that differ, "" for none. */
static char *changed_hazards(const json_t *old, const json_t *new)
{
	g_autoptr(GHashTable) before = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) ids = g_ptr_array_new();
	GHashTableIter at;
	gpointer id;
	json_t *h;
	size_t i;

	json_array_foreach (json_object_get(old, "hazards"), i, h)
		g_hash_table_insert(before, (char *)blacklist_text_of(h, "id"), h);
	json_array_foreach (json_object_get(new, "hazards"), i, h) {
		const char *name = blacklist_text_of(h, "id");

		if (!json_equal(g_hash_table_lookup(before, name), h))
			g_ptr_array_add(ids, (char *)name);
		g_hash_table_remove(before, name);
	}
	g_hash_table_iter_init(&at, before);
	while (g_hash_table_iter_next(&at, &id, NULL))
		g_ptr_array_add(ids, id);
	g_ptr_array_add(ids, NULL);
	return g_strjoinv(", ", (char **)ids->pdata);
}

static const char *provenance(const json_t *document, const char *key)
{
	return blacklist_text_of(json_object_get(document, "provenance"), key);
}

/* "header, markdown": of the files, those that would be others. */
static char *changed_files(const json_t *old, const json_t *new)
{
	const json_t *was = json_object_get(old, "files"), *is = json_object_get(new, "files");
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	for (unsigned i = 0; i < G_N_ELEMENTS(beside); i++)
		if (strcmp(blacklist_text_of(was, beside[i].what),
			   blacklist_text_of(is, beside[i].what)))
			g_ptr_array_add(names, (char *)beside[i].what);
	if (strcmp(blacklist_text_of(old, "digest"), blacklist_text_of(new, "digest")))
		g_ptr_array_add(names, (char *)"twin");
	g_ptr_array_add(names, NULL);
	return g_strjoinv(", ", (char **)names->pdata);
}

/* The first difference that explains the others. */
static void compare_again(struct verify *v, const struct blacklist_texts *again)
{
	const char *what = "declarations_sha256";
	const char *by = blacklist_text_of(v->document, "generator");
	const char *now = blacklist_text_of(again->document, "generator");

	if (strcmp(provenance(v->document, what), provenance(again->document, what))) {
		g_autofree char *ids = changed_hazards(v->document, again->document);

		found(v, STALE, "the declarations changed: %s", *ids ? ids : "the survey");
	}
	what = "evidence_sha256";
	if (strcmp(provenance(v->document, what), provenance(again->document, what)))
		found(v, STALE, "the evidence changed: sha256 %.12s was %.12s",
		      provenance(again->document, what), provenance(v->document, what));
	if (v->state == FRESH && strcmp(by, now))
		found(v, STALE, "made by %s, this is %s", by, now);
	if (v->state == FRESH && strcmp(v->text, again->json)) {
		g_autofree char *what_else = changed_files(v->document, again->document);

		found(v, STALE, "this klab makes another %s of the same evidence and declarations",
		      what_else);
	}
}

static bool check_schema(struct verify *v)
{
	json_int_t schema = json_integer_value(json_object_get(v->document, "schema"));

	if (schema == BLACKLIST_SCHEMA)
		return true;
	found(v, STALE, "schema %d, this klab writes schema %d", (int)schema, BLACKLIST_SCHEMA);
	return false;
}

static bool make_again(struct verify *v, GError **error)
{
	struct evidence_base base = { 0 };
	struct blacklist_texts again;
	bool ok = evidence_base_load(&base, v->hazards, v->from, error);

	if (ok) {
		blacklist_render(&base, &again);
		compare_again(v, &again);
		blacklist_texts_clear(&again);
	}
	evidence_base_clear(&base);
	return ok;
}

/* Without --from: what lies beside it. Nothing is needed for a blacklist of declarations alone. */
static bool find_evidence(struct verify *v, GError **error)
{
	const json_t *runs = json_object_get(json_object_get(v->document, "provenance"), "runs");
	g_autofree char *file = file_beside(v, ".evidence.json");

	if (v->from || !json_array_size(runs))
		return true;
	if (!g_file_test(file, G_FILE_TEST_EXISTS))
		return lab_fail(error, LAB_ERROR_USAGE,
				"there is no '%s' to make it again from\n"
				"hint: name the runs with --from",
				file);
	v->from = g_new0(char *, 2);
	v->from[0] = g_steal_pointer(&file);
	return true;
}

/* --- are the journals still those? ----------------------------------------------------------- */

static void check_journal(struct verify *v, const char *run_dir, const json_t *job)
{
	const char *name = blacklist_text_of(job, "dir"),
		   *digest = blacklist_text_of(job, "digest");
	g_autofree char *dir = g_build_filename(run_dir, name, NULL);
	g_autofree char *events = g_build_filename(dir, "journal.jsonl", NULL);
	g_autoptr(journal_view) view = NULL;

	if (!*digest || strstr(name, "..") || !g_file_test(events, G_FILE_TEST_EXISTS))
		return;
	if (!journal_load(dir, &view, NULL) || strcmp(view->digest, digest))
		found(v, STALE, "the journal '%s' is not the one that was judged", dir);
}

static void check_run_journals(struct verify *v, const char *run_dir, const json_t *run)
{
	json_t *cell, *job;
	size_t i, j;

	json_array_foreach (json_object_get(run, "cells"), i, cell)
		json_array_foreach (json_object_get(cell, "jobs"), j, job)
			check_journal(v, run_dir, job);
}

/* Where runs lie with their journals, these must be what their digests say. */
static bool check_journals(struct verify *v, const char *from, GError **error)
{
	g_autofree char *file = g_build_filename(from, "result.json", NULL), *text = NULL;
	g_autoptr(GPtrArray) runs = blacklist_evidence_new();
	size_t len;

	if (!g_file_test(from, G_FILE_TEST_IS_DIR))
		return true;
	if (!cmd_read_named(file, BLACKLIST_BYTES_MAX, &text, &len, error) ||
	    !blacklist_evidence_add(runs, file, text, len, error))
		return false;
	for (unsigned i = 0; i < runs->len; i++)
		check_run_journals(v, from, runs->pdata[i]);
	return true;
}

/* --- the command ----------------------------------------------------------------------------- */

static bool verify_all(struct verify *v, GError **error)
{
	if (!read_twin(v, error))
		return false;
	check_twin(v);
	check_files(v);
	if (v->state == TAMPERED || !check_schema(v))
		return true;
	if (!find_evidence(v, error))
		return false;
	for (char **from = v->from; from && *from; from++)
		if (!check_journals(v, *from, error))
			return false;
	return make_again(v, error);
}

static void append_hint(GString *out, const struct verify *v)
{
	g_string_append(out, "\nhint: klab blacklist generate");
	for (char **from = v->from; from && *from; from++)
		g_string_append_printf(out, " --from %s", *from);
	if (v->hazards)
		g_string_append_printf(out, " --hazards %s", v->hazards);
	g_string_append_printf(out, " --out %s", v->dir);
}

static bool tell(const struct verify *v, GError **error)
{
	static const char *const names[] = { "fresh", "stale", "tampered" };
	GString *out = g_string_new(NULL);
	bool ok;

	g_string_append_printf(out, "%s: %s", v->json_file, names[v->state]);
	if (v->state == FRESH)
		g_string_append_printf(out, ": evidence %.12s",
				       blacklist_text_of(v->document, "digest"));
	for (unsigned i = 0; i < v->reasons->len; i++)
		g_string_append_printf(out, "\n  %s", (char *)v->reasons->pdata[i]);
	if (v->state == STALE)
		append_hint(out, v);
	g_string_append_c(out, '\n');
	ok = cmd_output("-", out->str, out->len, error);
	g_string_free(out, TRUE);
	return ok;
}

/* Any of the files, or the folder that they are in. */
static void find_twin(struct verify *v, const char *operand)
{
	if (g_file_test(operand, G_FILE_TEST_IS_DIR))
		v->json_file = g_build_filename(operand, BLACKLIST_JSON, NULL);
	else if (g_str_has_suffix(operand, ".h") || g_str_has_suffix(operand, ".md"))
		v->json_file = g_strdup_printf("%.*s.json", (int)(strrchr(operand, '.') - operand),
					       operand);
	else if (g_str_has_suffix(operand, ".evidence.json"))
		v->json_file = g_strdup_printf(
			"%.*s.json", (int)(strlen(operand) - strlen(".evidence.json")), operand);
	else
		v->json_file = g_strdup(operand);
	v->dir = g_path_get_dirname(v->json_file);
}

static const char epilog[] =
	"FILE is a header, its JSON twin or page (NAME.h, NAME.json, NAME.md), or the folder that "
	"holds\n"
	"them (default: " PUBLISHED ").\n"
	"It is made again from the evidence beside it, or from the runs given; a run's journals, "
	"where\n"
	"they are, must have the digests that the run names.\n\n"
	"Exit codes: 0 fresh, 1 stale, 2 tampered, or it cannot be read.\n\n"
	"Examples:\n"
	"  klab blacklist verify\n"
	"  klab blacklist verify include/" BLACKLIST_HEADER " --from results/run-20260101-120000\n";

int blacklist_verify(int argc, char **argv)
{
	struct verify v = { .reasons = g_ptr_array_new_with_free_func(g_free) };
	g_autoptr(GError) error = NULL;
	bool ok = false;
	int code;
	const GOptionEntry entries[] = {
		{ "from", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &v.from,
		  "The runs it was made of (default: the evidence beside it); repeatable",
		  "RESULT" },
		{ "hazards", 0, 0, G_OPTION_ARG_FILENAME, &v.hazards,
		  "Declarations (default: the shipped ones)", "FILE" },
		G_OPTION_ENTRY_NULL
	};

	if (!cmd_parse(&argc, &argv, "[FILE]",
		       "Is a blacklist what its evidence says: fresh, stale or tampered?", entries,
		       epilog, &code)) {
		verify_clear(&v);
		return code;
	}
	if (argc > 2) {
		lab_fail(&error, LAB_ERROR_USAGE, "unexpected operand '%s'", argv[2]);
	} else {
		find_twin(&v, argc > 1 ? argv[1] : PUBLISHED);
		ok = verify_all(&v, &error) && tell(&v, &error);
	}
	code = ok ? (int)v.state : cmd_error("blacklist verify", error);
	verify_clear(&v);
	return code;
}
