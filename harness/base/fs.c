// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files and folders of the host: bounded reads, writes that survive a crash, locks, sha256.
 * Nothing here follows a link that it is about to delete, and nothing is read without a limit.
 */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define CHUNK (1u << 20)

static bool read_up_to(int fd, const char *path, size_t max, GByteArray *bytes, GError **error)
{
	for (;;) {
		size_t have = bytes->len, want = MIN((size_t)CHUNK, max + 1 - have);
		ssize_t n;

		g_byte_array_set_size(bytes, have + want);
		n = read(fd, bytes->data + have, want);
		g_byte_array_set_size(bytes, have + MAX(n, 0));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return lab_fail_errno(error, "cannot read '%s'", path);
		if (n == 0)
			return true;
		if (bytes->len > max)
			return lab_fail(error, LAB_ERROR_INPUT,
					"'%s' is larger than the limit of %zu bytes", path, max);
	}
}

bool fs_read(const char *path, size_t max, char **ret_data, size_t *ret_len, GError **error)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);

	/* GByteArray counts in unsigned int. */
	g_return_val_if_fail(max < G_MAXUINT - CHUNK, false);
	if (fd < 0)
		return lab_fail_errno(error, "cannot open '%s'", path);
	if (!read_up_to(fd, path, max, bytes, error))
		return false;
	if (ret_len)
		*ret_len = bytes->len;
	g_byte_array_append(bytes, (const guint8 *)"", 1);
	*ret_data = (char *)g_byte_array_free(g_steal_pointer(&bytes), FALSE);
	return true;
}

static bool write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		data += n;
		len -= n;
	}
	return true;
}

static bool sync_folder(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);
	auto_fd fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* Some file systems cannot sync a folder (EINVAL): it is as durable as they make it. */
	return fd >= 0 && (!fsync(fd) || errno == EINVAL);
}

bool fs_write(const char *path, const void *data, size_t len, GError **error)
{
	g_autofree char *dir = g_path_get_dirname(path), *base = g_path_get_basename(path);
	g_autofree char *tmp = g_strdup_printf("%s/.%.200s.XXXXXX", dir, base);
	auto_fd fd = g_mkstemp_full(tmp, O_RDWR | O_CLOEXEC, 0666);

	if (fd < 0)
		return lab_fail_errno(error, "cannot create '%s'", path);
	if (write_all(fd, data, len) && !fsync(fd) && !rename(tmp, path) && sync_folder(path))
		return true;
	lab_fail_errno(error, "cannot write '%s'", path);
	unlink(tmp);
	return false;
}

bool fs_mkdir(const char *path, GError **error)
{
	if (g_mkdir_with_parents(path, 0777))
		return lab_fail_errno(error, "cannot create folder '%s'", path);
	return true;
}

/* Deeper than anything of ours: whoever nests deeper wants to exhaust us. */
#define DEPTH_MAX 64

static bool remove_at(int dir, const char *name, unsigned depth);

static bool empty_folder(int fd, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	bool ok = dir != NULL;
	int cause = errno;

	if (!dir)
		close(fd);
	while (dir && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (!remove_at(dirfd(dir), entry->d_name, depth + 1)) {
			cause = errno;
			ok = false;
		}
	}
	if (dir)
		closedir(dir);
	errno = cause;
	return ok;
}

/*
 * By descriptors all the way: a folder that is swapped for a link meanwhile is never followed. An entry that somebody else removed is as good as
 * removed by us.
 */
static bool remove_at(int dir, const char *name, unsigned depth)
{
	int fd;

	if (!unlinkat(dir, name, 0) || errno == ENOENT)
		return true;
	if (errno != EISDIR && errno != EPERM)
		return false;
	if (depth > DEPTH_MAX) {
		errno = ELOOP;
		return false;
	}
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || !empty_folder(fd, depth))
		return fd < 0 && errno == ENOENT;
	return !unlinkat(dir, name, AT_REMOVEDIR) || errno == ENOENT;
}

bool fs_remove(const char *path, GError **error)
{
	if (!remove_at(AT_FDCWD, path, 0))
		return lab_fail_errno(error, "cannot remove '%s'", path);
	return true;
}

/* Ours alone, as XDG asks for folders that it has made: an engine in its cage holds descriptors of
 * folders below, and would come out of them here. One that the user made stays as it is. */
static bool make_private(const char *path, GError **error)
{
	return !g_mkdir_with_parents(path, 0700) ||
	       lab_fail_errno(error, "cannot create folder '%s'", path);
}

char *fs_cache_dir(const char *sub, GError **error)
{
	/* Not g_get_user_cache_dir(): it remembers its first answer, and tests move the cache. */
	const char *xdg = g_getenv("XDG_CACHE_HOME");
	g_autofree char *root = NULL, *path = NULL;

	if (xdg && g_path_is_absolute(xdg))
		root = g_build_filename(xdg, "klab", NULL);
	else
		root = g_build_filename(g_get_home_dir(), ".cache", "klab", NULL);
	path = g_build_filename(root, sub, NULL);
	return make_private(root, error) && fs_mkdir(path, error) ? g_steal_pointer(&path) : NULL;
}

char *fs_sha256(const char *path, GError **error)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autofree guint8 *chunk = g_malloc(CHUNK);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0) {
		lab_fail_errno(error, "cannot open '%s'", path);
		return NULL;
	}
	while ((n = read(fd, chunk, CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			lab_fail_errno(error, "cannot read '%s'", path);
			return NULL;
		}
		g_checksum_update(sum, chunk, n);
	}
	return g_strdup(g_checksum_get_string(sum));
}

char *fs_sha256_bytes(const void *data, size_t len)
{
	return g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, len);
}

int fs_lock(const char *path, unsigned timeout_s, GError **error)
{
	int64_t deadline = g_get_monotonic_time() + (int64_t)timeout_s * G_USEC_PER_SEC;
	auto_fd fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0) {
		lab_fail_errno(error, "cannot open lock '%s'", path);
		return -1;
	}
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			lab_fail_errno(error, "cannot lock '%s'", path);
			return -1;
		}
		if (g_get_monotonic_time() >= deadline) {
			lab_fail(error, LAB_ERROR_TIMEOUT,
				 "'%s' stayed locked by another klab for %u s", path, timeout_s);
			return -1;
		}
		g_usleep(50 * 1000);
	}
	return lab_fd_steal(&fd);
}
