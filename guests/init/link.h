/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's UART to the host: records out (any thread), bytes in (the agent's loop alone).
 */
#ifndef KLAB_LINK_H
#define KLAB_LINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Open the UART raw. 0 or a negative errno. */
int link_open(const char *path);
int link_fd(void);
/* Send to this descriptor instead: the self-test's pipe. */
void link_use(int fd);

/* Send one record. A UART that takes nothing for LINK_WAIT_MS loses the record: sequence numbers
 * tell the host. */
#define LINK_WAIT_MS 5000
void link_send(const char *type, const char *payload);
void link_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Send a JSON record and drop the reference to it. */
void link_send_json(const char *type, json_t *json);

/* From now on a record waits for the host as long as it takes: none may be lost. */
void link_patient(void);

/* Wait until the UART sent what it holds, at most LINK_WAIT_MS. */
void link_drain(void);

#endif
