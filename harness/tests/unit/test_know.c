// SPDX-License-Identifier: GPL-2.0-or-later
/* Identification and look-up: known kernels, measured evidence, contradictions, force and strict.
 */
#include "know_fixture.h"

static unsigned expect(const struct ktb_table *table, const struct known_kernel *k, const char *op,
		       enum ktb_value value, enum ktb_evidence evidence)
{
	struct ktb_kernel kernel;
	struct ktb_answer a;

	ktb_identify(&kernel, k->release, k->version, k->os_release);
	a = ktb_table_check(table, &kernel, op);
	if (a.value == value && a.evidence == evidence && a.reason[0])
		return 0;
	print_error("%s '%s' %s: %s/%s, expected %s/%s (%s)\n", k->release,
		    k->version ? k->version : "", op, ktb_value_name(a.value),
		    ktb_evidence_name(a.evidence), ktb_value_name(value),
		    ktb_evidence_name(evidence), a.reason);
	return 1;
}

static void known_kernels_are_answered(void **state)
{
	g_autoptr(hazard_set) hazards = shipped();
	g_autoptr(knowledge) known = know_new(hazards, NULL);
	unsigned wrong = 0;

	assert_true(G_N_ELEMENTS(known_kernels) >= 40);
	for (unsigned i = 0; i < G_N_ELEMENTS(known_kernels); i++) {
		const struct known_kernel *k = &known_kernels[i];

		wrong += expect(&known->table, k, "nmi-user-read", k->nmi, k->nmi_evidence);
		wrong += expect(&known->table, k, "text-poke", k->poke, k->poke_evidence);
	}
	assert_int_equal(wrong, 0);
}

