// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The libvirt backend: a transient domain, its serial ports as streams, its events, and what can be
 * done with it while it runs.
 *
 * Calls run on the connection's thread, with deadlines; events come through GLib's main context
 * while libvirt_next() waits. Callbacks find their guest by a number: one that comes too late finds
 * none.
 */
#include "guest/guest.h"

#include "base/fs.h"
#include "guest/gdbstub.h"
#include "guest/libvirt_conn.h"
#include "guest/libvirt_dump.h"
#include "guest/libvirt_embed.h"
#include "guest/libvirt_inside.h"
#include "guest/libvirt_life.h"
#include "guest/libvirt_log.h"
#include "guest/owner.h"
#include "guest/vcpus.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define COMMAND_MS 10000
#define PORT_MAX (1u << 20)	/* bytes of one port that wait for us */
#define CONSOLE_GATHER_US 20000	/* as the qemu backend does */
#define LAST_BYTES_US (2 * G_USEC_PER_SEC)	/* of a guest that is off, until its ports end */
#define PUMP_MAX 256
#define KILL_ROUNDS 1000	/* of 10 ms */

enum { PORT_CONSOLE, PORT_WIRE, PORT__COUNT };
G_STATIC_ASSERT(PORT__COUNT == LIBVIRT_PORTS);

struct port {
	GByteArray *in;
	bool ended;
};

struct libvirt {
	unsigned id;			/* in `guests` */
	struct libvirt_conn *conn;
	struct libvirt_life life;
	struct libvirt_inside inside;	/* the domain, seen through its monitor */
	char *name, *pool;
	struct port port[PORT__COUNT];
	GByteArray *out;		/* what the last event handed out */
	pid_t pid;			/* embed: QEMU, whose reaper we are; else 0 */
	bool reaped, guest_asked, stopped, paused;
	int status;			/* of waitpid(), when reaped */
	int stopped_how;		/* virDomainEventStoppedDetailType */
	int64_t off_at_us, console_at_us;
	char *words;			/* QEMU's last */
	char *cage;
};

static GHashTable *guests;	/* id -> struct libvirt *, those that are started */

static struct libvirt *libvirt_of(struct guest *g)
{
	return g->priv;
}

static struct libvirt *find(void *id)
{
	return guests ? g_hash_table_lookup(guests, id) : NULL;
}

static bool reaped(struct libvirt *l)
{
	if (l->pid > 0 && !l->reaped)
		l->reaped = embed_ended(l->pid, &l->status);
	return l->reaped;
}

/* --- events, on the main thread --------------------------------------------------------------- */

static void end_port(struct port *port, virStreamPtr stream)
{
	if (!port->ended)
		virStreamEventRemoveCallback(stream);
	port->ended = true;
}

/* More than PORT_MAX stays in libvirt's hands until we are asked for what we have. */
static void read_port(struct port *port, virStreamPtr stream)
{
	char buf[16384];
	int n = 1;

	while (!port->ended && port->in->len < PORT_MAX && n > 0) {
		n = virStreamRecv(stream, buf, sizeof(buf));
		if (n > 0)
			g_byte_array_append(port->in, (uint8_t *)buf, n);
		else if (n != -2)	/* -2: nothing there */
			end_port(port, stream);
	}
}

static void on_stream(virStreamPtr stream, int events, void *id)
{
	struct libvirt *l = find(id);

	for (int i = 0; l && i < PORT__COUNT; i++)
		if (l->life.stream[i] == stream)
			read_port(&l->port[i], stream);
}

static int on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *id)
{
	struct libvirt *l = find(id);

	if (!l)
		return 0;
	/* a reset under on_reboot=destroy is the guest's, too; the rest is the host's doing */
	if (event == VIR_DOMAIN_EVENT_SHUTDOWN && detail != VIR_DOMAIN_EVENT_SHUTDOWN_HOST)
		l->guest_asked = true;
	if (event == VIR_DOMAIN_EVENT_SHUTDOWN || event == VIR_DOMAIN_EVENT_STOPPED)
		l->off_at_us = l->off_at_us ?: g_get_monotonic_time();
	if (event == VIR_DOMAIN_EVENT_STOPPED) {
		l->stopped = true;
		l->stopped_how = detail;
	}
	if (event == VIR_DOMAIN_EVENT_SUSPENDED || event == VIR_DOMAIN_EVENT_RESUMED)
		l->paused = event == VIR_DOMAIN_EVENT_SUSPENDED;
	return 0;
}

