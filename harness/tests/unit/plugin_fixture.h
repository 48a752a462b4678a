/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QEMU of the size that the plugin needs: this executable exports the plugin API's functions and
 * loads the plugin as QEMU does. Tests play its vCPUs, one after the other; what happens while a
 * vCPU sleeps happens in `while_asleep`. Time is a variable, which the plugin's own calls move.
 */
#ifndef KLAB_TESTS_PLUGIN_FIXTURE_H
#define KLAB_TESTS_PLUGIN_FIXTURE_H

#include "amplify/page.h"
#include "amplify/qemu_plugin.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define EXPORTED __attribute__((visibility("default")))
#define INSNS_MAX 64
#define ID 77

struct qemu_plugin_insn {
	uint64_t pc;
	uint8_t bytes[16];
	size_t len;
	struct {
		qemu_plugin_exec *cb;
		void *udata;
	} exec[4];
	struct {
		qemu_plugin_access *cb;
		void *udata;
	} access[4];
	unsigned n_exec, n_access;
};

struct qemu_plugin_tb {
	size_t n;
	struct qemu_plugin_insn insn[INSNS_MAX];
};

static struct {
	int api;
	void *plugin;
	int (*install)(qemu_plugin_id_t, const struct qemu_info *, int, char **);
	int fd;
	struct amp_page *page;
	qemu_plugin_two_words *translate, *resume;
	qemu_plugin_one_word *reset; /* queued */
	unsigned n_resets;	     /* asked for */
	uint64_t now_ns;
	bool time_is_ours;
	void (*while_asleep)(void);
	uint64_t slept_ns;
} qemu;

/* --- what the plugin calls ------------------------------------------------------------------- */

EXPORTED void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, qemu_plugin_two_words *cb,
						    void *udata)
{
	assert_int_equal(id, ID);
	qemu.translate = cb;
}

EXPORTED void qemu_plugin_register_vcpu_resume_cb(qemu_plugin_id_t id, qemu_plugin_two_words *cb,
						  void *udata)
{
	assert_int_equal(id, ID);
	qemu.resume = cb;
}

EXPORTED void qemu_plugin_reset(qemu_plugin_id_t id, qemu_plugin_one_word *cb, void *udata)
{
	assert_int_equal(id, ID);
	assert_null(qemu.reset);
	qemu.reset = cb;
	qemu.n_resets++;
}

EXPORTED size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb)
{
	return tb->n;
}

EXPORTED struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i)
{
	assert_true(i < tb->n);
	return (struct qemu_plugin_insn *)&tb->insn[i];
}

EXPORTED uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn)
{
	return insn->pc;
}

EXPORTED size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *dest, size_t len)
{
	len = MIN(len, insn->len);
	memcpy(dest, insn->bytes, len);
	return len;
}

EXPORTED void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
						     qemu_plugin_exec *cb, int flags, void *udata)
{
	assert_true(insn->n_exec < G_N_ELEMENTS(insn->exec));
	insn->exec[insn->n_exec].cb = cb;
	insn->exec[insn->n_exec++].udata = udata;
}

EXPORTED void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
					       qemu_plugin_access *cb, int flags, int rw,
					       void *udata)
{
	assert_int_equal(rw, QEMU_PLUGIN_MEM_RW);
	assert_true(insn->n_access < G_N_ELEMENTS(insn->access));
	insn->access[insn->n_access].cb = cb;
	insn->access[insn->n_access++].udata = udata;
}

EXPORTED bool qemu_plugin_mem_is_store(uint32_t info)
{
	return info & 1;
}

/* --- the time, for the plugin and everybody here --------------------------------------------- */

EXPORTED int clock_gettime(clockid_t clock, struct timespec *ret)
{
	if (!qemu.time_is_ours || clock != CLOCK_MONOTONIC)
		return syscall(SYS_clock_gettime, clock, ret);
	qemu.now_ns += 100;
	ret->tv_sec = qemu.now_ns / 1000000000;
	ret->tv_nsec = qemu.now_ns % 1000000000;
	return 0;
}

EXPORTED int nanosleep(const struct timespec *ts, struct timespec *left)
{
	uint64_t ns = ts->tv_sec * UINT64_C(1000000000) + ts->tv_nsec;

	if (!qemu.time_is_ours)
		return syscall(SYS_nanosleep, ts, left);
	if (qemu.while_asleep)
		qemu.while_asleep();
	qemu.slept_ns += ns;
	qemu.now_ns += ns;
	return 0;
}

/* --- what QEMU does -------------------------------------------------------------------------- */