static void identity_is_read(void **state)
{
	static const struct {
		const char *release, *version, *os_release, *vendor, *build, *base;
		int exact;
	} rows[] = {
		{ "6.1.0-9-amd64", "#1 SMP Debian 6.1.27-1 (2023-05-08)", NULL, "debian",
		  "6.1.27-1", "6.1.27", 1 },
		/* uname outranks the container's os-release */
		{ "6.1.0-9-amd64", "#1 SMP Debian 6.1.27-1 (2023-05-08)", "ID=ubuntu\n", "debian",
		  "6.1.27-1", "6.1.27", 1 },
		{ "6.1.0-9-amd64", NULL, "ID=ubuntu\n", "debian", "", "6.1.0", 0 },
		{ "6.1.0-0-amd64", "#1 SMP Debian 6.1~rc3-1~exp1 (2022-11-02)", NULL, "debian",
		  "6.1~rc3-1", "6.1.0~rc3", 1 },
		/* as an image's header has it: the builder stands before uname -v */
		{ "6.1.0-9-amd64", "(debian-kernel@lists.debian.org) #1 SMP Debian 6.1.27-1 (2023)",
		  NULL, "debian", "6.1.27-1", "6.1.27", 1 },
		{ "6.2.0-36-generic", "#37~22.04.1-Ubuntu SMP", NULL, "ubuntu", "6.2.0-36.37",
		  "6.2.0", 0 },
		{ "6.2.0-36-generic", "#37-Ubuntu", NULL, "ubuntu", "6.2.0-36.37", "6.2.0", 0 },
		{ "6.2.0-36-generic", NULL, NULL, "ubuntu", "6.2.0-36", "6.2.0", 0 },
		{ "6.2.0-1015-aws", "#15-Ubuntu", NULL, "ubuntu-derived", "6.2.0-1015.15", "6.2.0",
		  0 },
		{ "6.2.0-060200rc4-generic", "#2023", "ID='ubuntu'", "other", "", "6.2.0~rc4", 1 },
		{ "5.14.0-293.el9.x86_64", NULL, NULL, "rhel9", "5.14.0-293.el9", "5.14.0", 0 },
		{ "4.18.0-372.32.1.el8_6.aarch64", NULL, "ID=\"rocky\"\n", "rhel8",
		  "4.18.0-372.32.1.el8_6", "4.18.0", 0 },
		{ "5.14.0-427.el9.x86_64+debug", NULL, NULL, "rhel9", "5.14.0-427.el9", "5.14.0",
		  0 },
		{ "3.10.0-962.3.2.lve1.5.80.el7.x86_64", NULL, NULL, "rhel-derived",
		  "3.10.0-962.3.2.lve1.5.80.el7", "3.10.0", 0 },
		{ "5.4.17-2136.el8uek.x86_64", NULL, NULL, "rhel-derived", "5.4.17-2136.el8uek",
		  "5.4.17", 0 },
		{ "6.1.56-82.125.amzn2023.x86_64", NULL, NULL, "amazon", "6.1.56-82.125.amzn2023",
		  "6.1.56", 1 },
		{ "5.3.18-lp152.66-default", NULL, NULL, "suse", "5.3.18-lp152.66", "5.3.18", 0 },
		{ "5.14.21-150500.55.19-default", NULL, NULL, "sle", "5.14.21-150500.55.19",
		  "5.14.21", 0 },
		{ "6.1.36", "#1 SMP", NULL, "mainline", "", "6.1.36", 1 },
		{ "6.2-rc3", NULL, NULL, "mainline", "", "6.2.0~rc3", 1 },
		{ "6.2.0-rc3+", NULL, NULL, "other", "", "6.2.0~rc3", 1 },
		{ "5.10.147+", NULL, NULL, "other", "", "5.10.147", 1 },
		{ "5.15.90.1-microsoft-standard-WSL2", NULL, NULL, "other", "", "5.15.90", 1 },
		{ "5.10.0-custom", NULL, NULL, "other", "", "5.10.0", 0 },
		{ "", NULL, NULL, "", "", "", 0 },
		{ "6", NULL, NULL, "", "", "", 0 },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ktb_kernel k;
		int ok = ktb_identify(&k, rows[i].release, rows[i].version, rows[i].os_release);

		if (strcmp(k.vendor, rows[i].vendor) || strcmp(k.build, rows[i].build) ||
		    strcmp(k.base, rows[i].base) || k.base_exact != rows[i].exact)
			fail_msg("'%s' '%s': %s build '%s' base '%s' exact %d", rows[i].release,
				 rows[i].version ? rows[i].version : "", k.vendor, k.build, k.base,
				 k.base_exact);
		assert_int_equal(ok, *rows[i].vendor != 0);
	}
}

/* Texts longer than any kernel's are cut, never overrun (ASan watches). */
static void long_texts_are_cut(void **state)
{
	g_autofree char *digits = g_strnfill(5000, '7');
	g_autofree char *release =
		g_strdup_printf("%s.%s.%s-%s.el9", digits, digits, digits, digits);
	g_autofree char *version = g_strdup_printf("#%s-Ubuntu Debian %s", digits, digits);
	g_autofree char *os_release = g_strdup_printf("ID=%s", digits);
	g_autoptr(hazard_set) hazards = shipped();
	g_autoptr(knowledge) known = know_new(hazards, NULL);
	static const char *const shapes[] = { "%s",
					      "6.%s",
					      "6.1.%s",
					      "6.1.0-%s-generic",
					      "6.1.0-rc%s",
					      "6.1.0-%s.el9.x86_64",
					      "5.3.18-lp152.%s-default",
					      "6.1.0-0%s-generic" };
	struct ktb_kernel k;

	ktb_identify(&k, release, version, os_release);
	assert_int_equal(strlen(k.release), sizeof(k.release) - 1);
	for (unsigned i = 0; i < G_N_ELEMENTS(shapes); i++) {
		g_autoptr(GString) shaped = g_string_new(NULL);
		g_auto(GStrv) parts = g_strsplit(shapes[i], "%s", 2);
		struct ktb_answer a;

		g_string_printf(shaped, "%s%s%s", parts[0], digits, parts[1]);
		ktb_identify(&k, shaped->str, version, os_release);
		a = ktb_table_check(&known->table, &k, "text-poke");
		assert_true(strlen(a.reason) < sizeof(a.reason));
	}
}

