/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of klab doctor share: checks as lines, or as items of its JSON. */
#ifndef KLAB_CMD_DOCTOR_H
#define KLAB_CMD_DOCTOR_H

#include "base/lab.h"
#include "guest/engine.h"

#include <jansson.h>

enum level { LEVEL_OK, LEVEL_WARN, LEVEL_FAIL };

struct doctor {
	gboolean json, engine, again, clean;
	int minutes;
	char *qemu, *connect, *config;
	json_t *checks, *proof;
	enum level worst;
};

/* One check; `hint` (may be NULL) is told where it is not ok. */
void doctor_report(struct doctor *d, const char *name, enum level level, const char *hint,
		   const char *fmt, ...) G_GNUC_PRINTF(5, 6);
/* An error as a check's line, with `hint` in place of its own unless that is NULL. */
void doctor_report_error(struct doctor *d, const char *name, enum level level, const char *hint,
			 const GError *error);
/* Is this QEMU sound? */
void doctor_report_engine(struct doctor *d, const struct engine *e);
void doctor_report_memory(struct doctor *d, uint64_t mib);

/* --connect: what can that host do? False: the name means nothing (LAB_ERROR_USAGE). */
bool doctor_host(struct doctor *d, GError **error);
/* --clean: remove what dead klabs left on the host of --connect, or on all of hosts:. */
bool doctor_clean(struct doctor *d, GError **error);

#endif
