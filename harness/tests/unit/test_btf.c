// SPDX-License-Identifier: GPL-2.0-or-later
/* BTF made by hand: members, nested and anonymous ones, bit fields, damage; and lists of tasks that
 * are found with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "run/tasks.h"

#include <string.h>

enum { INT = 1, PTR = 2, STRUCT = 4, UNION = 5, TYPEDEF = 8, VOLATILE = 9 };

struct maker {
	GByteArray *types, *strings;
	uint32_t n;
};

static void put32(GByteArray *out, uint32_t value)
{
	value = GUINT32_TO_LE(value);
	g_byte_array_append(out, (const guint8 *)&value, 4);
}

static uint32_t name(struct maker *m, const char *text)
{
	uint32_t at = m->strings->len;

	g_byte_array_append(m->strings, (const guint8 *)text, strlen(text) + 1);
	return *text ? at : 0;
}

/* The id of the new type; members follow by member(). */
static uint32_t type(struct maker *m, const char *text, unsigned kind, unsigned vlen, bool flag,
		     uint32_t size)
{
	put32(m->types, name(m, text));
	put32(m->types, vlen | kind << 24 | (uint32_t)flag << 31);
	put32(m->types, size);
	if (kind == INT)
		put32(m->types, size * 8);
	return ++m->n;
}

static void member(struct maker *m, const char *text, uint32_t id, uint32_t offset)
{
	put32(m->types, name(m, text));
	put32(m->types, id);
	put32(m->types, offset);
}

static GByteArray *finish(struct maker *m)
{
	GByteArray *out = g_byte_array_new();

	g_byte_array_append(out, (const guint8 *)"\x9f\xeb\1\0", 4);
	put32(out, 24);
	put32(out, 0);
	put32(out, m->types->len);
	put32(out, m->types->len);
	put32(out, m->strings->len);
	g_byte_array_append(out, m->types->data, m->types->len);
	g_byte_array_append(out, m->strings->data, m->strings->len);
	g_byte_array_unref(m->types);
	g_byte_array_unref(m->strings);
	return out;
}

/* Offsets as in no kernel, so that none can be hard-wired. */
static GByteArray *make_btf(const char *state_name)
{
	struct maker m = { g_byte_array_new(), g_byte_array_new(), 0 };
	uint32_t u32, u64, list, thread, inner, typedefed;

	name(&m, "");
	u32 = type(&m, "unsigned int", INT, 0, false, 4);
	u64 = type(&m, "unsigned long", INT, 0, false, 8);
	list = type(&m, "list_head", STRUCT, 2, false, 16);
	member(&m, "next", u64, 0);
	member(&m, "prev", u64, 64);
	thread = type(&m, "thread_struct", STRUCT, 1, false, 32);
	member(&m, "sp", u64, 16 * 8);
	typedefed = type(&m, "thread_t", TYPEDEF, 0, false, thread);
	typedefed = type(&m, "", VOLATILE, 0, false, typedefed);
	inner = type(&m, "", UNION, 2, false, 8);
	member(&m, "pid", u32, 0);
	member(&m, "tgid_alias", u32, 0);
	type(&m, "task_struct", STRUCT, 8, true, 256);
	member(&m, state_name, u32, 24 * 8);
	member(&m, "flag", u32, 1 << 24 | 240);
	member(&m, "tasks", list, 32 * 8);
	member(&m, "", inner, 48 * 8);
	member(&m, "thread", typedefed, 64 * 8);
	member(&m, "comm", u64, 96 * 8);
	member(&m, "signal", u64, 112 * 8);
	member(&m, "thread_node", list, 120 * 8);
	type(&m, "signal_struct", STRUCT, 1, false, 64);
	member(&m, "thread_head", list, 16 * 8);
	type(&m, "inactive_task_frame", STRUCT, 2, false, 56);
	member(&m, "bp", u64, 40 * 8);
	member(&m, "ret_addr", u64, 48 * 8);
	return finish(&m);
}

static void test_offsets(void **state)
{
	static const struct {
		const char *type, *member;
		int want;	/* -1: none */
	} cases[] = {
		{ "task_struct", "comm", 96 },	     { "task_struct", "pid", 48 },
		{ "task_struct", "tgid_alias", 48 }, { "task_struct", "thread.sp", 80 },
		{ "task_struct", "tasks.prev", 40 }, { "list_head", "next", 0 },
		{ "task_struct", "flag", -1 },	     { "task_struct", "thread.", -1 },
		{ "task_struct", "", -1 },	     { "task_struct", "comm.x", -1 },
		{ "no_such", "comm", -1 },	     { "task_struct", "nothing", -1 },
	};
	g_autoptr(GByteArray) bytes = make_btf("__state");
	g_autoptr(btf) b = btf_new(bytes->data, bytes->len);

	assert_non_null(b);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		uint32_t at = 0;
		bool found = btf_offset(b, cases[i].type, cases[i].member, &at);

		if (found != (cases[i].want >= 0) || (found && (int)at != cases[i].want))
			fail_msg("%s.%s: %d at %u", cases[i].type, cases[i].member, found, at);
	}
	assert_int_equal(btf_size(b, "task_struct"), 256);
	assert_int_equal(btf_size(b, "unsigned int"), 0);
}

