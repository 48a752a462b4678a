// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Version orders against the programs that define them: 10 000 generated pairs go to rpm, which
 * takes them all at once, and 2000 to dpkg, which takes one a call. KLAB_VERCMP_PAIRS=N and
 * KLAB_VERCMP_SEED=N are other numbers of pairs for both, and other pairs.
 */
#include "base/fs.h"
#include "base/proc.h"
#include "base/vercmp.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define DPKG_PAIRS 2000
#define RPM_PAIRS 10000
#define PAIRS_MAX 1000000
#define TEXT_MAX 100
#define TOLD_MAX 10

/* ---- pairs ---- */

/* As kernels and their packages are called, with what else may stand in a version. */
static const char *const known[] = {
	"5.10.0-46.52",
	"5.10.148-1",
	"6.1.27-1+b1",
	"6.1.37-1~bpo11+1",
	"6.1.76-1",
	"6.1.192-2",
	"6.12.117-1~deb12u1",
	"6.12.117+deb12-cloud-amd64",
	"6.1~rc3-1~exp1",
	"7.2.13-1+deb14",
	"5.4.0-150.167~18.04.1",
	"5.15.0-1061.70+fips1",
	"6.2.0-36.37~22.04.1",
	"6.2.0-060200rc3.202301151633",
	"1:2.36.1-8+deb11u1",
	"0:4.19.0+git20231001-1ubuntu2",
	"3.10.0-514.el7",
	"3.10.0-1127.el7",
	"3.10.0-1160.119.1.el7",
	"4.18.0-193.el8",
	"4.18.0-372.32.1.el8_6",
	"5.14.0-70.13.1.el9_0",
	"6.1.52-71.125.amzn2023",
	"5.3.18-150300.59.93.1",
	"6.4.0-150600.21.3",
	"6.5.0-0.rc3.20230728git57012c57536f.25.fc39",
	"6.5.0~rc1-1.fc39",
	"1.0^20230101gitabcdef0-2.fc38",
	"1:5.10.0-rc3-next",
	"6.2-rc7",
	"6.02.00-01",
	"20240115",
	"0",
	"0-0",
};

static const char *const tokens[] = {
	"~",
	"~~",
	"+",
	"^",
	".",
	"..",
	"-",
	"_",
	":",
	"0",
	"00",
	"9",
	"a",
	"Z",
	"rc",
	"-rc1",
	"~rc2",
	".el7",
	".el8_6",
	"+b1",
	"+deb12u3",
	"~bpo12+1",
	"+fips",
	"^git1",
	".0",
	"-0",
	"-~1",
	"-0ubuntu1",
	"18446744073709551616",
	"4294967296",
	"0000000000000000000000000000001",
};

static unsigned below(GRand *rand, unsigned n)
{
	return g_rand_int_range(rand, 0, n);
}

/* Somewhere a number begins, or the end. */
static gsize number_in(GRand *rand, const GString *text)
{
	gsize at = below(rand, text->len + 1);

	while (at < text->len && !g_ascii_isdigit(text->str[at]))
		at++;
	while (at > 0 && at < text->len && g_ascii_isdigit(text->str[at - 1]))
		at--;
	return at;
}

static void add_digits(GRand *rand, GString *text, unsigned n)
{
	gsize at = number_in(rand, text);

	while (n-- > 0)
		g_string_insert_c(text, at, '0' + below(rand, 10));
}

static void change(GRand *rand, GString *text)
{
	gsize at = below(rand, text->len + 1);

	switch (below(rand, 8)) {
	case 0:
		g_string_insert(text, at, tokens[below(rand, G_N_ELEMENTS(tokens))]);
		break;
	case 1:
		g_string_append(text, tokens[below(rand, G_N_ELEMENTS(tokens))]);
		break;
	case 2:
		g_string_erase(text, at, below(rand, MIN(4, text->len - at) + 1));
		break;
	case 3:
		if (at < text->len)
			text->str[at] = "0123456789abzAZ.+~^-_"[below(rand, 21)];
		break;
	case 4:
		g_string_insert(text, number_in(rand, text), below(rand, 2) ? "0" : "000");
		break;
	case 5:
		add_digits(rand, text, 1 + below(rand, 2));
		break;
	case 6:
		add_digits(rand, text, 15 + below(rand, 30));
		break;
	default:
		g_string_prepend(text, below(rand, 2) ? "0:" : below(rand, 2) ? "1:" : "01:");
	}
}

