// SPDX-License-Identifier: GPL-2.0-or-later
/* Plans: text to sites, sites to a kernel's addresses and back to text, --amplify's words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "amplify/plan.h"

#include <string.h>

static const char list[] = "ffffffff81000300 poke_int3_handler\n"
			   "ffffffff81000000 _stext\n"
			   "ffffffff81000000 _text\n"
			   "ffffffff81000320 text_poke_bp\n"
			   "ffffffff81000400 text_poke_bp_batch\n"
			   "ffffffff81000600 twice\n"
			   "ffffffff81000700 twice\n"
			   "ffffffff81000800 odd,name\n";

static struct plan *parse(const char *text)
{
	struct plan *p;
	g_autoptr(GError) error = NULL;

	if (!plan_parse(text, strlen(text), &p, &error))
		fail_msg("'%s': %s", text, error->message);
	return p;
}

static const struct plan_line *line_of(const struct plan *p, guint i)
{
	assert_true(i < p->lines->len);
	return &g_array_index(p->lines, struct plan_line, i);
}

/* --- text ---------------------------------------------------------------------------------------
 */

static void parses_sites(void **unused)
{
#define SITE(...)                                                                                  \
	{                                                                                          \
		.vcpu = -1, .every = 256, .us_lo = 100, .us_hi = 600, __VA_ARGS__                  \
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
	static const struct {
		const char *text, *symbol;
		uint64_t lo, hi;
		struct amp_site site;
	} cases[] = {
		{ "f", "f", 0, 0, SITE() },
		{ "f+16", "f", 16, 17, SITE() },
		{ "f+0x10-0x20", "f", 16, 32, SITE() },
		{ " text_poke* , at=access\t", "text_poke*", 0, 0, SITE(.at = AMP_ACCESS) },
		{ "f,at=before", "f", 0, 0, SITE() },
		{ "f,us=300", "f", 0, 0, SITE(.us_lo = 300, .us_hi = 300) },
		{ "f,us=1..5000,every=1", "f", 0, 0, SITE(.us_lo = 1, .us_hi = 5000, .every = 1) },
		{ "f,prob=5%", "f", 0, 0, SITE(.every = 20) },
		{ "f,prob=0.001", "f", 0, 0, SITE(.every = 1000) },
		{ "f,prob=1", "f", 0, 0, SITE(.every = 1) },
		{ "f,prob=100%", "f", 0, 0, SITE(.every = 1) },
		{ "f.isra.0,vcpu=3,after=1000", "f.isra.0", 0, 0, SITE(.vcpu = 3, .after = 1000) },
		{ "f[a-c]?,vcpu=0 # a comment", "f[a-c]?", 0, 0, SITE(.vcpu = 0) },
	};
#pragma GCC diagnostic pop

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(plan) p = parse(cases[i].text);
		const struct plan_line *line = line_of(p, 0);

		assert_string_equal(line->symbol, cases[i].symbol);
		assert_true(line->lo == cases[i].lo && line->hi == cases[i].hi);
		if (memcmp(&line->site, &cases[i].site, sizeof(line->site)))
			fail_msg("'%s' is another site", cases[i].text);
		assert_true(p->lines->len == 1 && !p->has_seed);
	}
}

static void parses_lines(void **unused)
{
	g_autoptr(plan) p = parse("# what was found; and how\n"
				  "seed=18446744073709551615\r\n\n"
				  "f,us=20;;g+1 ; h # it; too\n");

	assert_true(p->has_seed && p->seed == UINT64_MAX);
	assert_int_equal(p->lines->len, 3);
	assert_string_equal(line_of(p, 2)->symbol, "h");
}