/* --- start and stop --------------------------------------------------------------------------- */

static char *cage_text(const struct libvirt_conn *conn)
{
	if (conn->embed)
		return g_strdup("seccomp; the user that klab runs as (libvirt's embed mode)");
	return g_strdup_printf("as libvirt at '%s' keeps its guests", conn->uri);
}

static void init(struct libvirt *l, const struct guest_spec *spec)
{
	static unsigned last_id;
	g_autofree char *job = NULL;

	l->id = ++last_id;
	job = g_strdup_printf("guest-%u", l->id);
	l->name = spec->name ? g_strdup(spec->name) : owner_domain_name(job);
	l->pool = g_strdup(spec->pool);
	l->life.lifecycle = -1;
	l->words = g_strdup("");
	l->out = g_byte_array_new();
	for (int i = 0; i < PORT__COUNT; i++)
		l->port[i].in = g_byte_array_new();
	if (!guests)
		guests = g_hash_table_new(NULL, NULL);
	g_hash_table_insert(guests, GUINT_TO_POINTER(l->id), l);
}

static bool begin(struct libvirt *l, const struct guest_spec *spec, GError **error)
{
	const struct libvirt_ears ears = { .stream = on_stream, .lifecycle = on_lifecycle,
					   .user = GUINT_TO_POINTER(l->id) };
	bool ok = libvirt_life_start(l->conn, spec, l->name, &ears, &l->life, error);

	libvirt_inside_init(&l->inside, l->conn, l->life.dom);
	if (l->conn->embed && l->life.dom)
		l->pid = embed_pid(l->name);
	return ok;
}

static bool libvirt_start(const struct guest_spec *spec, struct guest *g, GError **error)
{
	struct libvirt *l = g_new0(struct libvirt, 1);

	g->priv = l;
	init(l, spec);
	if (!spec->connect)
		return lab_fail(error, LAB_ERROR_USAGE, "no URI to connect to");
	if (!libvirt_open(spec->connect, &l->conn, error))
		return false;
	l->cage = cage_text(l->conn);
	return begin(l, spec, error) && libvirt_inside_learn(&l->inside, spec->smp, error) &&
	       libvirt_inside_pause(&l->inside, false, error);
}

/* QEMU takes a while to end by itself, and longer where it hangs. */
static void kill_engine(struct libvirt *l)
{
	if (l->pid > 0 && !reaped(l))
		kill(l->pid, SIGKILL);
	for (unsigned i = 0; i < KILL_ROUNDS && l->pid > 0 && !reaped(l); i++)
		g_usleep(10000);
}

static void libvirt_stop(struct guest *g)
{
	struct libvirt *l = libvirt_of(g);

	if (!l)
		return;
	g_hash_table_remove(guests, GUINT_TO_POINTER(l->id));
	kill_engine(l);
	if (l->conn)
		libvirt_life_stop(l->conn, &l->life);
	if (l->conn && !l->conn->embed && libvirt_is_lost(l->conn, NULL))
		libvirt_life_end_lost(l->conn->uri, l->name);
	libvirt_inside_clear(&l->inside);
	libvirt_close(l->conn);
	for (int i = 0; i < PORT__COUNT; i++)
		g_byte_array_unref(l->port[i].in);
	g_byte_array_unref(l->out);
	g_free(l->name);
	g_free(l->pool);
	g_free(l->words);
	g_free(l->cage);
	g_free(l);
	g->priv = NULL;
}

/* --- next ------------------------------------------------------------------------------------- */

static bool take_bytes(struct libvirt *l, int port, enum guest_event_kind kind,
		       struct guest_event *ret)
{
	GByteArray *in = l->port[port].in;

	if (!in->len)
		return false;
	l->port[port].in = l->out;
	l->out = in;
	g_byte_array_set_size(l->port[port].in, 0);
	*ret = (struct guest_event){ .kind = kind, .data = in->data, .len = in->len };
	return true;
}

static int64_t console_hold_us(const struct libvirt *l)
{
	return MAX(l->console_at_us + CONSOLE_GATHER_US - g_get_monotonic_time(), 0);
}

/* Has libvirt said why? It ends the QEMU of a guest that powered off by SIGTERM, so that exit code 0 may
 * be here before the news of that. */
static bool is_told(const struct libvirt *l)
{
	return l->guest_asked || l->stopped || (l->reaped && WIFSIGNALED(l->status));
}

