// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tracing_blacklist.h compiled the ways that products compile it, asked about kernels with known
 * answers, and compared with the harness's own; the JSON twin; same evidence, same bytes.
 */
#include "base/embed.h"
#include "base/fs.h"
#include "base/proc.h"
#include "report/blacklist_json.h"
#include "report/header.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "known_kernels.h"

#define CONSUMERS SOURCE_DIR "/harness/tests/consumers"

struct fixture {
	struct hazard_set *hazards;
	GPtrArray *measured;
	struct knowledge *known;
	json_t *json;
	char *header;
	char *dir;
};

static struct measured *measured_new(const char *release, const char *version, const char *op,
				     bool affected, double p_missed)
{
	struct measured *m = g_new0(struct measured, 1);

	m->kernel = g_strdup("debian-x");
	m->release = g_strdup(release);
	m->version = g_strdup(version);
	m->sha256 = g_strdup("0123456789abcdef");
	m->probe = g_strdup(op);
	m->op = g_strdup(op);
	m->affected = affected;
	m->title = affected ? g_strdup("oops: \"?\?/\\\n*/ in \xc3\xa9") : NULL;
	m->confidence = 0.99;
	m->p_missed = p_missed;
	m->journals = g_strsplit("jobs/a/1,jobs/a/2", ",", 0);
	m->digests = g_strsplit("d1,d2", ",", 0);
	return m;
}

static GPtrArray *some_measured(bool reversed)
{
	GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
	struct measured *all[] = {
		measured_new("6.1.0-56-cloud-amd64", "#1 SMP Debian 6.1.192-2 (2026)", "text-poke",
			     false, 1e-5),
		measured_new("6.1.0-56-cloud-amd64", "#1 SMP Debian 6.1.192-2 (2026)",
			     "nmi-user-read", true, NAN),
		measured_new("6.12.1-mine", "#7 SMP", "text-poke", false, NAN),
		measured_new("5.4.0-mine", "#7 SMP", "text-poke", false, NAN),
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
		g_ptr_array_add(list, all[reversed ? G_N_ELEMENTS(all) - 1 - i : i]);
	return list;
}

static int setup(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);
	g_autofree char *file = NULL;

	*state = f;
	f->dir = g_dir_make_tmp("klab-header-XXXXXX", NULL);
	f->measured = some_measured(false);
	if (!f->dir || !hazard_set_parse("hazards.yaml", embed_hazards_yaml,
					 EMBED_LEN(hazards_yaml), &f->hazards, NULL))
		return -1;
	f->known = know_new(f->hazards, f->measured);
	f->json = blacklist_json(f->known, f->hazards, f->measured);
	f->header = header_render(f->known, blacklist_json_digest(f->json));
	file = g_build_filename(f->dir, "tracing_blacklist.h", NULL);
	return fs_write(file, f->header, strlen(f->header), NULL) ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fs_remove(f->dir, NULL);
	json_decref(f->json);
	know_free(f->known);
	g_ptr_array_unref(f->measured);
	hazard_set_free(f->hazards);
	g_free(f->header);
	g_free(f->dir);
	g_free(f);
	return 0;
}

/* Run a command line of words, "DIR" standing for the fixture's folder. */
static char *run(const struct fixture *f, const char *line, int *ret_status)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	g_autoptr(GError) error = NULL;
	char *output = NULL;

	for (char **word = words; *word; word++) {
		g_auto(GStrv) parts = g_strsplit(*word, "DIR", -1);

		g_free(*word);
		*word = g_strjoinv(f->dir, parts);
	}
	if (!proc_run(&(struct proc_spec){ .argv = (const char *const *)words, .timeout_s = 60 },
		      &output, ret_status, &error))
		fail_msg("%s", error->message);
	return output;
}

static void must(const struct fixture *f, const char *line)
{
	int status;
	g_autofree char *output = run(f, line, &status);

	if (status)
		fail_msg("%s\n%s", line, output);
}

static bool have(const char *program)
{
	g_autofree char *path = g_find_program_in_path(program);

	if (!path)
		print_message("not checked: this host has no %s\n", program);
	return path != NULL;
}

#define WARN " -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror -IDIR "