/* A page as the lab makes it, with one order given. */
static int qemu_new_page(void)
{
	qemu.fd = memfd_create("page", MFD_CLOEXEC);
	assert_true(qemu.fd >= 0);
	assert_int_equal(ftruncate(qemu.fd, sizeof(*qemu.page)), 0);
	qemu.page = mmap(NULL, sizeof(*qemu.page), PROT_READ | PROT_WRITE, MAP_SHARED, qemu.fd, 0);
	assert_ptr_not_equal(qemu.page, MAP_FAILED);
	qemu.page->magic = AMP_MAGIC;
	qemu.page->size = sizeof(*qemu.page);
	qemu.page->seed = 1;
	qemu.page->wanted = 1;
	qemu.page->duty_percent[0] = AMP_DUTY_MAX;
	return 0;
}

static int qemu_load(const char *arg)
{
	struct qemu_info info = { "x86_64", { MIN(qemu.api, 2), qemu.api } };
	char *argv[] = { (char *)arg, NULL };

	qemu.plugin = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
	if (!qemu.plugin)
		fail_msg("%s", dlerror());
	assert_int_equal(*(int *)dlsym(qemu.plugin, "qemu_plugin_version"), 4);
	*(void **)&qemu.install = dlsym(qemu.plugin, "qemu_plugin_install");
	assert_non_null(qemu.install);
	return qemu.install(ID, &info, arg ? 1 : 0, argv);
}

static void qemu_start(void)
{
	char arg[32];

	g_snprintf(arg, sizeof(arg), "page=%d", qemu.fd);
	assert_int_equal(qemu_load(arg), 0);
}

static int qemu_setup(void **state)
{
	int api = qemu.api;

	memset(&qemu, 0, sizeof(qemu));
	qemu.api = api;
	qemu.now_ns = 1000000000;
	qemu.time_is_ours = true;
	return qemu_new_page();
}

static int qemu_teardown(void **state)
{
	qemu.time_is_ours = false;
	if (qemu.plugin)
		dlclose(qemu.plugin);
	munmap(qemu.page, sizeof(*qemu.page));
	close(qemu.fd);
	return 0;
}

/* n instructions of 4 bytes from pc on, translated. */
static struct qemu_plugin_tb *qemu_translate(struct qemu_plugin_tb *tb, uint64_t pc, size_t n)
{
	tb->n = n;
	for (size_t i = 0; i < n; i++) {
		tb->insn[i].pc = pc + 4 * i;
		tb->insn[i].n_exec = tb->insn[i].n_access = 0;
	}
	if (qemu.translate && qemu.api < QEMU_PLUGIN_API_UDATA)
		qemu.translate(ID, (uintptr_t)tb);
	else if (qemu.translate)
		qemu.translate((uintptr_t)tb, 0);
	return tb;
}

static void qemu_resume(unsigned vcpu)
{
	if (qemu.resume && qemu.api < QEMU_PLUGIN_API_UDATA)
		qemu.resume(ID, vcpu);
	else if (qemu.resume)
		qemu.resume(vcpu, 0);
}

static void qemu_exec(unsigned vcpu, struct qemu_plugin_insn *insn)
{
	for (unsigned i = 0; i < insn->n_exec; i++)
		insn->exec[i].cb(vcpu, insn->exec[i].udata);
}

static void qemu_access(unsigned vcpu, struct qemu_plugin_insn *insn, uint64_t addr, bool store)
{
	for (unsigned i = 0; i < insn->n_access; i++)
		insn->access[i].cb(vcpu, store, addr, insn->access[i].udata);
}

/* All vCPUs have stopped; what was translated must not be used afterwards. */
static bool qemu_stop_the_world(void)
{
	qemu_plugin_one_word *cb = qemu.reset;

	if (!cb)
		return false;
	qemu.reset = NULL;
	qemu.translate = qemu.resume = NULL;
	cb(qemu.api < QEMU_PLUGIN_API_UDATA ? ID : 0);
	return true;
}

/* Give an order, and have it taken over. */
static void qemu_order(void)
{
	qemu.page->wanted++;
	qemu_resume(0);
	assert_true(qemu_stop_the_world());
	assert_int_equal(qemu.page->applied, qemu.page->wanted);
}

#define TEXT UINT64_C(0xffffffff81000000)
#define DATA UINT64_C(0xffff888000001000)

static struct qemu_plugin_tb tb;

#define unit(test) cmocka_unit_test_setup_teardown(test, qemu_setup, qemu_teardown)

/* All tests by the oldest calling convention and by the newest; how many failed. */
static int qemu_run_all(const struct CMUnitTest *tests, size_t n)
{
	int failed;

	qemu.api = QEMU_PLUGIN_API_OLDEST;
	failed = _cmocka_run_group_tests("api 4", tests, n, NULL, NULL);
	qemu.api = QEMU_PLUGIN_API_UDATA;
	return failed + _cmocka_run_group_tests("api 7", tests, n, NULL, NULL);
}
#define qemu_run(tests) qemu_run_all(tests, G_N_ELEMENTS(tests))

#endif
