/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QMP client over a connected socket: one command at a time, each with a deadline; events are
 * queued in between (at most QMP_EVENTS_MAX, the oldest fall out). Where somebody else holds the
 * socket, commands go through that one (qmp_init_by): then there are no greeting and no events.
 */
#ifndef KLAB_GUEST_QMP_H
#define KLAB_GUEST_QMP_H

#include "base/lab.h"

#include <jansson.h>

#define QMP_REPLY_MAX (4u << 20)	/* bytes of one reply */
#define QMP_EVENTS_MAX 64

/* Pass one command on, with a descriptor (-1: none); the answer is text that the caller frees,
 * NULL: *error is set. */
typedef char *(*qmp_ask)(void *user, const char *command, int fd, int timeout_ms, GError **error);

struct qmp {
	int fd;			/* borrowed; -1 with `ask` */
	qmp_ask ask;
	void *user;
	GString *in;
	GQueue events;		/* of json_t * */
	uint64_t next_id;
};

void qmp_init(struct qmp *q, int fd);
void qmp_init_by(struct qmp *q, qmp_ask ask, void *user);
void qmp_clear(struct qmp *q);
/* Greeting and capabilities. */
bool qmp_handshake(struct qmp *q, int timeout_ms, GError **error);
/* Run a command; `args` (may be NULL) is consumed. *ret (may be NULL) gets its "return". */
bool qmp_command(struct qmp *q, const char *name, json_t *args, int timeout_ms, json_t **ret,
		 GError **error);
/* Hand QEMU a copy of a descriptor, to be named `name` in later commands; the caller keeps its own. */
bool qmp_send_fd(struct qmp *q, const char *name, int fd, int timeout_ms, GError **error);
/* Take in what has arrived, without waiting; false when the peer has closed. */
bool qmp_drain(struct qmp *q);
/* The oldest event, or NULL; the caller owns it. */
json_t *qmp_event(struct qmp *q);
/* `info registers -a` and the like: text of a human monitor command; the caller frees it. */
char *qmp_human(struct qmp *q, const char *line, int timeout_ms, GError **error);

#endif