static void tells_what_is_wrong(void **unused)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "f\ng\nh,us=90000", "line 3: 'us=90000' wants 1..5000 (microseconds)" },
		{ "f;g,us=0", "line 1, site 2: 'us=0' wants 1..5000" },
		{ "f,us=300..20", "'us=300..20' wants 1..5000 (microseconds), or LO..HI" },
		{ "f,us=1..2..3", "'us=1..2..3' wants" },
		{ "f,us=", "'us=' wants" },
		{ "f,at=after", "'at=after' wants before or access" },
		{ "f,every=0", "'every=0' wants 1..1000000000" },
		{ "f,every=-1", "'every=-1' wants" },
		{ "f,every=1,prob=50%", "'prob=50%' says again what was said" },
		{ "f,us=1,us=1", "'us=1' says again" },
		{ "f,prob=0", "'prob=0' wants a chance more than 0" },
		{ "f,prob=1.5", "'prob=1.5' wants" },
		{ "f,prob=nan", "'prob=nan' wants" },
		{ "f,prob=1e-12", "'prob=1e-12' wants" },
		{ "f,prob=5%%", "'prob=5%%' wants" },
		{ "f,vcpu=256", "'vcpu=256' wants" },
		{ "f,after=x", "'after=x' wants" },
		{ "f,group=1", "'group=1' is nothing that a site has\nhint: at, us," },
		{ "f,", "'' is nothing" },
		{ ",us=5", "'' is no function's name" },
		{ "us=5", "'us=5' is no function's name" },
		{ "f g", "'f g' is no function's name" },
		{ "f+", "'f+' wants +OFF" },
		{ "f+0x20-0x10", "'f+0x20-0x10' wants" },
		{ "f+16-16", "'f+16-16' wants" },
		{ "f+-1", "'f+-1' wants" },
		{ "f+0x100000", "'f+0x100000' wants" },
		{ "f+1-0x100001", "wants +OFF" },
		{ "f+zz", "'f+zz' wants" },
		{ "a*b*c*d*e*f*g*h*i*j", "is no function's name or glob" },
		{ "seed=1;seed=2;f", "line 1, site 2: 'seed=2' is a second seed" },
		{ "seed=18446744073709551616;f", "wants a number of 64 bits" },
		{ "seed=1,us=2", "'seed=1' is no function's name" },
		{ "f\x01", "line 1: byte 0x01" },
		{ "\xff", "UTF-8" },
		{ "# nothing\n", "a plan without a site\nhint: a site is as" },
		{ "", "a plan without a site" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		struct plan *p;

		if (plan_parse(cases[i].text, strlen(cases[i].text), &p, &error))
			fail_msg("'%s' is a plan", cases[i].text);
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_USAGE));
		if (!strstr(error->message, cases[i].words))
			fail_msg("'%s': %s", cases[i].text, error->message);
	}
}

static void has_limits(void **unused)
{
	g_autofree char *long_name = g_strnfill(512, 'a'), *long_text = g_strnfill(65537, '\n');
	g_autoptr(GString) many = g_string_new(NULL);
	struct plan *p;

	assert_false(plan_parse(long_name, 512, &p, NULL));
	assert_false(plan_parse(long_text, 65537, &p, NULL));
	assert_false(plan_parse("f\0g", 3, &p, NULL));
	for (unsigned i = 0; i < PLAN_LINES_MAX; i++)
		g_string_append(many, "f;");
	assert_true(plan_parse(many->str, many->len, &p, NULL));
	assert_int_equal(p->lines->len, PLAN_LINES_MAX);
	plan_free(p);
	g_string_append(many, "f");
	assert_false(plan_parse(many->str, many->len, &p, NULL));
}

static void drops_seeds(void **unused)
{
	g_autofree char *text =
		plan_without_seed("# seed=1 says; what\n seed=5\nf,us=3;seed=7;g\n");
	g_autofree char *short_text = plan_without_seed("seed=5;f");

	assert_string_equal(text, "# seed=1 says; what\nf,us=3\ng\n");
	assert_string_equal(short_text, "f\n");
}

/* --- --amplify ----------------------------------------------------------------------------------
 */

