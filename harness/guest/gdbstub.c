// SPDX-License-Identifier: GPL-2.0-or-later
/* A client of QEMU's gdb stub that does one thing: set RIP and RFLAGS. See gdbstub.h. */
#include "guest/gdbstub.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Register numbers of the stub's x86-64 description (gdb-xml/i386-64bit.xml). */
enum { GDB_RIP = 16, GDB_EFLAGS = 17 };

static unsigned checksum(const char *text, size_t len)
{
	unsigned sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += (uint8_t)text[i];
	return sum & 0xff;
}

size_t gdb_packet_make(char *buf, const char *payload)
{
	size_t len = strlen(payload);

	if (len + 5 > GDB_PACKET_MAX)
		return 0;
	return g_snprintf(buf, GDB_PACKET_MAX, "$%s#%02x", payload, checksum(payload, len));
}

enum gdb_parse gdb_packet_parse(const char *buf, size_t len, char *ret, size_t *ret_used)
{
	const char *start = memchr(buf, '$', len);
	size_t skip = start ? (size_t)(start - buf) : len, left = start ? len - skip - 1 : 0;
	const char *hash = start ? memchr(start + 1, '#', left) : NULL;
	size_t n = hash ? (size_t)(hash - start - 1) : left;
	int high, low;

	*ret_used = skip;
	if (!start || (!hash && n < GDB_PACKET_MAX - 4))
		return GDB_MORE;
	if (!hash || n > GDB_PACKET_MAX - 5) {
		*ret_used += 1;	/* the next '$' may begin a packet */
		return GDB_GARBAGE;
	}
	if (left < n + 3)
		return GDB_MORE;
	*ret_used += n + 4;
	high = g_ascii_xdigit_value(hash[1]);
	low = g_ascii_xdigit_value(hash[2]);
	if (high < 0 || low < 0 || (unsigned)(high * 16 + low) != checksum(start + 1, n))
		return GDB_GARBAGE;
	memcpy(ret, start + 1, n);
	ret[n] = '\0';
	return GDB_PACKET;
}

static bool send_all(int fd, const char *data, size_t len, GError **error)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, data + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return lab_fail_errno(error, "QEMU's gdb stub: cannot send");
		done += n > 0 ? n : 0;
	}
	return true;
}

