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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_registers_total),
		cmocka_unit_test(test_qmp_talk),
		cmocka_unit_test(test_qmp_silence_and_close),
		cmocka_unit_test(test_initramfs),
	};
	g_autofree char *cache = g_dir_make_tmp("klab-test-XXXXXX", NULL);

	g_setenv("XDG_CACHE_HOME", cache, TRUE);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	fs_remove(cache, NULL);
	return failed;
}
