// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls of libvirt on a thread of their own, with deadlines, and its errors. See libvirt_conn.h. */
#include "guest/libvirt_conn.h"

#include "guest/libvirt_embed.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define CLOSE_MS 5000
#define SLICE_US 50000	/* embed mode: how long a QEMU stays a zombie that libvirt waits for */
#define EVENTS_US 500000	/* a call that takes longer lets the event loop run */

/* --- the thread ------------------------------------------------------------------------------- */

struct item {
	libvirt_work work;	/* NULL: the thread ends */
	void *box;
	GDestroyNotify clear;
	bool done, ok;		/* under the lock */
	GError *error;
};

struct libvirt_thread {
	GMutex lock;
	GCond done;
	GAsyncQueue *queue;	/* of struct item * */
	GThread *thread;
	virConnectPtr conn;	/* set once, by the work that opens */
	GError *lost;		/* under the lock: why no call is made any more */
	bool stuck;		/* a call missed its deadline: the thread is in it */
};

static void drop_box(struct item *item)
{
	if (item->box)
		g_atomic_rc_box_release_full(item->box, item->clear);
	item->box = NULL;
}

static void item_clear(gpointer data)
{
	struct item *item = data;

	drop_box(item);
	g_clear_error(&item->error);
}

static void item_unref(struct item *item)
{
	g_atomic_rc_box_release_full(item, item_clear);
}

/* The box goes first: one who was told that it is done has the last reference to it. */
static void finish(struct libvirt_thread *t, struct item *item, bool ok)
{
	drop_box(item);
	g_mutex_lock(&t->lock);
	item->ok = ok;
	item->done = true;
	g_cond_broadcast(&t->done);
	g_mutex_unlock(&t->lock);
	item_unref(item);
}

static gpointer serve(gpointer data)
{
	struct libvirt_thread *t = data;
	bool more;

	do {
		struct item *item = g_async_queue_pop(t->queue);

		more = item->work != NULL;
		finish(t, item, more && item->work(t->conn, item->box, &item->error));
	} while (more);
	return NULL;
}

