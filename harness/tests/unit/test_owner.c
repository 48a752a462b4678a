// SPDX-License-Identifier: GPL-2.0-or-later
/* Whose is a domain or a volume: names of this process, of one that ended, of other hosts, of
 * others. */
#include "guest/owner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>

static void own_names_are_alive(void **unused)
{
	g_autofree char *domain = owner_domain_name("debian-bookworm.text-poke.smp4.auto.0");
	g_autofree char *volume = g_strdup_printf("klab-ab12-%s.0", owner_self());

	assert_int_equal(owner_of(domain, "klab"), OWNER_ALIVE);
	assert_int_equal(owner_of(volume, "klab-ab12"), OWNER_ALIVE);
	assert_true(g_str_has_suffix(domain, "-debian-bookworm.text-poke.smp4.auto.0"));
}

static void odd_jobs_make_good_names(void **unused)
{
	g_autofree char *longest = g_strnfill(1000, 'x');
	g_autofree char *a = owner_domain_name("a/b c\n<&"), *b = owner_domain_name(longest);

	assert_true(g_str_has_suffix(a, "-a_b_c___"));
	assert_true(strlen(b) <= OWNER_JOB_MAX + 60);
	assert_int_equal(owner_of(b, "klab"), OWNER_ALIVE);
}

/* A child that ended, and this process as it would be after its id was given to another. */
static void the_dead_are_told(void **unused)
{
	g_autofree char *host = g_strndup(owner_self(), 8);
	g_autofree char *ended = NULL, *reused = NULL;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	ended = g_strdup_printf("klab-%s-%d-12345-job", host, pid);
	reused = g_strdup_printf("klab-%s-%d-1-job", host, getpid());
	assert_int_equal(owner_of(ended, "klab"), OWNER_DEAD);
	assert_int_equal(owner_of(reused, "klab"), OWNER_DEAD);
}

static void a_child_has_a_name_of_its_own(void **unused)
{
	g_autofree char *ours = g_strdup(owner_self());
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(strcmp(ours, owner_self()) ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void others_are_left_alone(void **unused)
{
	static const struct {
		const char *name;
		enum owner want;
	} cases[] = {
		{ "klab-00000000-1-1-job", OWNER_ELSEWHERE },
		{ "klab-00000000-1-1", OWNER_ELSEWHERE },
		{ "klab-00000000-1-1.ok", OWNER_ELSEWHERE },
		{ "", OWNER_NONE },
		{ "klab", OWNER_NONE },
		{ "klab-", OWNER_NONE },
		{ "debian12", OWNER_NONE },
		{ "klab-build-server", OWNER_NONE },
		{ "klab-00000000", OWNER_NONE },
		{ "klab-00000000-1", OWNER_NONE },
		{ "klab-00000000-1-", OWNER_NONE },
		{ "klab-00000000-0-1-job", OWNER_NONE },
		{ "klab-00000000-1-0-job", OWNER_NONE },
		{ "klab-00000000--1-1-job", OWNER_NONE },
		{ "klab-00000000-1--1-job", OWNER_NONE },
		{ "klab-00000000-+1-1-job", OWNER_NONE },
		{ "klab-00000000- 1-1-job", OWNER_NONE },
		{ "klab-00000000-1-1x", OWNER_NONE },
		{ "klab-0000000g-1-1-job", OWNER_NONE },
		{ "klab-000000000-1-1-job", OWNER_NONE },
		{ "klab-00000000-4294967297-1-job", OWNER_NONE },
		{ "klab-00000000-1-99999999999999999999-job", OWNER_NONE },
		{ "xklab-00000000-1-1-job", OWNER_NONE },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		if (owner_of(cases[i].name, "klab") != cases[i].want)
			fail_msg("'%s': %d", cases[i].name, owner_of(cases[i].name, "klab"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_names_are_alive),
		cmocka_unit_test(odd_jobs_make_good_names),
		cmocka_unit_test(the_dead_are_told),
		cmocka_unit_test(a_child_has_a_name_of_its_own),
		cmocka_unit_test(others_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