/* Take in what comes until `deadline_us`; false at the deadline, at the end, or when it is full. */
static bool take_more(struct gdb *gdb, int64_t deadline_us)
{
	struct pollfd pfd = { .fd = gdb->fd, .events = POLLIN };
	int64_t left_us = deadline_us - g_get_monotonic_time();
	ssize_t n;

	if (left_us <= 0 || gdb->len == sizeof(gdb->in) ||
	    (poll(&pfd, 1, left_us / 1000 + 1) < 0 && errno != EINTR))
		return false;
	n = recv(gdb->fd, gdb->in + gdb->len, sizeof(gdb->in) - gdb->len, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return false;
	gdb->len += n > 0 ? n : 0;
	return true;
}

bool gdb_ask(struct gdb *gdb, const char *payload, char *ret, GError **error)
{
	int64_t deadline_us = g_get_monotonic_time() + gdb->timeout_ms * INT64_C(1000);
	char out[GDB_PACKET_MAX];
	size_t n = gdb_packet_make(out, payload), used;

	if (!n)
		return lab_fail(error, LAB_ERROR_INFRA, "QEMU's gdb stub: a packet is too long");
	if (!send_all(gdb->fd, out, n, error))
		return false;
	do {
		enum gdb_parse got = gdb_packet_parse(gdb->in, gdb->len, ret, &used);

		gdb->len -= used;
		memmove(gdb->in, gdb->in + used, gdb->len);
		if (got == GDB_PACKET)
			return send_all(gdb->fd, "+", 1, error);
		if (got == GDB_GARBAGE)
			return lab_fail(error, LAB_ERROR_INFRA,
					"QEMU's gdb stub: a torn answer to '%s'", payload);
	} while (take_more(gdb, deadline_us));
	return lab_fail(error, LAB_ERROR_INFRA, "QEMU's gdb stub: no answer to '%s' in %d ms",
			payload, gdb->timeout_ms);
}

static bool command(struct gdb *gdb, const char *payload, GError **error)
{
	char answer[GDB_PACKET_MAX];

	if (!gdb_ask(gdb, payload, answer, error))
		return false;
	return strcmp(answer, "OK") == 0 ||
	       lab_fail(error, LAB_ERROR_INFRA, "QEMU's gdb stub answers '%.40s' to '%s'", answer,
			payload);
}

/* P sends a register in the target's byte order, which is little endian. */
static bool set_register(struct gdb *gdb, unsigned number, uint64_t value, unsigned bytes,
			 GError **error)
{
	char text[40];
	size_t at = g_snprintf(text, sizeof(text), "P%x=", number);

	for (unsigned i = 0; i < bytes; i++)
		at += g_snprintf(text + at, sizeof(text) - at, "%02x",
				 (unsigned)(value >> (8 * i)) & 0xff);
	return command(gdb, text, error);
}

static bool set_cpu(struct gdb *gdb, const struct guest_cpu_set *set, GError **error)
{
	char thread[32];

	/* threads of the stub are vCPUs, counted from 1 */
	g_snprintf(thread, sizeof(thread), "Hg%x", set->cpu + 1);
	return command(gdb, thread, error) && set_register(gdb, GDB_RIP, set->rip, 8, error) &&
	       set_register(gdb, GDB_EFLAGS, set->rflags, 4, error);
}

bool gdb_set_cpus(struct gdb *gdb, const struct guest_cpu_set *sets, unsigned n, GError **error)
{
	for (unsigned i = 0; i < n; i++)
		if (!set_cpu(gdb, &sets[i], error))
			return false;
	return command(gdb, "D", error);
}

/* Hand QEMU its end of the socket, make a character device of it and the stub's line of that. */
static bool connect_stub(struct qmp *qmp, int theirs, int timeout_ms, GError **error)
{
	g_autofree char *says = NULL;

	if (!qmp_send_fd(qmp, "klab-gdb", theirs, timeout_ms, error) ||
	    !qmp_command(qmp, "chardev-add",
			 json_pack("{s:s, s:{s:s, s:{s:{s:s, s:{s:s}}, s:b}}}", "id", "klab-gdb",
				   "backend", "type", "socket", "data", "addr", "type", "fd", "data",
				   "str", "klab-gdb", "server", 0),
			 timeout_ms, NULL, error))
		return false;
	says = qmp_human(qmp, "gdbserver chardev:klab-gdb", timeout_ms, error);
	if (!says)
		return false;
	return !strstr(says, "Could not") ||
	       lab_fail(error, LAB_ERROR_INFRA, "QEMU's gdb stub: %s", g_strstrip(says));
}

/* The stub goes first: it holds the device. Best effort, the guest has its fault by now. */
static void disconnect_stub(struct qmp *qmp, int timeout_ms)
{
	g_autofree char *says = qmp_human(qmp, "gdbserver none", timeout_ms, NULL);

	qmp_command(qmp, "chardev-remove", json_pack("{s:s}", "id", "klab-gdb"), timeout_ms, NULL,
		    NULL);
}

bool gdbstub_set_cpus(struct qmp *qmp, const struct guest_cpu_set *sets, unsigned n, int timeout_ms,
		      GError **error)
{
	struct gdb gdb = { .timeout_ms = timeout_ms };
	int pair[2];
	bool ok;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return lab_fail_errno(error, "socketpair");
	gdb.fd = pair[0];
	ok = connect_stub(qmp, pair[1], timeout_ms, error) &&
	     gdb_set_cpus(&gdb, sets, n, error);
	lab_fd_close(&pair[1]);
	disconnect_stub(qmp, timeout_ms);
	lab_fd_close(&pair[0]);
	return ok;
}
