// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration fragments: what is read, what wins, what was lost, and what klab ships for which
 * release. Pure. */
#include "kernel/build_config.h"
#include "kernel/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct config_set *read_all(const char *text)
{
	struct config_set *set = config_set_new();
	g_autoptr(GError) error = NULL;

	if (!config_set_read(set, "x", text, strlen(text), &error))
		fail_msg("%s", error->message);
	return set;
}

static void last_one_wins(void **state)
{
	g_autoptr(config_set) set = read_all("# a comment\n\nCONFIG_A=y\nCONFIG_B=m\n"
					     "CONFIG_TEXT=\"-x y\"\r\nCONFIG_N=0x1000\n");
	g_autofree char *text = NULL;

	assert_true(config_set_read(set, "y", "# CONFIG_A is not set\nCONFIG_C=64", 33, NULL));
	text = config_set_text(set);
	assert_string_equal(text, "CONFIG_A=n\nCONFIG_B=m\nCONFIG_TEXT=\"-x y\"\n"
				  "CONFIG_N=0x1000\nCONFIG_C=64\n");
	assert_string_equal(config_set_get(set, "CONFIG_NEVER"), "n");
}

static void refuses(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "CONFIG_A=y\nfoo\n", "my.config:2: 'foo' is neither CONFIG_NAME=VALUE nor a "
				       "comment" },
		{ "CONFIG_A", "my.config:1: 'CONFIG_A' is neither" },
		{ "CONFIG_=y", "my.config:1: 'CONFIG_=y' is neither" },
		{ "CONFIG_A=", "my.config:1: 'CONFIG_A=' is neither" },
		{ "CONFIG_A=$(id)", "my.config:1: 'CONFIG_A=$(id)' is neither" },
		{ "CONFIG_A=\"x", "my.config:1: 'CONFIG_A=\"x' is neither" },
		{ "CONFIG_A=\"x\\\"", "my.config:1: 'CONFIG_A=\"x\\\"' is neither" },
		{ "\n\n CONFIG A=y", "my.config:3: 'CONFIG A=y' is neither" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(config_set) set = config_set_new();
		g_autoptr(GError) error = NULL;

		assert_false(config_set_read(set, "my.config", rows[i].text, strlen(rows[i].text),
					     &error));
		if (!g_str_has_prefix(error->message, rows[i].want))
			fail_msg("%s", error->message);
	}
}

static void tells_what_was_lost(void **state)
{
	g_autoptr(config_set) wanted = read_all("CONFIG_A=y\nCONFIG_B=n\nCONFIG_C=64\n"
						"CONFIG_D=\"\"\nCONFIG_E=y\nCONFIG_F=n\n");
	g_autoptr(config_set) got = read_all("CONFIG_C=640\nCONFIG_A=y\nCONFIG_E=m\nCONFIG_F=y\n");
	g_autoptr(GPtrArray) lost = config_set_lost(wanted, got);

	assert_int_equal(lost->len, 3);
	assert_string_equal(lost->pdata[0], "CONFIG_C");
	assert_string_equal(lost->pdata[1], "CONFIG_E");
	assert_string_equal(lost->pdata[2], "CONFIG_F");
}

/* A guest's needs, and the facts of each era. */
static void shipped(void **state)
{
	static const struct {
		unsigned major, minor;
		const char *option, *want;
	} rows[] = {
		{ 3, 10, "CONFIG_FRAME_POINTER", "y" },
		{ 3, 10, "CONFIG_KPROBE_EVENT", "y" },
		{ 4, 14, "CONFIG_UNWINDER_ORC", "n" },
		{ 5, 1, "CONFIG_RETPOLINE", "n" },
		{ 5, 2, "CONFIG_KPROBE_EVENT", "n" },
		{ 5, 4, "CONFIG_UNWINDER_FRAME_POINTER", "y" },
		{ 5, 10, "CONFIG_UNWINDER_FRAME_POINTER", "y" },
		{ 5, 10, "CONFIG_STACK_VALIDATION", "n" },
		{ 5, 11, "CONFIG_UNWINDER_ORC", "y" },
		{ 5, 15, "CONFIG_UNWINDER_ORC", "y" },
		{ 6, 1, "CONFIG_SLUB", "y" },
		{ 7, 2, "CONFIG_UNWINDER_ORC", "y" },
	};
	static const char *const everywhere[] = { "CONFIG_PERF_EVENTS",  "CONFIG_KPROBES",
						  "CONFIG_UPROBES",      "CONFIG_BPF_SYSCALL",
						  "CONFIG_FTRACE",       "CONFIG_KALLSYMS",
						  "CONFIG_EARLY_PRINTK", "CONFIG_IKCONFIG" };

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(config_set) set = config_set_new();
		g_autoptr(GPtrArray) missing = NULL;

		assert_true(build_config_shipped(COMPILER_KERNEL(rows[i].major, rows[i].minor), set,
						 NULL));
		if (strcmp(config_set_get(set, rows[i].option), rows[i].want))
			fail_msg("%u.%u: %s", rows[i].major, rows[i].minor, rows[i].option);
		missing = build_config_missing(set);
		assert_int_equal(missing->len, 0);
		for (size_t j = 0; j < G_N_ELEMENTS(everywhere); j++)
			assert_string_equal(config_set_get(set, everywhere[j]), "y");
	}
}

static void names_what_no_guest_boots_without(void **state)
{
	g_autoptr(config_set) set = config_set_new();
	g_autoptr(GPtrArray) missing = NULL;

	assert_true(build_config_shipped(COMPILER_KERNEL(6, 1), set, NULL));
	assert_true(config_set_read(set, "u", "CONFIG_TTY=n\n", 13, NULL));
	missing = build_config_missing(set);
	assert_int_equal(missing->len, 1);
	assert_string_equal(missing->pdata[0], "CONFIG_TTY");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_one_wins),
		cmocka_unit_test(refuses),
		cmocka_unit_test(tells_what_was_lost),
		cmocka_unit_test(shipped),
		cmocka_unit_test(names_what_no_guest_boots_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
