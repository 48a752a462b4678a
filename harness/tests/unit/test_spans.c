// SPDX-License-Identifier: GPL-2.0-or-later
/* What is said of builds between two that were measured: when, and when not. */
#include "know_fixture.h"

#define RHEL(build)                                                                                \
	{                                                                                          \
		build ".x86_64", "#1 SMP"                                                          \
	}
#define DEBIAN(version)                                                                            \
	{                                                                                          \
		"6.1.0-" version "-amd64", "#1 SMP Debian " version " (2023)"                      \
	}
#define UP(release)                                                                                \
	{                                                                                          \
		release, "#1 SMP"                                                                  \
	}
#define UBUNTU(abi, upload)                                                                        \
	{                                                                                          \
		"6.5.0-" abi "-generic", "#" upload "-Ubuntu"                                      \
	}

struct texts {
	const char *release, *version;
};
enum seen_as { A = 1, C, U }; /* affected, clean, clean and uncalibrated */

static void add_points(GPtrArray *list, const struct texts *points, const enum seen_as *as,
		       const char *op)
{
	for (unsigned i = 0; as[i]; i++)
		g_ptr_array_add(list, measured_new(points[i].release, points[i].version, op,
						   as[i] == A, as[i] == C ? 1e-6 : NAN));
}

/* What is measured, whom one asks about, what comes out. */
static const struct between_row {
	const char *op;
	struct texts points[3];
	enum seen_as as[4];
	struct texts ask;
	enum ktb_value value;
	enum ktb_evidence evidence;
	bool contradicted;
} between_rows[] = {
#define NMI "nmi-user-read"
#define Z(n) RHEL("5.14.0-427." n ".1.el9_4")
	/* builds of a frozen branch that nobody declares anything about */
	{ NMI, { Z("13"), Z("40") }, { C, C }, Z("26"), CLN, EXTR },
	{ NMI, { Z("40"), Z("13") }, { C, C }, Z("26"), CLN, EXTR },
	{ NMI, { Z("13"), Z("40") }, { C, U }, Z("26"), CLN, EXTR },
	{ NMI, { Z("13"), Z("40") }, { A, A }, Z("26"), AFF, EXTR },
	{ NMI, { Z("13"), Z("40") }, { A, C }, Z("26"), UNK, KTB_NO_EVIDENCE },
	/* beyond the points, another series, one point */
	{ NMI, { Z("13"), Z("40") }, { C, C }, Z("42"), UNK, KTB_NO_EVIDENCE },
	{ NMI, { Z("13"), Z("40") }, { C, C }, Z("9"), UNK, KTB_NO_EVIDENCE },
	{ NMI,
	  { Z("13"), Z("40") },
	  { C, C },
	  RHEL("5.14.0-503.26.1.el9_5"),
	  UNK,
	  KTB_NO_EVIDENCE },
	{ NMI, { Z("13") }, { C }, Z("26"), UNK, KTB_NO_EVIDENCE },
	{ NMI,
	  { Z("13"), RHEL("5.14.0-503.26.1.el9_5") },
	  { C, C },
	  Z("26"),
	  UNK,
	  KTB_NO_EVIDENCE },
	/* neighbours count, not the ends; who contradicts itself is no neighbour */
	{ NMI, { Z("13"), Z("40"), Z("30") }, { A, A, C }, Z("26"), UNK, KTB_NO_EVIDENCE },
	{ NMI, { Z("13"), Z("40"), Z("20") }, { C, A, C }, Z("17"), CLN, EXTR },
	{ NMI, { Z("13"), Z("40"), Z("40") }, { C, C, A }, Z("26"), UNK, KTB_NO_EVIDENCE },
	/* the line that frozen builds are made of, and what is made of one of them */
	{ NMI,
	  { RHEL("5.14.0-310.el9"), RHEL("5.14.0-350.el9") },
	  { A, A },
	  RHEL("5.14.0-320.el9"),
	  AFF,
	  EXTR },
	{ NMI,
	  { RHEL("5.14.0-310.el9"), RHEL("5.14.0-350.el9") },
	  { A, A },
	  RHEL("5.14.0-320.5.1.el9_3"),
	  UNK,
	  KTB_NO_EVIDENCE },
	/* a half-done backport: affected where the fix is declared */
	{ NMI,
	  { DEBIAN("6.1.38-1"), DEBIAN("6.1.90-1") },
	  { A, A },
	  DEBIAN("6.1.52-1"),
	  AFF,
	  EXTR,
	  true },
	/* a declared boundary lies between, or the build itself is declared affected */
	{ NMI,
	  { DEBIAN("6.1.27-1"), DEBIAN("6.1.38-1") },
	  { A, A },
	  DEBIAN("6.1.37-1"),
	  CLN,
	  DECL },
	{ NMI,
	  { DEBIAN("6.1.27-1"), DEBIAN("6.1.38-1") },
	  { C, C },
	  DEBIAN("6.1.28-1"),
	  AFF,
	  DECL },
	{ NMI, { UP("6.1.20"), UP("6.1.30") }, { C, C }, UP("6.1.25"), AFF, DECL },
	{ NMI, { UP("6.1.20"), UP("6.1.30") }, { A, A }, UP("6.1.25"), AFF, DECL },
	/* what is declared is the better evidence of the same */
	{ NMI,
	  { DEBIAN("6.1.38-1"), DEBIAN("6.1.90-1") },
	  { C, C },
	  DEBIAN("6.1.52-1"),
	  CLN,
	  DECL },
	/* mainline: within a branch only; a kernel with a local version is another */
	{ NMI, { UP("6.4.2"), UP("6.4.9") }, { A, A }, UP("6.4.5"), AFF, EXTR, true },
	{ NMI, { UP("6.4.2"), UP("6.4.9") }, { A, A }, { "6.4.9", "#2" }, AFF, EXTR, true },
	{ NMI, { UP("6.4.2"), UP("6.4.9") }, { A, A }, UP("6.4.10"), CLN, DECL },
	{ NMI, { UP("6.4.2"), UP("6.4.9") }, { A, A }, UP("6.4.5-mine"), CLN, EXTR },
	{ NMI, { UP("6.4.2"), UP("6.6.9") }, { A, A }, UP("6.5.5"), CLN, DECL },
	{ NMI, { UP("6.4.2-mine"), UP("6.4.9-mine") }, { A, A }, UP("6.4.5-mine"), CLN, EXTR },
	{ NMI, { UP("6.2-rc8"), UP("6.2.9") }, { C, C }, UP("6.2.5"), AFF, DECL },
	/* Ubuntu: its cloud kernels count by themselves, an ABI name may be a later build */
	{ NMI,
	  { UBUNTU("14", "14"), UBUNTU("28", "29") },
	  { A, A },
	  UBUNTU("21", "21~22.04.1"),
	  AFF,
	  EXTR,
	  true },
	{ NMI,
	  { UBUNTU("14", "14"), UBUNTU("28", "29") },
	  { A, A },
	  UBUNTU("1021", "21"),
	  CLN,
	  EXTR },
	{ NMI,
	  { UBUNTU("14", "14"), UBUNTU("28", "29") },
	  { A, A },
	  { "6.5.0-28-generic", NULL },
	  CLN,
	  EXTR },
#define EL8(n) RHEL("4.18.0-" n)
	/* declared unknown, also from the middle on */
	{ "text-poke",
	  { EL8("477.10.1.el8_8"), EL8("477.27.1.el8_8") },
	  { C, C },
	  EL8("477.13.1.el8_8"),
	  CLN,
	  EXTR },
	{ "text-poke",
	  { EL8("372.9.1.el8"), EL8("372.40.1.el8_6") },
	  { C, C },
	  EL8("372.36.1.el8_6"),
	  UNK,
	  KTB_NO_EVIDENCE },
	/* another operation was measured */
	{ "text-poke", { Z("13"), Z("40") }, { C, C }, Z("13"), CLN, KTB_MEASURED },
};