static void test_damaged(void **state)
{
	g_autoptr(GByteArray) bytes = make_btf("state");
	g_autoptr(GRand) random = g_rand_new_with_seed(5);

	for (size_t len = 0; len < bytes->len; len++)
		assert_null(btf_new(bytes->data, len));
	for (unsigned i = 0; i < 5000; i++) {
		g_autofree guint8 *copy = g_memdup2(bytes->data, bytes->len);
		g_autoptr(btf) b = NULL;
		uint32_t at;

		copy[g_rand_int_range(random, 0, bytes->len)] ^= 1 << i % 8;
		copy[g_rand_int_range(random, 0, bytes->len)] = i;
		b = btf_new(copy, bytes->len);
		if (b) {
			btf_offset(b, "task_struct", "thread.sp", &at);
			btf_offset(b, "task_struct", "pid", &at);
		}
	}
}

/* --- tasks ------------------------------------------------------------------------------------- */

#define BASE UINT64_C(0xffff888000000000)
#define INIT_TASK (BASE + 0x000)

struct world {
	uint8_t bytes[8192];
	struct kallsym sym;
	struct kallsyms kallsyms;
	struct facts facts;
	struct unwind_env env;
	GByteArray *btf;
};

static bool read_world(void *user, uint64_t addr, void *buf, size_t len)
{
	struct world *w = user;

	if (addr < BASE || addr - BASE + len > sizeof(w->bytes))
		return false;
	memcpy(buf, w->bytes + (addr - BASE), len);
	return true;
}

static void put(struct world *w, uint64_t addr, uint64_t value, size_t len)
{
	memcpy(w->bytes + (addr - BASE), &value, len);
}

static void world_init(struct world *w, const char *state_name)
{
	*w = (struct world){ .sym = { INIT_TASK, "init_task", 'D' } };
	w->btf = make_btf(state_name);
	w->kallsyms = (struct kallsyms){ .n = 1, .sym = &w->sym };
	w->facts.kallsyms = &w->kallsyms;
	w->facts.btf = btf_new(w->btf->data, w->btf->len);
	w->env = (struct unwind_env){ .read = read_world, .user = w };
}

static void world_clear(struct world *w)
{
	btf_free(w->facts.btf);
	g_byte_array_unref(w->btf);
}

/* Links behind `prev`; its one thread is itself, unless more are linked in. */
static void add_task(struct world *w, uint64_t at, uint64_t prev, int pid, uint32_t state,
		     const char *comm)
{
	uint64_t signal = at + 256, sp = at + 384;

	put(w, prev + 32, at + 32, 8);
	put(w, at + 32, INIT_TASK + 32, 8);
	put(w, at + 48, pid, 4);
	put(w, at + 24, state, 4);
	put(w, at + 112, signal, 8);
	put(w, signal + 16, at + 120, 8);
	put(w, at + 120, signal + 16, 8);
	put(w, at + 80, sp, 8);
	put(w, sp + 40, 0x1234, 8);
	put(w, sp + 48, 0xffffffff81000100, 8);
	memcpy(w->bytes + (at + 96 - BASE), comm, strlen(comm) + 1);
}

static void test_tasks(void **unused)
{
	static const char *const state_names[] = { "__state", "state" };

	for (size_t i = 0; i < G_N_ELEMENTS(state_names); i++) {
		uint64_t a = BASE + 0x400, b = BASE + 0x800, c = BASE + 0xc00;
		g_autoptr(GArray) tasks = NULL;
		const struct task_view *t;
		const char *why = "";
		struct world w;

		world_init(&w, state_names[i]);
		add_task(&w, a, INIT_TASK, 1, 1, "init");
		add_task(&w, b, a, 7, 2, "evil\n\x01name");
		add_task(&w, c, b, 9, 0x402, "kworker");
		/* a second thread of b */
		add_task(&w, BASE + 0x1000, c, 8, 2, "thread");
		put(&w, c + 32, INIT_TASK + 32, 8);
		put(&w, b + 120, BASE + 0x1000 + 120, 8);
		put(&w, BASE + 0x1000 + 120, b + 256 + 16, 8);
		tasks = tasks_read(&w.facts, &w.env, &why);
		assert_non_null(tasks);
		assert_int_equal(tasks->len, 4);
		t = (const struct task_view *)tasks->data;
		assert_string_equal(t[0].comm, "init");
		assert_false(t[0].blocked);
		assert_true(t[0].regs.called);
		assert_int_equal(t[0].regs.ip, 0xffffffff81000100);
		assert_int_equal(t[0].regs.bp, 0x1234);
		assert_int_equal(t[0].regs.sp, a + 384 + 56);
		assert_string_equal(t[1].comm, "evil??name");
		assert_true(t[1].blocked);
		assert_string_equal(t[2].comm, "thread");
		assert_int_equal(t[2].pid, 8);
		assert_true(t[2].blocked);
		assert_false(t[3].blocked);	/* an idle kernel thread */
		world_clear(&w);
	}
}

static void test_tasks_hostile(void **unused)
{
	uint64_t a = BASE + 0x400;
	g_autoptr(GArray) loop = NULL;
	const char *why = "";
	struct world w;

	world_init(&w, "__state");
	assert_null(tasks_read(&w.facts, &w.env, &why));
	assert_string_equal(why, "its list of tasks cannot be read");
	add_task(&w, a, INIT_TASK, 1, 1, "loop");
	put(&w, a + 32, a + 32, 8);	/* a list that never comes back */
	loop = tasks_read(&w.facts, &w.env, &why);
	assert_int_equal(loop->len, TASKS_WALKED_MAX);
	g_clear_pointer(&w.facts.btf, btf_free);
	assert_null(tasks_read(&w.facts, &w.env, &why));
	assert_string_equal(why, "the kernel has no BTF (CONFIG_DEBUG_INFO_BTF)");
	assert_null(tasks_read(NULL, &w.env, &why));
	world_clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_tasks),
		cmocka_unit_test(test_tasks_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