static void words_of_amplify(void **unused)
{
	static const struct {
		const char *word;
		enum amplify_level level;
		const char *plan;
	} cases[] = {
		{ "off", AMPLIFY_OFF, NULL },
		{ "light", AMPLIFY_LIGHT, NULL },
		{ "auto", AMPLIFY_AUTO, NULL },
		{ "host", AMPLIFY_HOST, NULL },
		{ "poke_int3_handler", AMPLIFY_PLAN, "poke_int3_handler" },
		{ "schedule,us=5;f+1 # a;b", AMPLIFY_PLAN, "schedule,us=5\nf+1 # a;b" },
	};
	static const char *const wrong[] = { "", "loud", "plan", "Auto", "auto,light", "f_g,us=0" };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct amplify a;

		assert_true(amplify_parse(cases[i].word, &a, NULL));
		assert_int_equal(a.level, cases[i].level);
		assert_true(g_strcmp0(a.plan, cases[i].plan) == 0);
		amplify_clear(&a);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		struct amplify a;
		g_autoptr(GError) error = NULL;

		assert_false(amplify_parse(wrong[i], &a, &error));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_USAGE));
		if (i < 4)
			assert_non_null(strstr(error->message, "hint: off, light, auto, host"));
	}
}

static void names_of_levels(void **unused)
{
	enum amplify_level level;

	for (unsigned i = 0; i < AMPLIFY__COUNT; i++)
		assert_true(amplify_level_parse(amplify_level_name(i), &level) && level == i);
	assert_false(amplify_level_parse("loud", &level));
}

/* --- addresses ----------------------------------------------------------------------------------
 */

struct bound {
	struct symbols *symbols;
	struct plan_sites sites;
};

static struct bound bind(const struct plan *p)
{
	struct bound b = { .symbols = symbols_parse(list, strlen(list)) };

	plan_bind(p, b.symbols, &b.sites);
	return b;
}

static void bound_clear(struct bound *b)
{
	plan_sites_clear(&b->sites);
	symbols_free(b->symbols);
}

static void check_range(const struct bound *b, unsigned i, uint64_t lo, uint64_t hi)
{
	const uint64_t text = UINT64_C(0xffffffff81000000);

	assert_true(i < b->sites.n);
	assert_true(b->sites.site[i].lo == text + lo && b->sites.site[i].hi == text + hi);
}

static void binds_levels(void **unused)
{
	const char *const globs[] = { "poke_int3_handler", "text_poke_bp*", "text_*", "not_there",
				      NULL };
	g_autoptr(plan) p = plan_of_level(AMPLIFY_AUTO, globs);
	g_autoptr(plan) light = plan_of_level(AMPLIFY_LIGHT, globs);
	struct bound b = bind(p);

	/* a head ends with its function, and at the latest after PLAN_HEAD_BYTES; none is there
	 * twice */
	assert_int_equal(b.sites.n, 3);
	check_range(&b, 0, 0x300, 0x320);
	check_range(&b, 1, 0x320, 0x3a0);
	check_range(&b, 2, 0x400, 0x480);
	assert_true(b.sites.site[2].every == 16 && b.sites.site[2].at == AMP_ACCESS && b.sites.site[2].us_hi == 600);
	assert_string_equal(b.sites.names, "poke_int3_handler text_poke_bp text_poke_bp_batch");
	assert_string_equal(b.sites.missing, "not_there");
	assert_true(line_of(light, 0)->site.every == 1024 && line_of(light, 0)->site.us_lo == 50);
	bound_clear(&b);
}

static void binds_offsets(void **unused)
{
	g_autoptr(plan) p =
		parse("poke_int3_handler+0x10;poke_int3_handler+0x18-0x50;twice+4;"
		      "poke_int3_handler+0x20;poke_int3_handler,vcpu=1;text_poke_bp;_text");
	struct bound b = bind(p);

	assert_int_equal(b.sites.n, 7);
	check_range(&b, 0, 0x310, 0x311);
	check_range(&b, 1, 0x318, 0x320); /* no further than its end */
	check_range(&b, 2, 0x604, 0x605); /* a name that is there twice means both */
	check_range(&b, 3, 0x704, 0x705);
	assert_int_equal(b.sites.site[4].vcpu, 1);
	assert_string_equal(b.sites.names, "poke_int3_handler twice text_poke_bp _text");
	assert_string_equal(b.sites.missing, "poke_int3_handler+0x20");
	bound_clear(&b);
}