/* Off, and all that it said has come (or enough time for it has passed). */
static bool is_over(struct libvirt *l)
{
	bool ended = l->port[PORT_CONSOLE].ended && l->port[PORT_WIRE].ended;
	bool off = reaped(l) || l->stopped || l->guest_asked;

	if (off && !l->off_at_us)
		l->off_at_us = g_get_monotonic_time();
	return off && ((ended && is_told(l)) ||
		       g_get_monotonic_time() - l->off_at_us > LAST_BYTES_US);
}

static void read_words(struct libvirt *l)
{
	g_autofree char *path = NULL, *log = NULL;
	size_t len;

	if (!l->conn->embed)
		return;
	path = g_strdup_printf("%s/log/qemu/%s.log", l->conn->root, l->name);
	if (!fs_read(path, 16 << 20, &log, &len, NULL))
		return;
	g_free(l->words);
	l->words = libvirt_log_words(log, len);
}

/* Only who reaps QEMU learns how it ended; others hear what libvirt makes of it. */
static void fill_exit(struct libvirt *l, struct guest_event *ret)
{
	static const char *const how[] = {
		[VIR_DOMAIN_EVENT_STOPPED_DESTROYED] = "somebody destroyed the domain",
		[VIR_DOMAIN_EVENT_STOPPED_CRASHED] = "its QEMU died",
		[VIR_DOMAIN_EVENT_STOPPED_FAILED] = "its QEMU died, or failed",
	};

	read_words(l);
	*ret = (struct guest_event){ .kind = GUEST_EXIT, .how = GUEST_EXIT_ENGINE };
	if (l->guest_asked) {
		ret->how = GUEST_EXIT_POWEROFF;
	} else if (l->reaped && WIFSIGNALED(l->status)) {
		ret->how = GUEST_EXIT_KILLED;
		ret->status = WTERMSIG(l->status);
	} else if (l->reaped) {
		ret->status = WEXITSTATUS(l->status);
	} else if (!*l->words && l->stopped_how >= 0 &&
		   l->stopped_how < (int)G_N_ELEMENTS(how) && how[l->stopped_how]) {
		g_free(l->words);
		l->words = g_strdup(how[l->stopped_how]);
	}
	ret->message = l->words;
}

/* What is there now; bytes come before the exit that followed them. */
static bool take_event(struct libvirt *l, struct guest_event *ret)
{
	bool over = is_over(l);

	if (take_bytes(l, PORT_WIRE, GUEST_WIRE, ret))
		return true;
	if ((over || !console_hold_us(l)) && take_bytes(l, PORT_CONSOLE, GUEST_CONSOLE, ret)) {
		l->console_at_us = g_get_monotonic_time();
		return true;
	}
	if (over)
		fill_exit(l, ret);
	return over;
}

static gboolean on_timeout(gpointer woken)
{
	*(bool *)woken = true;
	return G_SOURCE_REMOVE;
}

/* One round of libvirt's event loop. */
static void wait_events(struct libvirt *l, int64_t wait_us)
{
	int64_t hold_us = l->port[PORT_CONSOLE].in->len ? console_hold_us(l) : 0;
	bool woken = false;
	guint source;

	if (hold_us)
		wait_us = MIN(wait_us, hold_us);
	if (l->port[PORT_CONSOLE].ended || l->off_at_us)
		wait_us = MIN(wait_us, 2000);	/* the process is going; its exit status follows */
	source = g_timeout_add(wait_us / 1000 + 1, on_timeout, &woken);
	g_main_context_iteration(NULL, TRUE);
	if (!woken)
		g_source_remove(source);
}

static void pump(void)
{
	for (unsigned i = 0; i < PUMP_MAX && g_main_context_iteration(NULL, FALSE); i++)
		;
}

static bool libvirt_next(struct guest *g, int timeout_ms, struct guest_event *ret, GError **error)
{
	struct libvirt *l = libvirt_of(g);
	int64_t deadline_us = g_get_monotonic_time() + timeout_ms * INT64_C(1000);

	for (;;) {
		int64_t now_us = g_get_monotonic_time();

		pump();
		if (take_event(l, ret)) {
			ret->at_us = now_us;
			return true;
		}
		if (libvirt_is_lost(l->conn, error))
			return false;
		if (now_us >= deadline_us)
			break;
		wait_events(l, deadline_us - now_us);
	}
	*ret = (struct guest_event){ .kind = GUEST_TICK, .at_us = g_get_monotonic_time() };
	return true;
}

/* --- the rest --------------------------------------------------------------------------------- */

