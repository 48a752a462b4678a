// SPDX-License-Identifier: GPL-2.0-or-later
/* The gdb stub's protocol: packets in any pieces, hostile ones, and what is asked for a register. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "guest/gdbstub.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_parse(void **state)
{
	static const struct {
		const char *bytes;
		enum gdb_parse want;
		const char *payload;
		size_t used;
	} cases[] = {
		{ "", GDB_MORE, NULL, 0 },
		{ "+", GDB_MORE, NULL, 1 },
		{ "+++++", GDB_MORE, NULL, 5 },
		{ "$", GDB_MORE, NULL, 0 },
		{ "+$OK", GDB_MORE, NULL, 1 },
		{ "$OK#", GDB_MORE, NULL, 0 },
		{ "$OK#9", GDB_MORE, NULL, 0 },
		{ "$OK#9a", GDB_PACKET, "OK", 6 },
		{ "+$OK#9A", GDB_PACKET, "OK", 7 },
		{ "-+x$OK#9a$E01#", GDB_PACKET, "OK", 9 },
		{ "$#00", GDB_PACKET, "", 4 },
		{ "$OK#9b", GDB_GARBAGE, NULL, 6 },
		{ "$OK#zz", GDB_GARBAGE, NULL, 6 },
	};
	char payload[GDB_PACKET_MAX];

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		size_t used = 99;
		enum gdb_parse got = gdb_packet_parse(cases[i].bytes, strlen(cases[i].bytes),
						      payload, &used);

		if (got != cases[i].want || used != cases[i].used)
			fail_msg("'%s': %d, %zu used", cases[i].bytes, got, used);
		if (got == GDB_PACKET)
			assert_string_equal(payload, cases[i].payload);
	}
}

static void test_limits(void **state)
{
	g_autofree char *longest = g_strnfill(GDB_PACKET_MAX - 5, 'x');
	g_autofree char *longer = g_strnfill(GDB_PACKET_MAX - 4, 'x');
	g_autofree char *endless = g_strnfill(GDB_PACKET_MAX, '$');
	char packet[GDB_PACKET_MAX], payload[GDB_PACKET_MAX];
	size_t used;

	assert_int_equal(gdb_packet_make(packet, longer), 0);
	assert_int_equal(gdb_packet_make(packet, longest), GDB_PACKET_MAX - 1);
	assert_int_equal(gdb_packet_parse(packet, GDB_PACKET_MAX - 1, payload, &used), GDB_PACKET);
	assert_string_equal(payload, longest);
	assert_int_equal(gdb_packet_parse(endless, GDB_PACKET_MAX, payload, &used), GDB_GARBAGE);
	assert_int_equal(used, 1);
}

/* The other end, scripted: everything it will ever say is there before we ask. */
static void stub(int pair[2], const char *script)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(write(pair[1], script, strlen(script)), strlen(script));
}

static char *said(int fd)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	return g_strndup(buf, MAX(n, 0));
}

static void test_set(void **state)
{
	const struct guest_cpu_set sets[] = { { 1, 0xffffffff81a5c3ab, 0x246 }, { 10, 0, 0x46 } };
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	struct gdb gdb = { .timeout_ms = 1000 };
	int pair[2];

	stub(pair, "+$OK#9a+$OK#9a+$OK#9a+$OK#9a+$OK#9a+$OK#9a+$OK#9a");
	gdb.fd = pair[0];
	assert_true(gdb_set_cpus(&gdb, sets, 2, &error));
	text = said(pair[1]);
	assert_string_equal(text, "$Hg2#e1+$P10=abc3a581ffffffff#76+$P11=46020000#7b+"
				  "$Hgb#11+$P10=0000000000000000#ee+$P11=46000000#79+$D#44+");
	close(pair[0]);
	close(pair[1]);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *script, *word;
	} cases[] = {
		{ "+$E22#a9", "answers 'E22' to 'Hg1'" },
		{ "+$OK#9a+$#00", "answers '' to 'P10=" },
		{ "+$OK#9b", "a torn answer to 'Hg1'" },
		{ "+$OK#", "no answer to 'Hg1' in 50 ms" },
		{ "", "no answer to 'Hg1' in 50 ms" },
	};
	const struct guest_cpu_set set = { 0, 0, 2 };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct gdb gdb = { .timeout_ms = 50 };
		g_autoptr(GError) error = NULL;
		int pair[2];

		stub(pair, cases[i].script);
		gdb.fd = pair[0];
		assert_false(gdb_set_cpus(&gdb, &set, 1, &error));
		if (!strstr(error->message, cases[i].word))
			fail_msg("'%s': %s", cases[i].script, error->message);
		close(pair[0]);
		close(pair[1]);
	}
}

static void test_gone(void **state)
{
	char answer[GDB_PACKET_MAX];
	g_autoptr(GError) error = NULL;
	struct gdb gdb = { .timeout_ms = 10000 };
	int pair[2];

	stub(pair, "+");
	close(pair[1]);
	gdb.fd = pair[0];
	assert_false(gdb_ask(&gdb, "D", answer, &error));
	assert_non_null(error);
	close(pair[0]);
}

/* What QEMU's end of its monitor gets: the descriptor, and a command that names it. */
static void test_send_fd(void **state)
{
	static const char answer[] = "{\"return\": {}, \"id\": 1}\n";
	char control[CMSG_SPACE(sizeof(int))], text[256] = "";
	struct iovec io = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int monitor[2], pipe_fd[2], got;
	struct qmp q;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, monitor), 0);
	assert_int_equal(pipe(pipe_fd), 0);
	assert_int_equal(write(monitor[1], answer, strlen(answer)), strlen(answer));
	qmp_init(&q, monitor[0]);
	assert_true(qmp_send_fd(&q, "klab-gdb", pipe_fd[1], 1000, NULL));
	assert_true(recvmsg(monitor[1], &msg, 0) > 0);
	assert_non_null(CMSG_FIRSTHDR(&msg));
	assert_int_equal(CMSG_FIRSTHDR(&msg)->cmsg_type, SCM_RIGHTS);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(got));
	assert_int_equal(write(got, "x", 1), 1);
	assert_int_equal(read(pipe_fd[0], text, 1), 1);
	assert_true(recv(monitor[1], text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	assert_non_null(strstr(text, "\"getfd\""));
	assert_non_null(strstr(text, "\"klab-gdb\""));
	qmp_clear(&q);
	for (int i = 0; i < 2; i++) {
		close(monitor[i]);
		close(pipe_fd[i]);
	}
	close(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),	 cmocka_unit_test(test_limits),
		cmocka_unit_test(test_set),	 cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_send_fd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
