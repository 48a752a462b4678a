// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Some 450 kernels as users have them (data/kernels.tsv): what is made of their texts, and the
 * answers for the operations of the shipped declarations. Texts that nobody has: too long, cut, odd
 * bytes anywhere.
 */
#include "base/embed.h"
#include "know/know.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { RELEASE, VERSION, OS_RELEASE, VENDOR, BASE, BUILD, NMI, POKE, N_FIELDS };

static int setup(void **state)
{
	struct hazard_set *hazards = NULL;

	if (!hazard_set_parse("hazards.yaml", embed_hazards_yaml, EMBED_LEN(hazards_yaml), &hazards,
			      NULL))
		return -1;
	*state = hazards;
	return 0;
}

static int teardown(void **state)
{
	hazard_set_free(*state);
	return 0;
}

/* "\n" and "\xNN" become bytes; "-" is no text. */
static char *unescape(const char *field)
{
	GString *out = g_string_new(NULL);

	if (!strcmp(field, "-"))
		field = "";
	for (const char *at = field; *at; at++) {
		if (at[0] == '\\' && at[1] == 'n') {
			g_string_append_c(out, '\n');
			at++;
		} else if (at[0] == '\\' && at[1] == 'x' && at[2] && at[3]) {
			g_string_append_c(out, (char)(g_ascii_xdigit_value(at[2]) * 16 +
						      g_ascii_xdigit_value(at[3])));
			at += 3;
		} else {
			g_string_append_c(out, *at);
		}
	}
	return g_string_free(out, FALSE);
}

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

static unsigned differs(unsigned line, const char *what, const char *is, const char *wanted)
{
	if (!strcmp(is, wanted))
		return 0;
	print_error("kernels.tsv:%u: %s is '%s', wanted '%s'\n", line, what, is, wanted);
	return 1;
}

static unsigned check_row(const struct ktb_table *table, unsigned line, char **field)
{
	static const char *const ops[] = { "nmi-user-read", "text-poke" };
	struct ktb_kernel k;
	unsigned wrong = 0;

	ktb_identify(&k, field[RELEASE], or_null(field[VERSION]), or_null(field[OS_RELEASE]));
	wrong += differs(line, "vendor", k.vendor, field[VENDOR]);
	wrong += differs(line, "upstream", k.base, field[BASE]);
	wrong += differs(line, "build", k.build, field[BUILD]);
	for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
		struct ktb_answer a = ktb_table_check(table, &k, ops[i]);

		if (differs(line, ops[i], ktb_value_name(a.value), field[NMI + i])) {
			print_error("\t%s\n", a.reason);
			wrong++;
		}
	}
	return wrong;
}

static void kernels_are_known(void **state)
{
	g_autoptr(knowledge) known = know_new(*state, NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	unsigned rows = 0, wrong = 0;

	assert_true(g_file_get_contents(TEST_DIR "/data/kernels.tsv", &text, NULL, NULL));
	lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i]; i++) {
		g_auto(GStrv) field = NULL;

		if (!*lines[i] || *lines[i] == '#')
			continue;
		field = g_strsplit(lines[i], "\t", -1);
		if (g_strv_length(field) != N_FIELDS)
			fail_msg("kernels.tsv:%u: not %d fields", i + 1, N_FIELDS);
		for (unsigned j = 0; j < N_FIELDS; j++) {
			char *plain = unescape(field[j]);

			g_free(field[j]);
			field[j] = plain;
		}
		wrong += check_row(&known->table, i + 1, field);
		rows++;
	}
	print_message("%u kernels\n", rows);
	assert_int_equal(wrong, 0);
	assert_true(rows >= 300);
}

/* No kernel's release is longer than 64 bytes: what had to be cut is not known. */
static void too_long_is_unknown(void **state)
{
	static const char *const heads[] = { "", "6.1.", "6.1.20-", "6.1.20-lp152." };
	g_autofree char *digits = g_strnfill(65536, '7'), *lines = g_strnfill(65536, '\n');
	g_autoptr(knowledge) known = know_new(*state, NULL);
	struct ktb_kernel k;

	for (unsigned i = 0; i < G_N_ELEMENTS(heads); i++) {
		g_autofree char *release = g_strconcat(heads[i], digits, NULL);

		assert_int_equal(ktb_identify(&k, release, digits, digits), 0);
		assert_string_equal(k.vendor, "");
		assert_int_equal(ktb_table_check(&known->table, &k, "nmi-user-read").value,
				 KTB_UNKNOWN);
		assert_int_equal(ktb_table_check(&known->table, &k, "text-poke").value,
				 KTB_UNKNOWN);
	}
	/* 64 KiB beside a good release take nothing from it. */
	assert_int_equal(ktb_identify(&k, "6.1.20", digits, lines), 1);
	assert_string_equal(k.vendor, "mainline");
	assert_int_equal(ktb_table_check(&known->table, &k, "nmi-user-read").value, KTB_AFFECTED);
}

/* The longest that fits and the first that does not. */
static void length_limit_is_exact(void **state)
{
	g_autofree char *release = g_strnfill(sizeof(((struct ktb_kernel *)0)->release), 'x');
	struct ktb_kernel k;

	memcpy(release, "6.1.20-", 7);
	assert_int_equal(ktb_identify(&k, release, NULL, NULL), 0);
	release[strlen(release) - 1] = 0;
	assert_int_equal(ktb_identify(&k, release, NULL, NULL), 1);
	assert_string_equal(k.base, "6.1.20");
}

/* Each byte of a release replaced by each byte there is: an answer, and never a lie about which
 * branch it is of. */
static void any_byte_anywhere(void **state)
{
	static const char good[] = "5.14.0-427.13.1.el9_4.x86_64";
	g_autoptr(knowledge) known = know_new(*state, NULL);
	struct ktb_kernel k;

	for (size_t i = 0; i < strlen(good); i++) {
		for (int byte = 0; byte < 256; byte++) {
			char release[sizeof(good)];
			struct ktb_answer a;

			memcpy(release, good, sizeof(good));
			release[i] = (char)byte;
			ktb_identify(&k, release, NULL, NULL);
			a = ktb_table_check(&known->table, &k, "text-poke");
			assert_true(a.reason[0] && strlen(a.reason) < sizeof(a.reason));
			if (k.vendor[0] && i > 6)
				assert_true(g_str_has_prefix(k.base, "5.14."));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernels_are_known),
		cmocka_unit_test(too_long_is_unknown),
		cmocka_unit_test(length_limit_is_exact),
		cmocka_unit_test(any_byte_anywhere),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