struct sending {
	virStreamPtr stream;
	size_t len;
	char data[];
};

/* The stream is shared with the main thread's reads; libvirt locks it. */
static bool work_send(virConnectPtr conn, void *box, GError **error)
{
	struct sending *s = box;

	for (size_t done = 0; done < s->len;) {
		int n = virStreamSend(s->stream, s->data + done, s->len - done);

		if (n < 0)
			return n == -2 ? lab_fail(error, LAB_ERROR_INFRA,
						  "the guest's serial port takes no bytes") :
					 lab_fail_libvirt(error, "cannot send to the guest");
		done += n;
	}
	return true;
}

static bool libvirt_send(struct guest *g, const void *data, size_t len, GError **error)
{
	struct libvirt *l = libvirt_of(g);
	struct sending *s;
	bool ok;

	if (l->port[PORT_WIRE].ended)
		return lab_fail(error, LAB_ERROR_INFRA, "cannot send %zu bytes to the guest", len);
	s = g_atomic_rc_box_alloc(sizeof(*s) + len);
	*s = (struct sending){ .stream = l->life.stream[PORT_WIRE], .len = len };
	memcpy(s->data, data, len);
	ok = libvirt_run(l->conn, work_send, s, NULL, COMMAND_MS, error);
	g_atomic_rc_box_release(s);
	return ok;
}

static int64_t libvirt_now_us(struct guest *g)
{
	return g_get_monotonic_time();
}

static const char *libvirt_cage(struct guest *g)
{
	return libvirt_of(g)->cage;
}

static bool libvirt_nmi(struct guest *g, GError **error)
{
	return libvirt_inside_nmi(&libvirt_of(g)->inside, error);
}

static bool libvirt_read_phys(struct guest *g, uint64_t addr, void *buf, size_t len, GError **error)
{
	return libvirt_inside_phys(&libvirt_of(g)->inside, addr, buf, len, error);
}

static bool libvirt_read_virt(struct guest *g, unsigned cpu, uint64_t addr, void *buf, size_t len,
			      GError **error)
{
	return libvirt_inside_virt(&libvirt_of(g)->inside, cpu, addr, buf, len, error);
}

static bool libvirt_regs(struct guest *g, struct guest_regs *ret, unsigned n, GError **error)
{
	return libvirt_inside_regs(&libvirt_of(g)->inside, ret, n, error);
}

static bool libvirt_sched(struct guest *g, struct guest_sched *ret, GError **error)
{
	struct libvirt *l = libvirt_of(g);

	if (!libvirt_inside_sched(&l->inside, ret, error))
		return false;
	ret->paused = l->paused;
	return true;
}

static unsigned libvirt_threads(struct guest *g, pid_t *ret, unsigned n)
{
	return vcpus_threads(&libvirt_of(g)->inside.vcpus, ret, n);
}

static bool libvirt_pause(struct guest *g, bool paused, GError **error)
{
	return libvirt_inside_pause(&libvirt_of(g)->inside, paused, error);
}

/* The gdb server's socket is handed over through libvirt: not with a host behind a network. */
static bool libvirt_set_cpus(struct guest *g, const struct guest_cpu_set *sets, unsigned n,
			     GError **error)
{
	struct libvirt *l = libvirt_of(g);

	if (!l->conn->local)
		return lab_fail(error, LAB_ERROR_UNSUPPORTED,
				"registers of a guest can only be set on this host, not through "
				"'%s'", l->conn->uri);
	libvirt_inside_goes_on(&l->inside);
	return gdbstub_set_cpus(&l->inside.qmp, sets, n, COMMAND_MS, error);
}

static bool dump(struct guest *g, int fd, int timeout_ms, GError **error)
{
	struct libvirt *l = libvirt_of(g);

	return libvirt_dump(l->conn, l->life.dom, l->pool, fd, timeout_ms, error);
}

const struct guest_backend guest_backend_libvirt = {
	.name = "libvirt",
	.start = libvirt_start,
	.next = libvirt_next,
	.send = libvirt_send,
	.nmi = libvirt_nmi,
	.read_phys = libvirt_read_phys,
	.read_virt = libvirt_read_virt,
	.regs = libvirt_regs,
	.sched = libvirt_sched,
	.threads = libvirt_threads,
	.pause = libvirt_pause,
	.set_cpus = libvirt_set_cpus,
	.dump = dump,
	.now_us = libvirt_now_us,
	.cage = libvirt_cage,
	.stop = libvirt_stop,
};
