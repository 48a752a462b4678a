// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's edge without a guest: register text, the monitor's protocol, the initramfs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/fs.h"
#include "guest/initramfs.h"
#include "guest/qmp.h"
#include "guest/regs.h"
#include "guest/vcpus.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/socket.h>

static const char registers[] =
	"\r\nCPU#0\r\n"
	"RAX=0000000000000001 RBX=0 RCX=0 RDX=0\r\n"
	"RSI=00000000000000aa RDI=ffffffff8341b2c0 RBP=ffffc90000003e10 RSP=fffffe0000009e48\r\n"
	"RIP=ffffffff8139c76c RFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0\r\n"
	"ES =0000 0000000000000000 ffffffff 00c00000\r\n"
	"GS =0000 ffff888023200000 00000000 00000000\r\n"
	"CPU#1\r\n"
	"RSI=0 RDI=0 RBP=0 RSP=ffffc9000006feb8\r\n"
	"RIP=ffffffff81a5c3ab RFL=00000246 [---Z-P-] CPL=3 II=0 A20=1 SMM=0 HLT=1\r\n"
	"GS =0000 ffff888023240000 00000000 00000000\r\n";

static void test_registers(void **state)
{
	struct guest_regs regs[3];

	assert_int_equal(regs_parse(registers, regs, 3), 2);
	assert_true(regs[0].rip == 0xffffffff8139c76c && regs[0].rdi == 0xffffffff8341b2c0);
	assert_true(regs[0].rflags == 2 && regs[0].cpl == 0 && !regs[0].halted);
	assert_true(regs[0].gs_base == 0xffff888023200000);
	assert_true(regs[1].rsp == 0xffffc9000006feb8 && regs[1].halted && regs[1].cpl == 3);
	assert_true(regs[2].rip == 0);
}

static void test_registers_total(void **state)
{
	struct guest_regs regs[2];

	for (size_t len = 0; len < strlen(registers); len++) {
		g_autofree char *cut = g_strndup(registers, len);

		assert_true(regs_parse(cut, regs, 2) <= 2);
	}
	assert_int_equal(regs_parse("CPU#99999999999 RIP=1 CPU#", regs, 2), 0);
}

/* The other end of a monitor, scripted: everything it will ever say is there before we ask. */
static void monitor(struct qmp *q, int pair[2], const char *script)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(write(pair[1], script, strlen(script)), strlen(script));
	qmp_init(q, pair[0]);
}

static void monitor_end(struct qmp *q, int pair[2])
{
	qmp_clear(q);
	close(pair[0]);
	close(pair[1]);
}

static void test_qmp_talk(void **state)
{
	struct qmp q;
	int pair[2];
	json_t *ret = NULL, *event;

	monitor(&q, pair, "{\"QMP\": {}}\n{\"return\": {}, \"id\": 1}\n"
			  "{\"event\": \"RESET\"}\nnoise\n{\"return\": 1, \"id\": 77}\n"
			  "{\"return\": {\"running\": true}, \"id\": 2}\n"
			  "{\"error\": {\"desc\": \"no\"}, \"id\": 3}\n");
	assert_true(qmp_handshake(&q, 1000, NULL));
	assert_true(qmp_command(&q, "query-status", NULL, 1000, &ret, NULL));
	assert_true(json_is_true(json_object_get(ret, "running")));
	json_decref(ret);
	event = qmp_event(&q);
	assert_string_equal(json_string_value(json_object_get(event, "event")), "RESET");
	json_decref(event);
	assert_null(qmp_event(&q));

	g_autoptr(GError) error = NULL;

	assert_false(qmp_command(&q, "quit", NULL, 1000, NULL, &error));
	assert_non_null(strstr(error->message, "refused 'quit': no"));
	monitor_end(&q, pair);
}

static void test_qmp_silence_and_close(void **state)
{
	struct qmp q;
	int pair[2];
	g_autoptr(GError) late = NULL, gone = NULL;

	monitor(&q, pair, "{\"QMP\": {");
	assert_false(qmp_handshake(&q, 30, &late));
	assert_true(g_error_matches(late, LAB_ERROR, LAB_ERROR_TIMEOUT));
	shutdown(pair[1], SHUT_RDWR);
	assert_false(qmp_handshake(&q, 1000, &gone));
	assert_true(g_error_matches(gone, LAB_ERROR, LAB_ERROR_INFRA));
	monitor_end(&q, pair);
}

static void test_initramfs(void **state)
{
	static const char agent[] = "#!agent";
	g_autofree char *path = NULL, *again = NULL, *sha = NULL, *sha_again = NULL;
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	unsigned seen = 0;

	assert_true(initramfs_get(agent, sizeof(agent), &path, &sha, NULL));
	assert_true(initramfs_get(agent, sizeof(agent), &again, &sha_again, NULL));
	assert_string_equal(sha, sha_again);
	archive_read_support_format_cpio(a);
	assert_int_equal(archive_read_open_filename(a, path, 10240), ARCHIVE_OK);
	while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
		seen++;
		if (strcmp(archive_entry_pathname(entry), "init") == 0) {
			assert_int_equal(archive_entry_size(entry), sizeof(agent));
			assert_int_equal(archive_entry_perm(entry), 0755);
		}
	}
	assert_int_equal(seen, 3);
	archive_read_free(a);
	/* damage in the cache is mended, not booted */
	assert_true(fs_write(path, "x", 1, NULL));
	g_free(again);
	g_free(sha_again);
	assert_true(initramfs_get(agent, sizeof(agent), &again, &sha_again, NULL));
	g_autofree char *mended = fs_sha256(path, NULL);

	assert_string_equal(mended, sha);
}

