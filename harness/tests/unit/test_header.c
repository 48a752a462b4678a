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
		/* around one of the known kernels, which is declared unknown */
		measured_new("5.14.0-427.9.1.el9_4.x86_64", "#1", "nmi-user-read", false, 1e-5),
		measured_new("5.14.0-427.40.1.el9_4.x86_64", "#1", "nmi-user-read", false, NAN),
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
	unsigned n_ops = g_strv_length(f->known->ops), spans = 0;

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
			spans += strstr(a.reason, "lies between two builds that were measured") !=
				 NULL;
			if (strstr(a.reason, "measured"))
				continue;
			if (g_str_equal(op, "nmi-user-read"))
				assert_int_equal(a.value, k->nmi);
			if (g_str_equal(op, "text-poke"))
				assert_int_equal(a.value, k->poke);
		}
	}
	/* Some of them were measured, so that measurements take part in the comparison. */
	assert_non_null(strstr(f->header, "6.1.192-2"));
	assert_int_equal(spans, 1);
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

/* --- properties of made-up evidence ----------------------------------------------------------- */

#define SEED 20260107
#define PICK(rand, list) list[g_rand_int_range(rand, 0, G_N_ELEMENTS(list))]

/* Few kernels, operations and details, so that all of agreement, contradiction and neighbourhood
 * occurs. */
static struct measured *random_measured(GRand *rand)
{
	static const struct {
		const char *release, *version, *vendor, *package;
	} kernels[] = {
		{ "6.1.0-10-amd64", "#1 SMP Debian 6.1.38-1 (2023)", "debian", "6.1.38-1" },
		{ "6.1.0-18-amd64", "#1 SMP Debian 6.1.76-1 (2024)", NULL, NULL },
		{ "6.1.0-21-cloud-amd64", "#1 SMP Debian 6.1.90-1 (2024)", "debian", NULL },
		{ "6.1.0-21-amd64", "", "debian", "6.1.90-1" },
		{ "5.14.0-427.13.1.el9_4.x86_64", "#1 SMP", NULL, NULL },
		{ "5.14.0-427.40.1.el9_4.x86_64", "#1 SMP", NULL, NULL },
		{ "6.4.2", "#1 SMP", NULL, NULL },
		{ "6.4.9", "#1 SMP", NULL, NULL },
	};
	static const char *const ops[] = { "nmi-user-read", "text-poke", "my-own" };
	static const double bounds[] = { 1e-9, 0.004, 0.0041, NAN };
	static const char *const titles[] = { "oops: a", "oops: b" };
	static const char *const matches[] = { NULL, "text-poke-race", "text-poke-desc-race" };
	unsigned i = g_rand_int_range(rand, 0, G_N_ELEMENTS(kernels));
	bool affected = g_rand_int_range(rand, 0, 3) == 0;
	struct measured *m = measured_new(kernels[i].release, kernels[i].version, PICK(rand, ops),
					  affected, affected ? NAN : PICK(rand, bounds));

	m->vendor = g_strdup(kernels[i].vendor);
	m->package_version = g_strdup(kernels[i].package);
	if (affected) {
		g_free(m->title);
		m->title = g_strdup(PICK(rand, titles));
		m->hazard = g_strdup(PICK(rand, matches));
	}
	return m;
}

static GPtrArray *random_evidence(GRand *rand, unsigned n)
{
	GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);

	for (unsigned i = 0; i < n; i++)
		g_ptr_array_add(list, random_measured(rand));
	return list;
}

static void shuffle(GRand *rand, GPtrArray *list)
{
	for (unsigned i = list->len; i > 1; i--) {
		unsigned j = g_rand_int_range(rand, 0, i);
		gpointer other = list->pdata[i - 1];

		list->pdata[i - 1] = list->pdata[j];
		list->pdata[j] = other;
	}
}

struct texts {
	char *header, *json, *digest;
};

static void texts_clear(struct texts *t)
{
	g_free(t->header);
	free(t->json);
	g_free(t->digest);
}

/* The header without its digest: what answers depend on. */
static struct texts render(const struct hazard_set *hazards, const GPtrArray *measured)
{
	g_autoptr(knowledge) known = know_new(hazards, measured);
	json_t *json = blacklist_json(known, hazards, measured);
	struct texts t = { .header = header_render(known, "-"),
			   .json = blacklist_json_text(json),
			   .digest = g_strdup(blacklist_json_digest(json)) };

	json_decref(json);
	return t;
}