/* dpkg refuses what has an empty part, and an epoch that is no number of 31 bits. */
static bool dpkg_takes(const char *text)
{
	const char *colon = strchr(text, ':'), *version = colon ? colon + 1 : text;
	const char *hyphen = strrchr(version, '-');
	size_t digits = strspn(text, "0123456789");

	if (colon && (!digits || text + digits != colon || strtoull(text, NULL, 10) > G_MAXINT))
		return false;
	return *version && *version != '-' && (!hyphen || hyphen[1]);
}

/* rpm knows no version without a character. */
static bool rpm_takes(const char *text)
{
	return *text;
}

static char *random_version(GRand *rand, const char *from, unsigned changes,
			    bool (*takes)(const char *))
{
	for (;;) {
		g_autoptr(GString) text = g_string_new(from);

		for (unsigned i = 0; i < changes; i++)
			change(rand, text);
		if (text->len <= TEXT_MAX && takes(text->str))
			return g_strdup(text->str);
	}
}

struct pair {
	char *a, *b;
};

static void pair_clear(void *data)
{
	struct pair *pair = data;

	g_free(pair->a);
	g_free(pair->b);
}

/* Of most pairs one is made of the other, so that the difference lies deep. */
static GArray *random_pairs(unsigned n, bool (*takes)(const char *))
{
	const char *wanted = g_getenv("KLAB_VERCMP_SEED");
	g_autoptr(GRand) rand =
		g_rand_new_with_seed(wanted ? g_ascii_strtoull(wanted, NULL, 10) : 20260101);
	GArray *pairs = g_array_new(FALSE, FALSE, sizeof(struct pair));

	g_array_set_clear_func(pairs, pair_clear);
	while (pairs->len < n) {
		const char *from = known[below(rand, G_N_ELEMENTS(known))];
		const char *other = known[below(rand, G_N_ELEMENTS(known))];
		struct pair pair;

		pair.a = random_version(rand, from, below(rand, 3), takes);
		pair.b = random_version(rand, below(rand, 4) ? pair.a : other, 1 + below(rand, 2),
					takes);
		g_array_append_val(pairs, pair);
	}
	return pairs;
}

static unsigned pairs_wanted(unsigned usual)
{
	const char *wanted = g_getenv("KLAB_VERCMP_PAIRS");

	return wanted ? CLAMP(g_ascii_strtoull(wanted, NULL, 10), 1, PAIRS_MAX) : usual;
}

/* ---- ours and theirs ---- */

static int sign(int x)
{
	return x < 0 ? -1 : x > 0;
}

struct tally {
	const char *peer;
	unsigned less, equal, more, wrong;
	GString *told;
};

static void count(struct tally *t, int ours)
{
	t->less += ours < 0;
	t->equal += ours == 0;
	t->more += ours > 0;
}

static void complain(struct tally *t, const struct pair *pair, int ours)
{
	if (!t->told)
		t->told = g_string_new(NULL);
	if (t->wrong++ < TOLD_MAX)
		g_string_append_printf(t->told, "\n'%s' '%s': not %d", pair->a, pair->b, ours);
}

/* Pairs that are all alike would prove little. */
static void conclude(struct tally *t)
{
	unsigned n = t->less + t->equal + t->more;
	g_autoptr(GString) told = t->told;

	print_message("%s was asked for %u pairs (%u older, %u equal, %u newer)\n", t->peer, n,
		      t->less, t->equal, t->more);
	if (told)
		fail_msg("%s has %u of %u pairs otherwise:%s", t->peer, t->wrong, n, told->str);
	if (n >= 1000)
		assert_true(t->less > n / 10 && t->equal > n / 100 && t->more > n / 10);
}