/* One row: what was measured, whom one asks about, what comes out. */
static void measured_outranks(void **state)
{
	static const char deb27[] = "#1 SMP Debian 6.1.27-1 (2023-05-08)";
	static const char deb38[] = "#1 SMP Debian 6.1.38-1 (2023-07-14)";
	static const struct {
		const char *release, *version;
		bool affected;
		double p_missed;
		const char *ask_release, *ask_version;
		enum ktb_value value;
		enum ktb_evidence evidence;
		bool contradicted;
	} rows[] = {
		/* agreed */
		{ "6.1.0-9-amd64", deb27, true, NAN, "6.1.0-9-amd64", deb27, AFF, KTB_MEASURED,
		  false },
		{ "6.1.0-10-amd64", deb38, false, 1e-6, "6.1.0-10-amd64", deb38, CLN, KTB_MEASURED,
		  false },
		/* declared clean, measured affected */
		{ "6.1.0-10-amd64", deb38, true, NAN, "6.1.0-10-amd64", deb38, AFF, KTB_MEASURED,
		  true },
		/* declared affected, measured clean: with a bound it counts, without one it does
		   not */
		{ "6.1.0-9-amd64", deb27, false, 1e-6, "6.1.0-9-amd64", deb27, CLN, KTB_MEASURED,
		  true },
		{ "6.1.0-9-amd64", deb27, false, NAN, "6.1.0-9-amd64", deb27, UNK, KTB_MEASURED,
		  true },
		/* unknown before */
		{ "5.14.0-427.el9.x86_64", "#1 SMP", false, NAN, "5.14.0-427.el9.x86_64", "#1 SMP",
		  CLN, KTB_MEASURED, false },
		/* another build with the same ABI name, another flavour, another local build */
		{ "6.1.0-9-amd64", deb38, true, NAN, "6.1.0-9-amd64", deb27, AFF, DECL, false },
		{ "6.1.0-10-amd64", deb38, true, NAN, "6.1.0-10-cloud-amd64", deb38, CLN, DECL,
		  false },
		{ "6.12.1-mine", "#3 SMP", true, NAN, "6.12.1-mine", "#4 SMP", CLN, EXTR, false },
		{ "6.12.1-mine", "#3 SMP", true, NAN, "6.12.1-mine", "#3 SMP", AFF, KTB_MEASURED,
		  true },
		/* neither build nor version: nothing tells that it is this very one */
		{ "6.12.1-mine", "", true, NAN, "6.12.1-mine", NULL, CLN, EXTR, false },
	};
	g_autoptr(hazard_set) hazards = shipped();

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GPtrArray) list =
			g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
		g_autoptr(knowledge) known = NULL;
		g_auto(GStrv) contradictions = NULL;
		struct ktb_kernel kernel;
		struct ktb_answer a;

		g_ptr_array_add(list,
				measured_new(rows[i].release, rows[i].version, "nmi-user-read",
					     rows[i].affected, rows[i].p_missed));
		known = know_new(hazards, list);
		ktb_identify(&kernel, rows[i].ask_release, rows[i].ask_version, NULL);
		a = ktb_table_check(&known->table, &kernel, "nmi-user-read");
		if (a.value != rows[i].value || a.evidence != rows[i].evidence ||
		    a.contradicted != rows[i].contradicted)
			fail_msg("row %u: %s %s %d: %s", i, ktb_value_name(a.value),
				 ktb_evidence_name(a.evidence), a.contradicted, a.reason);
		/* The other operation was not measured. */
		a = ktb_table_check(&known->table, &kernel, "text-poke");
		assert_int_not_equal(a.evidence, KTB_MEASURED);
		contradictions = know_contradictions(known, list);
		if (rows[i].contradicted)
			assert_int_equal(g_strv_length(contradictions), 1);
	}
}