static void any_order_same_bytes(void **state)
{
	const struct fixture *f = *state;
	g_autoptr(GRand) rand = g_rand_new_with_seed(SEED);

	for (unsigned round = 0; round < 40; round++) {
		g_autoptr(GPtrArray) list =
			random_evidence(rand, g_rand_int_range(rand, 0, round + 2));
		struct texts first = render(f->hazards, list);

		for (unsigned i = 0; i < 5; i++) {
			struct texts again;

			shuffle(rand, list);
			again = render(f->hazards, list);
			assert_string_equal(again.header, first.header);
			assert_string_equal(again.json, first.json);
			texts_clear(&again);
		}
		texts_clear(&first);
	}
}

/* Change one thing; whatever changes the header's tables changes the digest. */
static void mutate(GRand *rand, struct measured *m)
{
	struct measured *other = random_measured(rand);
	char **mine[] = { &m->release, &m->version, &m->vendor, &m->package_version,
			  &m->op,      &m->title,   &m->hazard };
	char **theirs[] = { &other->release,         &other->version, &other->vendor,
			    &other->package_version, &other->op,      &other->title,
			    &other->hazard };
	unsigned i = g_rand_int_range(rand, 0, G_N_ELEMENTS(mine) + 2);

	if (i < G_N_ELEMENTS(mine)) {
		g_free(*mine[i]);
		*mine[i] = g_strdup(*theirs[i]);
	} else if (i == G_N_ELEMENTS(mine)) {
		m->p_missed = other->p_missed;
	} else {
		m->affected = other->affected;
	}
	measured_free(other);
}

static void digest_covers_what_answers(void **state)
{
	const struct fixture *f = *state;
	g_autoptr(GRand) rand = g_rand_new_with_seed(SEED);
	unsigned changed = 0;

	for (unsigned round = 0; round < 200; round++) {
		g_autoptr(GPtrArray) list = random_evidence(rand, 6);
		struct texts before = render(f->hazards, list), after;

		mutate(rand, list->pdata[g_rand_int_range(rand, 0, list->len)]);
		after = render(f->hazards, list);
		if (strcmp(before.header, after.header)) {
			assert_string_not_equal(before.digest, after.digest);
			changed++;
		}
		texts_clear(&before);
		texts_clear(&after);
	}
	assert_true(changed > 50);
}

static void digest_covers_declarations(void **state)
{
	static const char *const edits[][2] = {
		{ "surveyed: \"7.2\"", "surveyed: \"7.1\"" },
		{ "op: nmi-user-read", "op: nmi-user-reads" },
		{ "6.1..6.1.36", "6.1..6.1.37" },
		{ "5.14.0-293.el9..5.14.0-308.el9..unknown", "5.14.0-293.el9..unknown" },
		{ "CONFIG_HARDENED_USERCOPY=y", "CONFIG_HARDENED_USERCOPY=n" },
		{ "fixed: d319f344561d", "fixed: d319f344561e" },
		{ "can deadlock on vmap_area_lock", "deadlocks" },
		{ "workaround: never probe that function", "workaround: none" },
		{ "rhel7: [3.10.0-1127, 3.10.0-1160]", "rhel7: [3.10.0-1127]" },
	};
	const struct fixture *f = *state;
	g_autofree char *text = g_strndup(embed_hazards_yaml, EMBED_LEN(hazards_yaml));
	struct texts before = render(f->hazards, f->measured);

	for (unsigned i = 0; i < G_N_ELEMENTS(edits); i++) {
		g_auto(GStrv) parts = g_strsplit(text, edits[i][0], 2);
		g_autofree char *edited = g_strjoinv(edits[i][1], parts);
		g_autoptr(hazard_set) hazards = NULL;
		struct texts after;

		assert_int_equal(g_strv_length(parts), 2);
		assert_true(hazard_set_parse("h", edited, strlen(edited), &hazards, NULL));
		after = render(hazards, f->measured);
		assert_string_not_equal(before.header, after.header);
		assert_string_not_equal(before.digest, after.digest);
		texts_clear(&after);
	}
	texts_clear(&before);
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
	assert_int_equal(json_array_size(json_object_get(f->json, "hazards")),
			 f->hazards->all->len);
	assert_int_equal(json_array_size(measured), 6);
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
		cmocka_unit_test(any_order_same_bytes),
		cmocka_unit_test(digest_covers_what_answers),
		cmocka_unit_test(digest_covers_declarations),
		cmocka_unit_test(other_evidence_other_digest),
		cmocka_unit_test(twin_carries_provenance),
		cmocka_unit_test(no_host_or_time_goes_in),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
