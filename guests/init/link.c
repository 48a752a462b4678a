// SPDX-License-Identifier: GPL-2.0-or-later
/* The UART to the host: see link.h. */
#include "link.h"

#include "probes/lib/util.h"
#include "wire_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct {
	int fd;
	int wait_ms;
	uint64_t seq;
	pthread_mutex_t lock;
} uart = { .fd = -1, .wait_ms = LINK_WAIT_MS, .lock = PTHREAD_MUTEX_INITIALIZER };

int link_open(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	struct termios t;

	if (fd < 0)
		return -errno;
	if (tcgetattr(fd, &t)) { /* a port without hardware opens, and says EIO here */
		int err = -errno;

		close(fd);
		return err;
	}
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL | CREAD;
	cfsetspeed(&t, B115200);
	tcsetattr(fd, TCSANOW, &t);
	uart.fd = fd;
	return 0;
}

void link_use(int fd)
{
	uart.fd = fd;
}

void link_patient(void)
{
	uart.wait_ms = -1;
}

int link_fd(void)
{
	return uart.fd;
}

/* False if the host or the UART took nothing for too long: then half a line may be out. */
static bool uart_write(const char *buf, size_t len)
{
	while (len) {
		struct pollfd p = { .fd = uart.fd, .events = POLLOUT };
		ssize_t n = write(uart.fd, buf, len);

		if (n > 0) {
			buf += n;
			len -= n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (poll(&p, 1, uart.wait_ms) == 0)
			return false;
	}
	return true;
}

void link_send(const char *type, const char *payload)
{
	static char line[WIRE_LINE_MAX];
	static bool cut;

	pthread_mutex_lock(&uart.lock);
	if (uart.fd >= 0) {
		size_t len = wire_encode(line, ++uart.seq, type, payload);

		if (cut) /* end the torn line, or it swallows this one too */
			cut = !uart_write("\n", 1);
		if (!cut)
			cut = !uart_write(line, len);
	}
	pthread_mutex_unlock(&uart.lock);
}

void link_note(const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	text_vformat(text, sizeof(text), format, ap);
	va_end(ap);
	link_send("note", text);
}

void link_send_json(const char *type, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);

	if (text)
		link_send(type, text);
	free(text);
	json_decref(json);
}

void link_drain(void)
{
	uint64_t end = clock_ns() + LINK_WAIT_MS * 1000000ull;
	int queued = 1, lsr = 0;

	while (clock_ns() < end) {
		if (ioctl(uart.fd, TIOCOUTQ, &queued))
			return;
		if (!queued && (ioctl(uart.fd, TIOCSERGETLSR, &lsr) || (lsr & TIOCSER_TEMT)))
			return;
		sleep_ms(2);
	}
}