static void runs_that_disagree_are_told(void **state)
{
	static const char version[] = "#1 SMP Debian 6.1.38-1 (2023-07-14)";
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
	g_autoptr(hazard_set) hazards = shipped();
	g_autoptr(knowledge) known = NULL;
	struct ktb_kernel kernel;
	struct ktb_answer a;

	g_ptr_array_add(list, measured_new("6.1.0-10-amd64", version, "text-poke", false, 1e-9));
	g_ptr_array_add(list, measured_new("6.1.0-10-amd64", version, "text-poke", true, NAN));
	g_ptr_array_add(list, measured_new("6.1.0-10-amd64", version, "text-poke", false, NAN));
	known = know_new(hazards, list);
	assert_int_equal(known->table.n_measured, 2);
	ktb_identify(&kernel, "6.1.0-10-amd64", version, NULL);
	a = ktb_table_check(&known->table, &kernel, "text-poke");
	assert_int_equal(a.value, KTB_AFFECTED);
	assert_true(a.contradicted);
	assert_non_null(strstr(a.reason, "poke_int3_handler"));
}

/* A failure that was not declared is told with the hazard that it looks like, or with none; a
 * declared one stays: failures of two may look alike. */
static void failures_name_their_hazard(void **state)
{
	static const struct {
		const char *release, *matched, *hazard, *fix;
	} rows[] = {
		{ "6.1.192", "text-poke-race", "text-poke-race", "285a54efe386, 1f676247f36a" },
		{ "6.1.192", NULL, NULL, NULL },
		{ "5.15.0", "text-poke-race", "text-poke-desc-race", "efd608fa7403" },
		{ "5.15.0", NULL, "text-poke-desc-race", "efd608fa7403" },
	};
	g_autoptr(hazard_set) hazards = shipped();

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GPtrArray) list =
			g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
		struct measured *m = measured_new(rows[i].release, "#1", "text-poke", true, NAN);
		g_autoptr(knowledge) known = NULL;
		struct ktb_kernel k;
		struct ktb_answer a;

		m->hazard = g_strdup(rows[i].matched);
		g_ptr_array_add(list, m);
		known = know_new(hazards, list);
		ktb_identify(&k, rows[i].release, "#1", NULL);
		a = ktb_table_check(&known->table, &k, "text-poke");
		assert_int_equal(a.evidence, KTB_MEASURED);
		assert_int_equal(g_strcmp0(a.hazard, rows[i].hazard), 0);
		assert_int_equal(g_strcmp0(a.fix, rows[i].fix), 0);
	}
}

static void force_and_strict_are_reported(void **state)
{
	static const struct {
		const char *release, *force;
		int strict;
		enum ktb_value value;
		int allowed, forced, strict_told;
	} rows[] = {
		{ "6.1.20", NULL, 0, AFF, 0, 0, 0 },
		{ "6.1.20", "all", 0, AFF, 1, 1, 0 },
		{ "6.1.20", "nmi-user-read", 0, AFF, 1, 1, 0 },
		{ "6.1.20", "text-poke,nmi-user-read", 1, AFF, 1, 1, 0 },
		{ "6.1.20", "text-poke", 0, AFF, 0, 0, 0 },
		{ "6.1.20", "nmi-user", 0, AFF, 0, 0, 0 },
		{ "6.1.20", "nmi-user-reads", 0, AFF, 0, 0, 0 },
		{ "6.1.20", "", 0, AFF, 0, 0, 0 },
		{ "6.4.0", "all", 0, CLN, 1, 0, 0 },
		{ "6.4.0", NULL, 1, CLN, 1, 0, 0 },
		{ "5.14.0-427.el9.x86_64", NULL, 0, UNK, 1, 0, 0 },
		{ "5.14.0-427.el9.x86_64", NULL, 1, AFF, 0, 0, 1 },
		{ "5.14.0-427.el9.x86_64", "all", 1, AFF, 1, 1, 1 },
	};
	g_autoptr(hazard_set) hazards = shipped();
	g_autoptr(knowledge) known = know_new(hazards, NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct ktb_kernel k;
		struct ktb_answer a;

		ktb_identify(&k, rows[i].release, NULL, NULL);
		ktb_force(&k, rows[i].force);
		ktb_strict(&k, rows[i].strict);
		a = ktb_table_check(&known->table, &k, "nmi-user-read");
		if (a.value != rows[i].value || a.allowed != rows[i].allowed ||
		    a.forced != rows[i].forced || a.strict != rows[i].strict_told)
			fail_msg("row %u: %s allowed %d forced %d strict %d", i,
				 ktb_value_name(a.value), a.allowed, a.forced, a.strict);
	}
}

