// SPDX-License-Identifier: GPL-2.0-or-later
/* Calibration files: bounded reads, locked and atomic updates. */
#include "cmd/calibration_file.h"

#include "base/fs.h"

#define LOCK_TIMEOUT_S 30

char *calibration_file_local(void)
{
	const char *xdg = g_getenv("XDG_DATA_HOME");

	if (xdg && g_path_is_absolute(xdg))
		return g_build_filename(xdg, "klab", "calibration.json", NULL);
	return g_build_filename(g_get_home_dir(), ".local", "share", "klab", "calibration.json",
				NULL);
}

bool calibration_file_load(const char *path, bool shipped, struct calibration **ret, GError **error)
{
	g_autofree char *text = NULL;
	size_t len;

	if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
		*ret = calibration_new();
		return true;
	}
	if (!fs_read(path, CALIBRATION_TEXT_MAX, &text, &len, error))
		return false;
	return calibration_parse(text, len, shipped, ret, error) || lab_prefix(error, "'%s'", path);
}

bool calibration_file_update(const char *path, const struct calibration *found, GError **error)
{
	g_autofree char *dir = g_path_get_dirname(path), *text = NULL;
	g_autofree char *lock_path = g_strdup_printf("%s.lock", path);
	g_autoptr(calibration) all = NULL;
	auto_fd lock = -1;

	if (!fs_mkdir(dir, error))
		return false;
	lock = fs_lock(lock_path, LOCK_TIMEOUT_S, error);
	if (lock < 0 || !calibration_file_load(path, false, &all, error))
		return false;
	calibration_overlay(all, found);
	text = calibration_print(all);
	return fs_write(path, text, strlen(text), error);
}