static void binds_nothing(void **unused)
{
	const char *const globs[] = { "poke_int3_handler", NULL };
	g_autoptr(plan) off = plan_of_level(AMPLIFY_OFF, globs);
	g_autoptr(plan) host = plan_of_level(AMPLIFY_HOST, globs);
	g_autoptr(plan) none = plan_of_level(AMPLIFY_AUTO, NULL);
	g_autoptr(plan) p = plan_of_level(AMPLIFY_AUTO, globs);
	struct plan_sites sites;

	assert_int_equal(off->lines->len + host->lines->len + none->lines->len, 0);
	plan_bind(p, NULL, &sites);
	assert_true(!sites.n && !sites.names && !sites.dropped);
	assert_string_equal(sites.missing, "poke_int3_handler");
	plan_sites_clear(&sites);
}

static void drops_what_does_not_fit(void **unused)
{
	g_autoptr(GString) many = g_string_new(NULL);
	g_autoptr(plan) p = parse("f*");
	g_autoptr(symbols) symbols = NULL;
	struct plan_sites sites;

	for (unsigned i = 0; i < AMP_SITES_MAX + 9; i++)
		g_string_append_printf(many, "ffffffff81%04x00 f%u\n", i, i);
	symbols = symbols_parse(many->str, many->len);
	plan_bind(p, symbols, &sites);
	assert_int_equal(sites.n, AMP_SITES_MAX);
	assert_int_equal(sites.dropped, 9);
	plan_sites_clear(&sites);
}

/* --- and back -----------------------------------------------------------------------------------
 */

static void writes_text(void **unused)
{
	static const char text[] = "# found by auto\n# in 3 s\nseed=7\n"
				   "poke_int3_handler,at=before,us=100..600,every=256\n"
				   "text_poke_bp+0x0,at=access,us=20,every=1,vcpu=2,after=5\n"
				   "text_poke_bp+0x8-0x80,at=before,us=1..5000,every=1000000000\n"
				   "text_poke_bp_batch,at=before,us=300,every=64\n";
	g_autoptr(plan) p = parse(text);
	struct bound b = bind(p);
	g_autofree char *again =
		plan_text(b.sites.site, b.sites.n, b.symbols, p->seed, "found by auto\nin 3 s\n");

	assert_string_equal(again, text);
	bound_clear(&b);
}

/* Sites may come off a page that a guest could write: the text is a plan all the same. */
static void writes_sane_text(void **unused)
{
	const uint64_t text = UINT64_C(0xffffffff81000000);
	const struct amp_site sites[] = {
		{ .lo = text + 0x300, .hi = text + 0x301, .every = 0 },
		{ .lo = 5, .hi = 6, .every = 1 },
		{ .lo = text + 0x301, .hi = text + 0x300, .every = 1 },
		{ .lo = text + 0x800, .hi = text + 0x801, .every = 1 }, /* "odd,name" */
		{ .lo = text + 0x310,
		  .hi = UINT64_MAX,
		  .at = 77,
		  .vcpu = 1 << 30,
		  .every = UINT32_MAX,
		  .us_lo = UINT32_MAX,
		  .us_hi = 0,
		  .after = UINT32_MAX },
	};
	g_autoptr(symbols) symbols = symbols_parse(list, strlen(list));
	g_autofree char *written = plan_text(sites, G_N_ELEMENTS(sites), symbols, 1, NULL);
	g_autofree char *without = plan_text(sites, G_N_ELEMENTS(sites), NULL, 1, NULL);
	g_autoptr(plan) p = parse(written);

	assert_string_equal(written, "seed=1\npoke_int3_handler+0x10-0x20,at=before,us=5000,"
				     "every=1000000000,after=1000000000\n");
	assert_string_equal(without, "seed=1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_sites),
		cmocka_unit_test(parses_lines),
		cmocka_unit_test(tells_what_is_wrong),
		cmocka_unit_test(has_limits),
		cmocka_unit_test(drops_seeds),
		cmocka_unit_test(words_of_amplify),
		cmocka_unit_test(names_of_levels),
		cmocka_unit_test(binds_levels),
		cmocka_unit_test(binds_offsets),
		cmocka_unit_test(binds_nothing),
		cmocka_unit_test(drops_what_does_not_fit),
		cmocka_unit_test(writes_text),
		cmocka_unit_test(writes_sane_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