static void foretold_asks_one_hazard(void **state)
{
	g_autoptr(hazard_set) hazards = shipped();
	struct ktb_kernel k;

	ktb_identify(&k, "5.15.0", NULL, NULL);
	assert_true(know_foretold(hazards, &k, "text-poke-desc-race"));
	assert_false(know_foretold(hazards, &k, "text-poke-race"));
	assert_false(know_foretold(hazards, &k, "nmi-user-read-deadlock"));
	assert_false(know_foretold(hazards, &k, "no-such-hazard"));
	ktb_identify(&k, "5.14.0-427.el9.x86_64", NULL, NULL);
	assert_false(know_foretold(hazards, &k, "nmi-user-read-deadlock"));
}

static void operations_without_hazards_are_unknown(void **state)
{
	g_autoptr(hazard_set) hazards = shipped();
	g_autoptr(knowledge) known = know_new(hazards, NULL);
	struct ktb_kernel k;
	struct ktb_answer a;

	ktb_identify(&k, "6.1.192", NULL, NULL);
	a = ktb_table_check(&known->table, &k, "uprobe-storm");
	assert_int_equal(a.value, KTB_UNKNOWN);
	assert_true(a.reason[0]);
	assert_true(g_strv_length(known->ops) > 2);
	assert_true(g_strv_contains((const char *const *)known->ops, "nmi-user-read"));
}

static void contradictions_are_sentences(void **state)
{
	static const char deb38[] = "#1 SMP Debian 6.1.38-1 (2023-07-14)";
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
	g_autoptr(hazard_set) hazards = shipped();
	g_autoptr(knowledge) known = NULL;
	g_auto(GStrv) got = NULL;

	/* two that differ where nothing is declared, twice; declared clean; agreed */
	for (int i = 0; i < 4; i++)
		g_ptr_array_add(list, measured_new("5.14.0-427.el9.x86_64", "#1 SMP",
						   "nmi-user-read", i % 2, i % 2 ? NAN : 1e-6));
	g_ptr_array_add(list, measured_new("6.1.0-10-amd64", deb38, "nmi-user-read", true, NAN));
	g_ptr_array_add(list, measured_new("6.1.0-10-amd64", deb38, "text-poke", false, 1e-6));
	known = know_new(hazards, list);
	got = know_contradictions(known, list);
	assert_int_equal(g_strv_length(got), 2);
	assert_string_equal(
		got[0], "k (5.14.0-427.el9.x86_64): nmi-user-read is measured affected (probe "
			"nmi-user-read: oops: page fault in poke_int3_handler) and clean (probe "
			"nmi-user-read: clean, P(missed) <= 1e-06)");
	assert_string_equal(got[1],
			    "k (6.1.0-10-amd64): nmi-user-read is measured affected (probe "
			    "nmi-user-read: oops: page fault in poke_int3_handler); declared clean "
			    "(6.1.38-1 has the fix [debian 5.19.6-1..6.1.37-1])");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_kernels_are_answered),
		cmocka_unit_test(identity_is_read),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(measured_outranks),
		cmocka_unit_test(runs_that_disagree_are_told),
		cmocka_unit_test(failures_name_their_hazard),
		cmocka_unit_test(force_and_strict_are_reported),
		cmocka_unit_test(foretold_asks_one_hazard),
		cmocka_unit_test(operations_without_hazards_are_unknown),
		cmocka_unit_test(contradictions_are_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
