// SPDX-License-Identifier: GPL-2.0-or-later
/* Locks between guests of one host. See turn.h. */
#include "run/turn.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#define POLL_US (50 * 1000)
#define TELL_US (2 * G_USEC_PER_SEC)

struct wait {
	int64_t began_us, limit_us;
	const struct progress *progress;
	const volatile sig_atomic_t *interrupted;
	bool alone, told;
};

void turn_end(struct turn *turn)
{
	lab_fd_close(&turn->in_fd);
	lab_fd_close(&turn->turn_fd);
}

static int64_t waited_us(const struct wait *w)
{
	return clock_now_us(&clock_monotonic) - w->began_us;
}

static bool wait_more(struct wait *w, GError **error)
{
	if (w->interrupted && *w->interrupted)
		return lab_fail(error, LAB_ERROR_INTERRUPTED, "interrupted");
	if (waited_us(w) >= w->limit_us)
		return lab_fail(error, LAB_ERROR_TIMEOUT,
				"other guests kept this host busy for %d s%s",
				(int)(w->limit_us / G_USEC_PER_SEC),
				w->alone ? ", and the job must be alone on it" : "");
	if (!w->told && waited_us(w) > TELL_US) {
		progress_say(w->progress, w->alone ? "waiting for other guests of this host to end" :
						     "waiting for a guest that must be alone");
		w->told = true;
	}
	g_usleep(POLL_US);
	return true;
}

static bool lock_in_time(const char *name, int how, struct wait *w, int *ret_fd, GError **error)
{
	g_autofree char *dir = fs_cache_dir("host", error);
	g_autofree char *path = dir ? g_build_filename(dir, name, NULL) : NULL;
	auto_fd fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;

	if (!dir)
		return false;
	if (fd < 0)
		return lab_fail_errno(error, "cannot open lock '%s'", path);
	while (flock(fd, how | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return lab_fail_errno(error, "cannot lock '%s'", path);
		if (!wait_more(w, error))
			return false;
	}
	*ret_fd = lab_fd_steal(&fd);
	return true;
}

bool turn_take(bool alone, unsigned limit_s, const struct progress *progress,
	       const volatile sig_atomic_t *interrupted, struct turn *ret, GError **error)
{
	struct wait w = {
		.began_us = clock_now_us(&clock_monotonic),
		.limit_us = (int64_t)limit_s * G_USEC_PER_SEC,
		.progress = progress,
		.interrupted = interrupted,
		.alone = alone,
	};
	struct turn turn = TURN_NONE;
	g_autoptr(GError) why = NULL;
	bool ok = lock_in_time("turn", LOCK_EX, &w, &turn.turn_fd, &why) &&
		  lock_in_time("in", alone ? LOCK_EX : LOCK_SH, &w, &turn.in_fd, &why);

	turn.alone = ok && alone;
	turn.waited_ms = waited_us(&w) / 1000;
	if (!ok && (alone || !g_error_matches(why, LAB_ERROR, LAB_ERROR_TIMEOUT))) {
		turn_end(&turn);
		g_propagate_error(error, g_steal_pointer(&why));
		return false;
	}
	turn.crowded = !ok;
	if (!alone)
		lab_fd_close(&turn.turn_fd);
	*ret = turn;
	return true;
}