static void compiles_as_c99_cxx11_and_kernel_code(void **state)
{
	static const char *const flags[] = {
		"-std=c99 -ffreestanding",
		"-std=gnu17 -ffreestanding",
		"-std=c99 -DKTB_STRICT",
		"-std=gnu11 -D__KERNEL__ -nostdinc -ffreestanding -I" CONSUMERS "/fake_kernel",
	};
	static const char *const compilers[] = { "gcc", "clang" };
	static const char *const cxx[] = { "g++", "clang++" };

	for (unsigned c = 0; c < G_N_ELEMENTS(compilers); c++) {
		for (unsigned i = 0; have(compilers[c]) && i < G_N_ELEMENTS(flags); i++) {
			g_autofree char *line =
				g_strdup_printf("%s %s" WARN "-fsyntax-only %s/plain.c",
						compilers[c], flags[i], CONSUMERS);

			must(*state, line);
		}
	}
	for (unsigned c = 0; c < G_N_ELEMENTS(cxx); c++) {
		g_autofree char *line = g_strdup_printf("%s -std=c++11 -ffreestanding" WARN
							"-fsyntax-only -x c++ %s/plain.c",
							cxx[c], CONSUMERS);

		if (have(cxx[c]))
			must(*state, line);
	}
}

/* A compiler may call these four by itself, even freestanding; nothing else may be missing. */
static void needs_no_library(void **state)
{
	static const char *const allowed[] = { "memcpy", "memmove", "memset", "memcmp", NULL };
	g_autofree char *symbols = NULL;
	g_auto(GStrv) lines = NULL;
	int status;

	must(*state, "cc -std=c99 -O2 -ffreestanding -fno-stack-protector" WARN "-c " CONSUMERS
		     "/plain.c -o DIR/free.o");
	symbols = run(*state, "nm -u DIR/free.o", &status);
	assert_int_equal(status, 0);
	lines = g_strsplit(symbols, "\n", -1);
	for (char **line = lines; *line; line++) {
		const char *name = strrchr(*line, ' ');

		if (name && !g_strv_contains(allowed, name + 1) &&
		    strcmp(name + 1, "_GLOBAL_OFFSET_TABLE_"))
			fail_msg("needs '%s'", name + 1);
	}
}

/* What the compiled header says of every known kernel, a line for each operation. */
static char **ask_header(const struct fixture *f)
{
	g_autofree char *input = g_build_filename(f->dir, "kernels", NULL), *answers = NULL;
	g_autoptr(GString) lines = g_string_new(NULL);
	int status;

	for (unsigned i = 0; i < G_N_ELEMENTS(known_kernels); i++) {
		const struct known_kernel *k = &known_kernels[i];
		g_autofree char *os =
			g_strdelimit(g_strdup(k->os_release ? k->os_release : ""), "\n", '|');

		g_string_append_printf(lines, "%s\t%s\t%s\n", k->release,
				       k->version ? k->version : "", os);
	}
	assert_true(fs_write(input, lines->str, lines->len, NULL));
	must(f, "cc -std=c99 -g" WARN CONSUMERS "/ask.c -o DIR/ask");
	{
		g_autofree char *script = g_strdup_printf("%s/ask < %s", f->dir, input);
		const char *const argv[] = { "sh", "-c", script, NULL };

		assert_true(proc_run(&(struct proc_spec){ .argv = argv, .timeout_s = 30 }, &answers,
				     &status, NULL));
	}
	return g_strsplit(answers, "\n", -1);
}

static void header_and_harness_agree(void **state)
{
	const struct fixture *f = *state;
	g_auto(GStrv) lines = ask_header(f);
	unsigned n_ops = g_strv_length(f->known->ops);

	assert_true(n_ops > 2);
	assert_int_equal(g_strv_length(lines), G_N_ELEMENTS(known_kernels) * n_ops + 1);
	for (unsigned i = 0; i < G_N_ELEMENTS(known_kernels); i++) {
		const struct known_kernel *k = &known_kernels[i];
		struct ktb_kernel kernel;

		ktb_identify(&kernel, k->release, k->version, k->os_release);
		for (unsigned j = 0; j < n_ops; j++) {
			const char *op = f->known->ops[j];
			struct ktb_answer a = ktb_table_check(&f->known->table, &kernel, op);
			g_autofree char *line = g_strdup_printf(
				"%s %s %d %d %s", ktb_value_name(a.value),
				ktb_evidence_name(a.evidence), a.allowed, a.contradicted, a.reason);

			assert_string_equal(lines[i * n_ops + j], line);
			if (a.evidence != KTB_MEASURED && g_str_equal(op, "nmi-user-read"))
				assert_int_equal(a.value, k->nmi);
			if (a.evidence != KTB_MEASURED && g_str_equal(op, "text-poke"))
				assert_int_equal(a.value, k->poke);
		}
	}
	/* Some of them were measured, so that measurements take part in the comparison. */
	assert_non_null(strstr(f->header, "6.1.192-2"));
}