/* Signals are the main thread's: they interrupt its waits. */
static void start_thread(struct libvirt_thread *t)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	t->thread = g_thread_new("libvirt", serve, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static struct libvirt_thread *thread_new(void)
{
	struct libvirt_thread *t = g_new0(struct libvirt_thread, 1);

	g_mutex_init(&t->lock);
	g_cond_init(&t->done);
	t->queue = g_async_queue_new();
	start_thread(t);
	return t;
}

static struct item *submit(struct libvirt_thread *t, libvirt_work work, void *box,
			   GDestroyNotify clear)
{
	struct item *item = g_atomic_rc_box_new0(struct item);

	item->work = work;
	item->box = box ? g_atomic_rc_box_acquire(box) : NULL;
	item->clear = clear;
	g_async_queue_push(t->queue, g_atomic_rc_box_acquire(item));
	return item;
}

static void run_events(void)
{
	for (unsigned i = 0; i < 100 && g_main_context_iteration(NULL, FALSE); i++)
		;
}

/* A call that takes long hears of a dead server from the keepalive, whose timers are the event loop's:
 * then that runs, too, without the lock that its callbacks take. */
static bool wait_done(struct libvirt_thread *t, struct item *item, int timeout_ms)
{
	int64_t began_us = g_get_monotonic_time();
	int64_t deadline_us = began_us + timeout_ms * INT64_C(1000);
	bool done;

	g_mutex_lock(&t->lock);
	while (!item->done && g_get_monotonic_time() < deadline_us) {
		int64_t slice_us = MIN(deadline_us, g_get_monotonic_time() + SLICE_US);

		if (g_cond_wait_until(&t->done, &t->lock, slice_us))
			continue;
		embed_reap();
		if (g_get_monotonic_time() - began_us < EVENTS_US)
			continue;
		g_mutex_unlock(&t->lock);
		run_events();
		g_mutex_lock(&t->lock);
	}
	done = item->done;
	g_mutex_unlock(&t->lock);
	return done;
}

static void lose(struct libvirt_thread *t, enum lab_error code, const char *why)
{
	g_mutex_lock(&t->lock);
	if (!t->lost)
		t->lost = g_error_new_literal(LAB_ERROR, code, why);
	g_mutex_unlock(&t->lock);
}

/* A thread that sits in a call is left to it, with all that it may still touch. */
static void thread_free(struct libvirt_thread *t)
{
	struct item *end;
	bool ended;

	if (t->stuck)
		return;
	end = submit(t, NULL, NULL, NULL);
	ended = wait_done(t, end, CLOSE_MS);
	item_unref(end);
	if (!ended)
		return;
	g_thread_join(t->thread);
	g_async_queue_unref(t->queue);
	g_mutex_clear(&t->lock);
	g_cond_clear(&t->done);
	g_clear_error(&t->lost);
	g_free(t);
}

static bool run(struct libvirt_thread *t, struct item *item, int timeout_ms, const char *uri,
		GError **error)
{
	bool done = wait_done(t, item, timeout_ms), ok = done && item->ok;

	if (done && item->error)
		g_propagate_error(error, g_steal_pointer(&item->error));
	if (!done) {
		g_autofree char *why = g_strdup_printf(
			"libvirt at '%s' did not answer within %d s\n"
			"hint: is that host, and its libvirt daemon, well and not overloaded?", uri,
			(timeout_ms + 999) / 1000);

		t->stuck = true;
		lose(t, LAB_ERROR_TIMEOUT, why);
		lab_fail(error, LAB_ERROR_TIMEOUT, "%s", why);
	}
	item_unref(item);
	return ok;
}

bool libvirt_run(struct libvirt_conn *c, libvirt_work work, void *box, GDestroyNotify clear,
		 int timeout_ms, GError **error)
{
	if (libvirt_is_lost(c, error))
		return false;
	return run(c->thread, submit(c->thread, work, box, clear), timeout_ms, c->uri, error);
}

bool libvirt_is_lost(struct libvirt_conn *c, GError **error)
{
	struct libvirt_thread *t = c->thread;
	bool lost;

	g_mutex_lock(&t->lock);
	lost = t->lost != NULL;
	if (lost && error && !*error)
		*error = g_error_copy(t->lost);
	g_mutex_unlock(&t->lock);
	return lost;
}

/* --- open and close --------------------------------------------------------------------------- */

static bool has_host(const char *uri)
{
	const char *slashes = strstr(uri, "://");

	return slashes && slashes[3] && slashes[3] != '/' && slashes[3] != '?';
}

/* "qemu+ssh", "qemu+tcp", ...: but a UNIX socket is here. */
static bool has_network(const char *uri)
{
	size_t scheme = strcspn(uri, ":");
	const char *plus = memchr(uri, '+', scheme);

	return plus && !(scheme - (plus - uri) == strlen("+unix") &&
			 strncmp(plus, "+unix", strlen("+unix")) == 0);
}

bool libvirt_is_local(const char *uri)
{
	return !has_host(uri) && !has_network(uri);
}

bool libvirt_is_embed(const char *uri)
{
	static const char embed[] = "qemu:///embed";

	return g_str_has_prefix(uri, embed) && strchr("?", uri[strlen(embed)]);
}

/* libvirt prints its errors unless it is told where they go; we have them by virGetLastError(). */
static void be_silent(void *user, virErrorPtr error)
{
}

static void initialize(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	g_setenv("LIBVIRT_LOG_OUTPUTS", "4:file:/dev/null", FALSE);
	virSetErrorFunc(NULL, be_silent);
	virEventRegisterDefaultImpl();
}

/* On whichever thread noticed it. */
static void on_close(virConnectPtr conn, int reason, void *user)
{
	static const char *const how[] = {
		[VIR_CONNECT_CLOSE_REASON_ERROR] = "an error on the line",
		[VIR_CONNECT_CLOSE_REASON_EOF] = "its server closed it",
		[VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "its server does not answer any more",
	};
	g_autofree char *uri = virConnectGetURI(conn), *why = NULL;

	if (reason == VIR_CONNECT_CLOSE_REASON_CLIENT)
		return;
	why = g_strdup_printf("the connection to libvirt at '%s' was lost: %s\n"
			      "hint: its guests are destroyed when their connection ends; "
			      "klab doctor --clean removes what is left", uri ?: "?",
			      reason >= 0 && reason < (int)G_N_ELEMENTS(how) ? how[reason] : "?");
	lose(user, LAB_ERROR_INFRA, why);
}

struct opening {
	char *uri;
	bool embed;
	struct libvirt_thread *thread;
};

static void opening_clear(gpointer data)
{
	g_free(((struct opening *)data)->uri);
}

static bool work_open(virConnectPtr none, void *box, GError **error)
{
	struct opening *o = box;
	virConnectPtr conn;

	if (o->embed)
		embed_enter();
	conn = virConnectOpen(o->uri);
	if (o->embed)
		embed_leave();
	if (!conn)
		return lab_fail_libvirt(error, "cannot connect to libvirt at '%s'", o->uri);
	/* drivers without a network have neither, and need neither */
	virConnectSetKeepAlive(conn, LIBVIRT_KEEPALIVE_S, LIBVIRT_KEEPALIVE_COUNT);
	virConnectRegisterCloseCallback(conn, on_close, o->thread, NULL);
	o->thread->conn = conn;
	return true;
}

static bool work_close(virConnectPtr conn, void *box, GError **error)
{
	virConnectUnregisterCloseCallback(conn, on_close);
	virConnectClose(conn);
	return true;
}

static bool open_thread(const char *uri, bool embed, struct libvirt_thread **ret, GError **error)
{
	struct opening *o = g_atomic_rc_box_new0(struct opening);
	struct libvirt_thread *t = thread_new();
	bool ok;

	*o = (struct opening){ .uri = g_strdup(uri), .embed = embed, .thread = t };
	if (embed)
		embed_adopt(true);
	ok = run(t, submit(t, work_open, o, opening_clear), LIBVIRT_OPEN_MS, uri, error);
	g_atomic_rc_box_release_full(o, opening_clear);
	if (ok)
		*ret = t;
	else
		thread_free(t);
	if (embed && !ok)
		embed_adopt(false);
	return ok;
}

bool libvirt_open(const char *uri, struct libvirt_conn **ret, GError **error)
{
	bool embed = libvirt_is_embed(uri);
	const char *root = embed ? embed_prepare(uri, error) : NULL;
	g_autofree char *full = g_strdup_printf("qemu:///embed?root=%s", root ?: "");
	struct libvirt_thread *t = NULL;

	if (embed && !root)
		return false;
	initialize();
	if (!open_thread(embed ? full : uri, embed, &t, error))
		return false;
	*ret = g_new0(struct libvirt_conn, 1);
	**ret = (struct libvirt_conn){ .conn = t->conn, .uri = g_strdup(uri), .embed = embed,
				       .local = libvirt_is_local(uri), .root = root, .thread = t };
	return true;
}

void libvirt_close(struct libvirt_conn *c)
{
	if (!c)
		return;
	if (!c->thread->stuck)
		run(c->thread, submit(c->thread, work_close, NULL, NULL), CLOSE_MS, c->uri, NULL);
	run_events();	/* what the closed connection left to them must not see the thread gone */
	thread_free(c->thread);
	if (c->embed)
		embed_adopt(false);
	g_free(c->uri);
	g_free(c);
}

/* --- errors ----------------------------------------------------------------------------------- */

/* What libvirt's error means to us: the first row whose code (0: any) and words (NULL: any) fit. */
static const struct meaning {
	int code;
	const char *words;
	enum lab_error as;
	const char *hint;
} meanings[] = {
	{ 0, "Connection refused", LAB_ERROR_INFRA,
	  "nothing listens there: is libvirtd running, with listen_tcp or its socket enabled?" },
	{ 0, "No such file or directory", LAB_ERROR_INFRA,
	  "no libvirt daemon has its socket there: start it (systemctl start libvirtd), or use "
	  "qemu:///embed, which needs none" },
	{ 0, "Permission denied", LAB_ERROR_INFRA,
	  "libvirt, or the user that its QEMU runs as, may not come there: group libvirt, or "
	  "another folder" },
	{ 0, "libvirt-qemu", LAB_ERROR_INFRA,
	  "libvirt's own user is missing: install libvirt-daemon-system, or run as another user" },
	{ 0, "keepalive", LAB_ERROR_INFRA, "the host does not answer any more" },
	{ 0, "o space left", LAB_ERROR_NO_SPACE, "the host's disk is full" },
	{ 0, "annot allocate memory", LAB_ERROR_NO_SPACE,
	  "the host has no room for this guest: fewer at a time, or less memory (--memory)" },
	{ 0, "already exists", LAB_ERROR_INFRA,
	  "a domain of that name is there: klab doctor --clean removes those of dead runs" },
	{ VIR_ERR_NO_MEMORY, NULL, LAB_ERROR_NO_SPACE, "the host has no memory left" },
	{ VIR_ERR_AUTH_FAILED, NULL, LAB_ERROR_INFRA,
	  "the host wants to know who asks: group libvirt for system, an ssh key for qemu+ssh" },
	{ VIR_ERR_AUTH_CANCELLED, NULL, LAB_ERROR_INFRA, "the host wants a password: use a key" },
	{ VIR_ERR_AUTH_UNAVAILABLE, NULL, LAB_ERROR_INFRA,
	  "the host wants to know who asks, in a way that this libvirt does not have" },
	{ VIR_ERR_NO_CONNECT, NULL, LAB_ERROR_UNSUPPORTED,
	  "no such driver here: qemu:///embed, qemu:///system, qemu+ssh://HOST/system; "
	  "libvirt-daemon holds the QEMU driver" },
	{ VIR_ERR_XML_ERROR, NULL, LAB_ERROR_UNSUPPORTED, "that libvirt knows no such domain" },
	{ VIR_ERR_XML_DETAIL, NULL, LAB_ERROR_UNSUPPORTED, "that libvirt knows no such domain" },
	{ VIR_ERR_CONFIG_UNSUPPORTED, NULL, LAB_ERROR_UNSUPPORTED,
	  "that host's libvirt or QEMU cannot do this: klab doctor --connect tells what it can" },
	{ VIR_ERR_NO_SUPPORT, NULL, LAB_ERROR_UNSUPPORTED, NULL },
	{ VIR_ERR_ARGUMENT_UNSUPPORTED, NULL, LAB_ERROR_UNSUPPORTED, NULL },
	{ VIR_ERR_OPERATION_TIMEOUT, NULL, LAB_ERROR_TIMEOUT,
	  "another call on this domain does not end" },
	{ VIR_ERR_DOM_EXIST, NULL, LAB_ERROR_INFRA,
	  "a domain of that name is there: klab doctor --clean removes those of dead runs" },
};

static const struct meaning *meaning_of(int code, const char *message)
{
	static const struct meaning other = { .as = LAB_ERROR_INFRA };

	for (size_t i = 0; i < G_N_ELEMENTS(meanings); i++)
		if ((!meanings[i].code || meanings[i].code == code) &&
		    (!meanings[i].words || strstr(message, meanings[i].words)))
			return &meanings[i];
	return &other;
}

/* QEMU's last words come in several lines. */
static char *one_line(const char *message)
{
	g_autofree char *valid = g_utf8_make_valid(message, -1);

	g_strdelimit(g_strstrip(valid), "\r\n", ' ');
	return g_strndup(valid, 600);
}

bool lab_fail_libvirt(GError **error, const char *fmt, ...)
{
	virErrorPtr last = virGetLastError();
	g_autofree char *what = NULL, *says = one_line(last && last->message ? last->message :
							"libvirt gives no reason");
	const struct meaning *m = meaning_of(last ? last->code : 0, says);
	va_list ap;

	va_start(ap, fmt);
	what = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	return lab_fail(error, m->as, "%s: %s%s%s", what, says, m->hint ? "\nhint: " : "",
			m->hint ?: "");
}