static void builds_between_are_extrapolated(void **state)
{
	g_autoptr(hazard_set) hazards = shipped();

	for (unsigned i = 0; i < G_N_ELEMENTS(between_rows); i++) {
		const struct between_row *row = &between_rows[i];
		g_autoptr(GPtrArray) list =
			g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
		g_autoptr(knowledge) known = NULL;
		struct ktb_kernel k;
		struct ktb_answer a;

		add_points(list, row->points, row->as, row->op);
		known = know_new(hazards, list);
		ktb_identify(&k, row->ask.release, row->ask.version, NULL);
		a = ktb_table_check(&known->table, &k, row->op);
		if (a.value != row->value || a.evidence != row->evidence ||
		    !a.contradicted != !row->contradicted)
			fail_msg("row %u: %s %s %d: %s", i, ktb_value_name(a.value),
				 ktb_evidence_name(a.evidence), a.contradicted, a.reason);
		a = ktb_table_check(&known->table, &k, "ftrace-flip");
		assert_null(strstr(a.reason, "measured"));
	}
}

/* Both points are named, and weak ones are called so. */
static void extrapolation_names_its_points(void **state)
{
	static const struct texts points[] = { Z("13"), Z("40") };
	static const enum seen_as as[] = { U, C, 0 };
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)measured_free);
	g_autoptr(hazard_set) hazards = shipped();
	g_autoptr(knowledge) known = NULL;
	struct ktb_kernel k;
	struct ktb_answer a;

	add_points(list, points, as, NMI);
	known = know_new(hazards, list);
	ktb_identify(&k, "5.14.0-427.26.1.el9_4.x86_64", NULL, NULL);
	a = ktb_table_check(&known->table, &k, NMI);
	assert_string_equal(a.reason,
			    "5.14.0-427.26.1.el9_4 lies between two builds that were measured "
			    "clean, uncalibrated [rhel9 5.14.0-427.13.1.el9_4.."
			    "5.14.0-427.40.1.el9_4]");
	assert_int_equal(known->table.n_spans, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builds_between_are_extrapolated),
		cmocka_unit_test(extrapolation_names_its_points),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