static void product_degrades_or_refuses(void **state)
{
	static const struct {
		const char *arguments;
		int status;
		const char *says;
	} rows[] = {
		{ "6.4.0 #1", 0, "all features" },
		{ "6.1.20 #1", 3, "degraded: nmi-user-read-deadlock is affected" },
		{ "5.15.0 #1", 4, "refused: text-poke-desc-race is affected" },
		{ "5.15.0 #1 text-poke", 0, "forced: text-poke-desc-race is affected" },
		{ "5.15.0 #1 nmi-user-read", 4, "refused" },
		{ "6.1.20 #1 all", 0, "forced: nmi-user-read-deadlock is affected" },
	};

	must(*state, "cc -std=c99" WARN CONSUMERS "/profiler.c -o DIR/profiler");
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *line = g_strdup_printf("DIR/profiler %s", rows[i].arguments);
		int status;
		g_autofree char *output = run(*state, line, &status);

		if (status != rows[i].status || !strstr(output, rows[i].says))
			fail_msg("%s: %d, %s", rows[i].arguments, status, output);
	}
}

static void host_is_asked_on_request_only(void **state)
{
	const struct fixture *f = *state;
	g_autofree char *output = NULL;
	int status;

	must(f, "cc -std=gnu99" WARN CONSUMERS "/host.c -o DIR/host");
	output = run(f, "DIR/host", &status);
	assert_int_equal(status, 0);
	assert_true(g_str_has_suffix(output, " affected 1\n"));
}

static void same_evidence_same_bytes(void **state)
{
	const struct fixture *f = *state;
	g_autoptr(GPtrArray) reversed = some_measured(true);
	g_autoptr(knowledge) known = know_new(f->hazards, reversed);
	json_t *json = blacklist_json(known, f->hazards, reversed);
	g_autofree char *header = header_render(known, blacklist_json_digest(json));
	char *ours = blacklist_json_text(f->json), *theirs = blacklist_json_text(json);

	assert_string_equal(header, f->header);
	assert_string_equal(ours, theirs);
	free(ours);
	free(theirs);
	json_decref(json);
}

static void other_evidence_other_digest(void **state)
{
	const struct fixture *f = *state;
	g_autoptr(GPtrArray) fewer = some_measured(false);
	g_autoptr(knowledge) known = NULL;
	json_t *json;

	g_ptr_array_remove_index(fewer, 3);
	known = know_new(f->hazards, fewer);
	json = blacklist_json(known, f->hazards, fewer);
	assert_int_equal(strlen(blacklist_json_digest(json)), 64);
	assert_string_not_equal(blacklist_json_digest(json), blacklist_json_digest(f->json));
	json_decref(json);
}

static void twin_carries_provenance(void **state)
{
	const struct fixture *f = *state;
	const json_t *measured = json_object_get(f->json, "measured"), *first;
	const char *digest = blacklist_json_digest(f->json);

	assert_non_null(strstr(f->header, digest));
	assert_int_equal(json_integer_value(json_object_get(f->json, "schema")), 1);
	assert_string_equal(json_string_value(json_object_get(f->json, "license")),
			    "MIT OR GPL-2.0-only");
	assert_int_equal(json_array_size(json_object_get(f->json, "hazards")), f->hazards->all->len);
	assert_int_equal(json_array_size(measured), 4);
	first = json_array_get(measured, 0);
	assert_non_null(json_object_get(first, "sha256"));
	assert_int_equal(json_array_size(json_object_get(first, "journals")), 2);
	assert_int_equal(json_array_size(json_object_get(first, "journal_sha256")), 2);
	/* 6.1.192-2 is declared clean and was "measured" affected; 5.4.0 the other way round. */
	assert_int_equal(json_array_size(json_object_get(f->json, "contradictions")), 2);
}

/* Nothing of the host or of the day may go in. */
static void no_host_or_time_goes_in(void **state)
{
	const struct fixture *f = *state;

	assert_null(strstr(f->header, SOURCE_DIR));
	assert_null(strstr(f->header, g_get_host_name()) && strlen(g_get_host_name()) > 5
			    ? f->header
			    : NULL);
	assert_true(
		g_str_has_prefix(f->header, "/* SPDX-License-Identifier: MIT OR GPL-2.0-only */"));
	assert_non_null(strstr(f->header, embed_vercmp_h));
	assert_null(strstr(f->header, __DATE__));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compiles_as_c99_cxx11_and_kernel_code),
		cmocka_unit_test(needs_no_library),
		cmocka_unit_test(header_and_harness_agree),
		cmocka_unit_test(product_degrades_or_refuses),
		cmocka_unit_test(host_is_asked_on_request_only),
		cmocka_unit_test(same_evidence_same_bytes),
		cmocka_unit_test(other_evidence_other_digest),
		cmocka_unit_test(twin_carries_provenance),
		cmocka_unit_test(no_host_or_time_goes_in),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