static bool have(const char *program)
{
	g_autofree char *path = g_find_program_in_path(program);

	if (!path)
		print_message("skipped: this host has no %s to compare with\n", program);
	return path;
}

/* ---- dpkg: is our answer true? One call a pair, as many at once as there are CPUs ---- */

struct call {
	pid_t pid;
	const struct pair *pair;
	int ours;
};

static void start(struct call *call, const struct pair *pair)
{
	static const char *const relations[] = { "lt-nl", "eq", "gt-nl" };
	int ours = sign(vercmp_dpkg(pair->a, pair->b));
	char *const argv[] = { (char *)"dpkg", (char *)"--compare-versions",
			       pair->a,        (char *)relations[ours + 1],
			       pair->b,        NULL };
	posix_spawn_file_actions_t actions;

	/* It warns of a '^'. */
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	assert_int_equal(posix_spawnp(&call->pid, "dpkg", &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	call->pair = pair;
	call->ours = ours;
}

static void finish(struct call *call, struct tally *t)
{
	int status;

	if (!call->pid)
		return;
	while (waitpid(call->pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	call->pid = 0;
	count(t, call->ours);
	if (status)
		complain(t, call->pair, call->ours);
}

static void dpkg_agrees(void **state)
{
	struct tally t = { .peer = "dpkg" };
	unsigned slots = CLAMP(g_get_num_processors(), 1, 16);
	g_autofree struct call *calls = g_new0(struct call, slots);
	g_autoptr(GArray) pairs = NULL;

	if (!have("dpkg"))
		skip();
	pairs = random_pairs(pairs_wanted(DPKG_PAIRS), dpkg_takes);
	for (unsigned i = 0; i < pairs->len; i++) {
		finish(&calls[i % slots], &t);
		start(&calls[i % slots], &g_array_index(pairs, struct pair, i));
	}
	for (unsigned i = 0; i < slots; i++)
		finish(&calls[i], &t);
	conclude(&t);
}

/* ---- rpm: its Lua has the order, and reads files ---- */

/* A character for each pair: <, = or >. */
static char *ask_rpm(const GArray *pairs)
{
	static const char script[] = "%{lua: for line in io.lines(rpm.expand('%{pairs}')) do "
				     "local order = rpm.vercmp(line:match('^(%S+) (%S+)$')) "
				     "print(order < 0 and '<' or order > 0 and '>' or '=') end}";
	g_autofree char *path = NULL, *define = NULL, *answers = NULL;
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	auto_fd fd = g_file_open_tmp("klab-vercmp-XXXXXX", &path, NULL);

	for (guint i = 0; i < pairs->len; i++) {
		const struct pair *pair = &g_array_index(pairs, struct pair, i);

		g_string_append_printf(text, "%s %s\n", pair->a, pair->b);
	}
	assert_true(fd >= 0 && fs_write(path, text->str, text->len, NULL));
	define = g_strdup_printf("pairs %s", path);
	if (!proc_run(&(struct proc_spec){ .argv = (const char *[]){ "rpm", "--define", define,
								     "--eval", script, NULL },
					   .output_max = 16 << 20,
					   .timeout_s = 60 },
		      &answers, NULL, &error))
		print_message("%s\n", error->message);
	unlink(path);
	return g_steal_pointer(&answers);
}

static void rpm_agrees(void **state)
{
	struct tally t = { .peer = "rpm" };
	g_autoptr(GArray) pairs = NULL;
	g_autofree char *answers = NULL;

	if (!have("rpm"))
		skip();
	pairs = random_pairs(pairs_wanted(RPM_PAIRS), rpm_takes);
	answers = ask_rpm(pairs);
	assert_non_null(answers);
	assert_int_equal(strlen(g_strchomp(answers)), pairs->len);
	for (guint i = 0; i < pairs->len; i++) {
		const struct pair *pair = &g_array_index(pairs, struct pair, i);
		int ours = sign(vercmp_rpm(pair->a, pair->b));

		count(&t, ours);
		if (answers[i] != "<=>"[ours + 1])
			complain(&t, pair, ours);
	}
	conclude(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dpkg_agrees),
		cmocka_unit_test(rpm_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