/* --- a monitor whose socket is somebody else's --------------------------------------------------- */

struct holder {
	const char *answer;	/* NULL: it fails */
	char *asked;
	int fd;
};

static char *hold(void *user, const char *command, int fd, int timeout_ms, GError **error)
{
	struct holder *h = user;

	g_free(h->asked);
	h->asked = g_strdup(command);
	h->fd = fd;
	if (!h->answer)
		lab_fail(error, LAB_ERROR_TIMEOUT, "nobody is there");
	return g_strdup(h->answer);
}

static void test_monitor_by_another(void **state)
{
	static const char *const garbage[] = { "", "[]", "nonsense", "{\"return\"" };
	struct holder h = { .answer = "{\"return\": {\"a\": 1}}" };
	g_autoptr(GError) error = NULL;
	struct qmp q;
	json_t *ret = NULL;

	qmp_init_by(&q, hold, &h);
	assert_true(qmp_command(&q, "x", json_pack("{s:i}", "n", 1), 100, &ret, NULL));
	assert_int_equal(json_integer_value(json_object_get(ret, "a")), 1);
	json_decref(ret);
	/* it numbers commands itself, and refuses ours */
	assert_string_equal(h.asked, "{\"execute\":\"x\",\"arguments\":{\"n\":1}}");
	assert_int_equal(h.fd, -1);
	assert_true(qmp_send_fd(&q, "dump", 7, 100, NULL));
	assert_string_equal(h.asked, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"dump\"}}");
	assert_int_equal(h.fd, 7);
	h.answer = "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}";
	assert_false(qmp_command(&q, "x", NULL, 100, NULL, &error));
	assert_string_equal(error->message, "QEMU refused 'x': no");
	g_clear_error(&error);
	h.answer = NULL;
	assert_null(qmp_human(&q, "info", 100, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_TIMEOUT));
	for (size_t i = 0; i < G_N_ELEMENTS(garbage); i++) {
		h.answer = garbage[i];
		assert_false(qmp_command(&q, "x", NULL, 100, NULL, NULL));
	}
	qmp_clear(&q);
	g_free(h.asked);
}

/* --- scheduling of vCPUs ------------------------------------------------------------------------- */

static void test_vcpus(void **state)
{
	struct guest_sched sched;
	struct vcpus v;
	pid_t tid;

	vcpus_init(&v, 2);
	assert_int_equal(vcpus_threads(&v, &tid, 1), 0);
	/* what was before the first reading is not counted as waiting */
	vcpus_take(&v, 0, 1000, 500);
	vcpus_take(&v, 1, 1000, 0);
	vcpus_done(&v, 1000000, &sched);
	assert_true(sched.run_us == 2000 && sched.delay_us == 0 && !sched.paused);
	/* of 10 ms, a quarter of the wish to run was waiting */
	vcpus_take(&v, 0, 4000, 2500);
	vcpus_take(&v, 1, 4000, 0);
	vcpus_done(&v, 1010000, &sched);
	assert_true(sched.run_us == 8000 && sched.delay_us == 2500);
	/* a thread that is gone keeps its last reading; nobody waited */
	vcpus_done(&v, 1020000, &sched);
	assert_true(sched.run_us == 8000 && sched.delay_us == 2500);
	vcpus_clear(&v);
}

static void test_vcpu_threads_of_this_host(void **state)
{
	struct holder h = { 0 };
	g_autofree char *answer = g_strdup_printf("{\"return\": [{\"cpu-index\": 0, \"thread-id\": "
						  "%d}]}", getpid());
	struct guest_sched a, b;
	struct vcpus v = { 0 };
	struct qmp q;
	pid_t tid = 0;

	h.answer = answer;
	qmp_init_by(&q, hold, &h);
	assert_true(vcpus_learn(&v, &q, 100, NULL));
	assert_int_equal(vcpus_threads(&v, &tid, 4), 1);
	assert_int_equal(tid, getpid());
	vcpus_read(&v, &a);
	for (volatile unsigned i = 0; i < 20000000; i++)
		;
	vcpus_read(&v, &b);
	assert_true(b.run_us > a.run_us && b.delay_us >= a.delay_us);
	vcpus_clear(&v);
	qmp_clear(&q);
	g_free(h.asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_registers_total),
		cmocka_unit_test(test_qmp_talk),
		cmocka_unit_test(test_qmp_silence_and_close),
		cmocka_unit_test(test_monitor_by_another),
		cmocka_unit_test(test_vcpus),
		cmocka_unit_test(test_vcpu_threads_of_this_host),
		cmocka_unit_test(test_initramfs),
	};
	g_autofree char *cache = g_dir_make_tmp("klab-test-XXXXXX", NULL);

	g_setenv("XDG_CACHE_HOME", cache, TRUE);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	fs_remove(cache, NULL);
	return failed;
}
