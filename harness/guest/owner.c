// SPDX-License-Identifier: GPL-2.0-or-later
/* Processes in names, and whether they live. See owner.h. */
#include "guest/owner.h"

#include "base/fs.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define HOST_LEN 8
#define NUMBER_LEN_MAX 18
#define STAT_MAX 4096
#define START_FIELD 22 /* of /proc/PID/stat, from 1 */

/* Process ids mean something within one PID namespace: containers may share a machine-id. */
static char *make_host(void)
{
	g_autofree char *machine = NULL, *ns = g_file_read_link("/proc/self/ns/pid", NULL);
	g_autofree char *text = NULL, *digest = NULL;

	if (!g_file_get_contents("/etc/machine-id", &machine, NULL, NULL))
		machine = g_strdup("");
	text = g_strdup_printf("%s|%s|%s", g_strstrip(machine), g_get_host_name(), ns ? ns : "");
	digest = fs_sha256_bytes(text, strlen(text));
	return g_strndup(digest, HOST_LEN);
}

static const char *this_host(void)
{
	static gsize host;

	if (g_once_init_enter(&host))
		g_once_init_leave(&host, GPOINTER_TO_SIZE(make_host()));
	return GSIZE_TO_POINTER(host);
}

/* The tick of its start, 0: it cannot be told. The name in parentheses may hold anything. */
static guint64 start_of(guint64 pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%" G_GUINT64_FORMAT "/stat", pid);
	g_autofree char *text = NULL;
	g_auto(GStrv) fields = NULL;
	const char *at;

	if (!fs_read(path, STAT_MAX, &text, NULL, NULL) || !(at = strrchr(text, ')')) || !at[1])
		return 0;
	fields = g_strsplit(at + 2, " ", -1); /* from the third on */
	return g_strv_length(fields) > START_FIELD - 3
		       ? g_ascii_strtoull(fields[START_FIELD - 3], NULL, 10)
		       : 0;
}

const char *owner_self(void)
{
	static GMutex mutex; /* names are made on threads of connections too */
	static const char *self;
	static pid_t of;
	g_autoptr(GMutexLocker) held = g_mutex_locker_new(&mutex);

	if (of != getpid()) {
		g_autofree char *text = g_strdup_printf("%s-%d-%" G_GUINT64_FORMAT, this_host(),
							getpid(), start_of(getpid()));

		of = getpid();
		self = g_intern_string(text);
	}
	return self;
}

char *owner_domain_name(const char *job)
{
	g_autofree char *part = g_strndup(job, OWNER_JOB_MAX);

	g_strcanon(part, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._+-", '_');
	return g_strdup_printf("klab-%s-%s", owner_self(), part);
}

static bool is_alive(guint64 pid, guint64 start)
{
	guint64 now = start_of(pid);

	if (now)
		return now == start;
	return !kill(pid, 0) || errno == EPERM;
}

/* "-DIGITS" at *at, which moves behind it; 0: there is none, or too many. */
static guint64 take_number(const char **at)
{
	size_t n = **at == '-' ? strspn(*at + 1, G_CSET_DIGITS) : 0;
	guint64 value = n && n <= NUMBER_LEN_MAX ? g_ascii_strtoull(*at + 1, NULL, 10) : 0;

	*at += n + 1;
	return value;
}

enum owner owner_of(const char *name, const char *prefix)
{
	const char *at = name + strlen(prefix), *host = at + 1;
	guint64 pid, start;

	if (!g_str_has_prefix(name, prefix) || *at != '-' ||
	    strspn(host, G_CSET_DIGITS "abcdef") != HOST_LEN)
		return OWNER_NONE;
	at = host + HOST_LEN;
	pid = take_number(&at);
	start = pid ? take_number(&at) : 0;
	if (!start || pid > G_MAXINT || !strchr("-.", *at))
		return OWNER_NONE;
	if (strncmp(host, this_host(), HOST_LEN) != 0)
		return OWNER_ELSEWHERE;
	return is_alive(pid, start) ? OWNER_ALIVE : OWNER_DEAD;
}
