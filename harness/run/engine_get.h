/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Come by an engine: the QEMU that the user named, the system's if it is new enough, else a private
 * copy out of the distribution's backports, unpacked below the cache folder "engine" and installed
 * nowhere.
 */
#ifndef KLAB_RUN_ENGINE_GET_H
#define KLAB_RUN_ENGINE_GET_H

#include "base/progress.h"
#include "guest/engine.h"

struct engine_request {
	const char *qemu;	/* --qemu PATH, or NULL: the environment's KLAB_QEMU, or a search */
	bool offline;		/* take what is there, download nothing */
	bool system_only;	/* neither a private copy nor a download: for doctor's report */
};

/*
 * *ret is sound, except that a QEMU the user named is taken as it is: ask engine_is_sound(). No
 * QEMU to be had is LAB_ERROR_UNAVAILABLE with a hint. Waits for children: main thread only.
 */
bool engine_get(const struct engine_request *req, const struct progress *progress,
		struct engine **ret, GError **error);

#endif
