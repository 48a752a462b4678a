// SPDX-License-Identifier: GPL-2.0-or-later
/* QMP over a socket. Replies and events are one JSON object a line (QEMU docs/interop/qmp-spec). */
#include "guest/qmp.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

void qmp_init(struct qmp *q, int fd)
{
	memset(q, 0, sizeof(*q));
	q->fd = fd;
	q->in = g_string_new(NULL);
	q->next_id = 1;
	g_queue_init(&q->events);
}

void qmp_init_by(struct qmp *q, qmp_ask ask, void *user)
{
	qmp_init(q, -1);
	q->ask = ask;
	q->user = user;
}

static void event_free(gpointer event)
{
	json_decref(event);
}

void qmp_clear(struct qmp *q)
{
	if (!q->in)
		return;
	g_string_free(q->in, TRUE);
	q->in = NULL;
	g_queue_clear_full(&q->events, event_free);
}

/* Take what the socket has; 0 closed, 1 fine. */
static bool take_in(struct qmp *q)
{
	char buf[16384];

	for (;;) {
		ssize_t n = recv(q->fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n > 0 && q->in->len + n <= QMP_REPLY_MAX) {
			g_string_append_len(q->in, buf, n);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
	}
}

/* Cut one line off the input and parse it; NULL if there is no whole line or it is no JSON object. */
static json_t *take_line(struct qmp *q)
{
	char *end = memchr(q->in->str, '\n', q->in->len);
	json_t *json;

	if (!end)
		return NULL;
	json = json_loadb(q->in->str, end - q->in->str, 0, NULL);
	g_string_erase(q->in, 0, end + 1 - q->in->str);
	return json ? json : json_null();
}

static void queue_event(struct qmp *q, json_t *event)
{
	g_queue_push_tail(&q->events, event);
	if (q->events.length > QMP_EVENTS_MAX)
		json_decref(g_queue_pop_head(&q->events));
}

/* Queue events, drop replies nobody waits for; the reply with `id` is handed out. */
static json_t *next_reply(struct qmp *q, uint64_t id)
{
	json_t *json;

	while ((json = take_line(q))) {
		json_t *reply_id = json_object_get(json, "id");

		if (json_object_get(json, "event")) {
			queue_event(q, json);
			continue;
		}
		if (!id ? !!json_object_get(json, "QMP") :
			  (uint64_t)json_integer_value(reply_id) == id)
			return json;
		json_decref(json);
	}
	return NULL;
}

static json_t *wait_reply(struct qmp *q, uint64_t id, int timeout_ms, GError **error)
{
	int64_t deadline_us = g_get_monotonic_time() + timeout_ms * 1000LL;
	bool open = true;

	for (;;) {
		struct pollfd pfd = { .fd = q->fd, .events = POLLIN };
		json_t *reply = next_reply(q, id);
		int64_t left_us = deadline_us - g_get_monotonic_time();

		if (reply)
			return reply;
		if (!open || left_us <= 0)
			break;
		poll(&pfd, 1, left_us / 1000 + 1);
		open = take_in(q);
	}
	lab_fail(error, open ? LAB_ERROR_TIMEOUT : LAB_ERROR_INFRA,
		 open ? "QEMU's monitor did not answer in %d ms" :
			"QEMU closed its monitor (limit %d ms)", timeout_ms);
	return NULL;
}

/* `args` is consumed; who holds the socket for us numbers commands himself (id 0). */
static char *format_command(const char *name, json_t *args, uint64_t id)
{
	json_t *command = json_pack("{s:s, s:o*}", "execute", name, "arguments", args);
	char *text, *ret;

	if (id)
		json_object_set_new(command, "id", json_integer((json_int_t)id));
	text = json_dumps(command, JSON_COMPACT);
	ret = g_strdup(text);
	free(text);
	json_decref(command);
	return ret;
}

static bool send_command(struct qmp *q, const char *name, json_t *args, uint64_t id, GError **error)
{
	g_autofree char *text = format_command(name, args, id);
	g_autofree char *line = g_strconcat(text, "\n", NULL);
	size_t len, done = 0;

	for (len = strlen(line); done < len;) {
		ssize_t n = send(q->fd, line + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return lab_fail_errno(error, "QEMU's monitor: cannot send '%s'", name);
		done += n > 0 ? n : 0;
	}
	return true;
}

static json_t *ask(struct qmp *q, const char *name, json_t *args, int fd, int timeout_ms,
		   GError **error)
{
	g_autofree char *text = format_command(name, args, 0), *answer = NULL;
	json_t *reply;

	answer = q->ask(q->user, text, fd, timeout_ms, error);
	if (!answer)
		return NULL;
	reply = strlen(answer) <= QMP_REPLY_MAX ? json_loads(answer, 0, NULL) : NULL;
	if (!json_is_object(reply)) {
		json_decref(reply);
		reply = NULL;
		lab_fail(error, LAB_ERROR_INFRA, "QEMU's monitor gives no answer that can be read");
	}
	return reply;
}

static bool take_reply(const char *name, json_t *reply, json_t **ret, GError **error)
{
	json_t *failure = json_object_get(reply, "error");

	if (!reply)
		return lab_prefix(error, "%s", name);
	if (failure)
		lab_fail(error, LAB_ERROR_INFRA, "QEMU refused '%s': %s", name,
			 json_string_value(json_object_get(failure, "desc")) ?: "no reason given");
	else if (ret)
		*ret = json_incref(json_object_get(reply, "return"));
	json_decref(reply);
	return !failure;
}

bool qmp_command(struct qmp *q, const char *name, json_t *args, int timeout_ms, json_t **ret,
		 GError **error)
{
	uint64_t id = q->next_id++;

	if (q->ask)
		return take_reply(name, ask(q, name, args, -1, timeout_ms, error), ret, error);
	return send_command(q, name, args, id, error) &&
	       take_reply(name, wait_reply(q, id, timeout_ms, error), ret, error);
}

/* QEMU takes descriptors that came with the bytes of a getfd command. */
static bool send_with_fd(int socket, const char *data, size_t len, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec io = { .iov_base = (char *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	return sendmsg(socket, &msg, MSG_NOSIGNAL) == (ssize_t)len;
}

bool qmp_send_fd(struct qmp *q, const char *name, int fd, int timeout_ms, GError **error)
{
	json_t *args = json_pack("{s:s}", "fdname", name);

	if (q->ask)
		return take_reply("getfd", ask(q, "getfd", args, fd, timeout_ms, error), NULL, error);
	/* a blank is no part of any command: the descriptor waits for the getfd behind it */
	if (!send_with_fd(q->fd, " ", 1, fd)) {
		json_decref(args);
		return lab_fail_errno(error, "QEMU's monitor: cannot send a descriptor");
	}
	return qmp_command(q, "getfd", args, timeout_ms, NULL, error);
}

bool qmp_drain(struct qmp *q)
{
	bool open = take_in(q);

	/* No reply carries the id 2^63: everything but events is dropped. */
	json_t *stray = next_reply(q, UINT64_C(1) << 63);

	json_decref(stray);
	return open;
}

json_t *qmp_event(struct qmp *q)
{
	return g_queue_pop_head(&q->events);
}

bool qmp_handshake(struct qmp *q, int timeout_ms, GError **error)
{
	json_t *greeting = wait_reply(q, 0, timeout_ms, error);

	if (!greeting)
		return lab_prefix(error, "greeting");
	json_decref(greeting);
	return qmp_command(q, "qmp_capabilities", NULL, timeout_ms, NULL, error);
}

char *qmp_human(struct qmp *q, const char *line, int timeout_ms, GError **error)
{
	json_t *text = NULL;
	char *ret;

	if (!qmp_command(q, "human-monitor-command",
			 json_pack("{s:s}", "command-line", line), timeout_ms, &text, error))
		return NULL;
	ret = g_strdup(json_string_value(text) ?: "");
	json_decref(text);
	return ret;
}
