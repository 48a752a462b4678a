// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The qemu backend: one QEMU process, its two UARTs, monitor and stderr on inherited descriptors,
 * so that no socket file exists to race for or to leave behind. QEMU dies with the process that
 * started it (PR_SET_PDEATHSIG), however that one ends, and runs in a cage (cage.h).
 */
#include "guest/guest.h"

#include "guest/cage.h"
#include "guest/engine.h"
#include "guest/gdbstub.h"
#include "guest/qmp.h"
#include "guest/regs.h"
#include "guest/vcpus.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define HANDSHAKE_MS 20000	/* a starved host starts QEMU slowly */
#define COMMAND_MS 10000
#define STDERR_MAX 8192
/* A UART hands over a few bytes at a time: gather them, each portion is a record of the journal. */
#define CONSOLE_GATHER_US 20000

enum { CH_CONSOLE, CH_WIRE, CH_QMP, CH_STDERR, CH__COUNT };

struct qemu {
	struct cage *cage;
	pid_t pid;
	int fd[CH__COUNT];
	int memfd;		/* pmemsave and memsave write here, through /proc/self/fd */
	struct qmp qmp;
	GString *errors;	/* stderr, the first STDERR_MAX bytes */
	bool exited, guest_asked, paused;
	int status;
	struct vcpus vcpus;
	int64_t console_at_us;
	uint8_t buf[65536];
};

static struct qemu *qemu_of(struct guest *g)
{
	return g->priv;
}

/* --- start ------------------------------------------------------------------------------------ */

static void add(GPtrArray *argv, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static void add(GPtrArray *argv, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_ptr_array_add(argv, g_strdup_vprintf(fmt, ap));
	va_end(ap);
}

static void add_channel(GPtrArray *argv, const char *id, int fd)
{
	add(argv, "-chardev");
	add(argv, "socket,id=%s,fd=%d", id, fd);
}

/* The files of the guest, by the names that a caged QEMU can open. */
struct inputs {
	char *kernel, *initrd, *plugin;
};

static void inputs_clear(struct inputs *in)
{
	g_free(in->kernel);
	g_free(in->initrd);
	g_free(in->plugin);
}

/* A plugin comes as "PATH,key=value,...". */
static bool open_plugin(struct cage *c, const char *plugin, char **ret, GError **error)
{
	size_t len = strcspn(plugin, ",");
	g_autofree char *path = g_strndup(plugin, len), *name = cage_file(c, path, error);

	if (name)
		*ret = g_strconcat(name, plugin + len, NULL);
	return name != NULL;
}

static bool open_inputs(struct cage *c, const struct guest_spec *spec, struct inputs *in,
			GError **error)
{
	return (in->kernel = cage_file(c, spec->kernel, error)) &&
	       (in->initrd = cage_file(c, spec->initrd, error)) &&
	       (!spec->plugin || open_plugin(c, spec->plugin, &in->plugin, error));
}

static void add_machine(GPtrArray *argv, const struct guest_spec *spec, const struct inputs *in)
{
	const char *fixed[] = { "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
				"-machine", "pc", "-net", "none" };

	for (size_t i = 0; i < G_N_ELEMENTS(fixed); i++)
		add(argv, "%s", fixed[i]);
	add(argv, "-accel");
	add(argv, "%s", strcmp(spec->accel, "tcg") == 0 ? "tcg,thread=multi" : spec->accel);
	add(argv, "-cpu");
	add(argv, "%s", spec->cpu_model);
	add(argv, "-smp");
	add(argv, "%u", spec->smp);
	add(argv, "-m");
	add(argv, "%u", spec->mem_mib);
	add(argv, "-kernel");
	add(argv, "%s", in->kernel);
	add(argv, "-initrd");
	add(argv, "%s", in->initrd);
	add(argv, "-append");
	add(argv, "%s", spec->append);
}

static GPtrArray *build_argv(const struct guest_spec *spec, const struct inputs *in, const int *fd)
{
	GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);

	add_machine(argv, spec, in);
	add_channel(argv, "console", fd[CH_CONSOLE]);
	add_channel(argv, "wire", fd[CH_WIRE]);
	add_channel(argv, "mon", fd[CH_QMP]);
	add(argv, "-serial");
	add(argv, "chardev:console");
	add(argv, "-serial");
	add(argv, "chardev:wire");
	add(argv, "-mon");
	add(argv, "chardev=mon,mode=control");
	if (in->plugin) {
		add(argv, "-plugin");
		add(argv, "%s", in->plugin);
	}
	for (const char *const *arg = spec->extra; arg && *arg; arg++)
		add(argv, "%s", *arg);
	g_ptr_array_add(argv, NULL);
	return argv;
}

static bool make_channels(struct qemu *q, int *theirs, GError **error)
{
	for (int i = 0; i < CH__COUNT; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return lab_fail_errno(error, "socketpair");
		q->fd[i] = pair[0];
		theirs[i] = pair[1];
	}
	q->memfd = memfd_create("klab-guest-memory", MFD_CLOEXEC);
	return q->memfd >= 0 || lab_fail_errno(error, "memfd_create");
}

static bool spawn(struct qemu *q, const struct guest_spec *spec, GError **error)
{
	int theirs[CH__COUNT] = { -1, -1, -1, -1 };
	auto_fd null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct inputs in = { 0 };
	bool ok = make_channels(q, theirs, error) && open_inputs(q->cage, spec, &in, error);

	if (ok) {
		g_autoptr(GPtrArray) argv = build_argv(spec, &in, theirs);
		const int keep[] = { theirs[CH_CONSOLE], theirs[CH_WIRE], theirs[CH_QMP], q->memfd,
				     spec->plugin_fd };
		const struct cage_exec x = { .engine = spec->engine,
					     .argv = (char *const *)argv->pdata, .in = null,
					     .out = theirs[CH_STDERR], .keep = keep,
					     .n_keep = G_N_ELEMENTS(keep) - !spec->plugin_fd };

		q->pid = cage_spawn(q->cage, &x, error);
		ok = q->pid > 0;
	}
	inputs_clear(&in);
	for (int i = 0; i < CH__COUNT; i++)
		lab_fd_close(&theirs[i]);
	return ok;
}

static void take_stderr(struct qemu *q)
{
	char buf[1024];
	ssize_t n;

	while ((n = recv(q->fd[CH_STDERR], buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		if (q->errors->len + n <= STDERR_MAX)
			g_string_append_len(q->errors, buf, n);
}

/* QEMU's own words are the best explanation of a start that failed. */
static bool explain_start(struct qemu *q, GError **error)
{
	g_autofree char *words = NULL;

	if (q->pid > 0 && waitpid(q->pid, &q->status, WNOHANG) == q->pid)
		q->exited = true;
	take_stderr(q);
	words = g_strdup(q->errors->str);
	g_strchomp(words);
	g_clear_error(error);
	return lab_fail(error, LAB_ERROR_INFRA, "QEMU did not start: %s",
			*words ? words : "no answer from its monitor within the limit");
}

static void qemu_stop(struct guest *g)
{
	struct qemu *q = qemu_of(g);

	if (!q)
		return;
	if (q->pid > 0 && !q->exited) {
		kill(q->pid, SIGKILL);
		while (waitpid(q->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	qmp_clear(&q->qmp);
	for (int i = 0; i < CH__COUNT; i++)
		lab_fd_close(&q->fd[i]);
	lab_fd_close(&q->memfd);
	g_string_free(q->errors, TRUE);
	cage_free(q->cage);
	vcpus_clear(&q->vcpus);
	g_free(q);
	g->priv = NULL;
}

static bool qemu_start(const struct guest_spec *spec, struct guest *g, GError **error)
{
	struct qemu *q = g_new0(struct qemu, 1);

	g->priv = q;
	q->memfd = -1;
	memset(q->fd, -1, sizeof(q->fd));
	q->errors = g_string_new(NULL);
	q->cage = cage_open(spec->engine, spec->accel);
	if (!spawn(q, spec, error))
		return false;
	qmp_init(&q->qmp, q->fd[CH_QMP]);
	return (qmp_handshake(&q->qmp, HANDSHAKE_MS, error) && vcpus_learn(&q->vcpus, &q->qmp, COMMAND_MS, error)) ||
	       explain_start(q, error);
}

/* --- events ----------------------------------------------------------------------------------- */

static void note_events(struct qemu *q)
{
	json_t *event;

	while ((event = qmp_event(&q->qmp))) {
		const char *name = json_string_value(json_object_get(event, "event"));

		/* SHUTDOWN with guest:true is the guest's power off, or its reset under -no-reboot */
		if (g_strcmp0(name, "SHUTDOWN") == 0)
			q->guest_asked |= json_is_true(json_object_get(
				json_object_get(event, "data"), "guest"));
		else if (g_strcmp0(name, "STOP") == 0 || g_strcmp0(name, "RESUME") == 0)
			q->paused = g_str_equal(name, "STOP");
		json_decref(event);
	}
}

static bool take_bytes(struct qemu *q, int channel, enum guest_event_kind kind,
		       struct guest_event *ret)
{
	ssize_t n = q->fd[channel] < 0 ? 0 :
					 recv(q->fd[channel], q->buf, sizeof(q->buf), MSG_DONTWAIT);

	if (n <= 0)
		return false;
	*ret = (struct guest_event){ .kind = kind, .data = q->buf, .len = n };
	return true;
}

static void fill_exit(struct qemu *q, struct guest_event *ret)
{
	take_stderr(q);
	qmp_drain(&q->qmp);
	note_events(q);
	*ret = (struct guest_event){ .kind = GUEST_EXIT, .message = q->errors->str };
	if (WIFSIGNALED(q->status)) {
		ret->how = GUEST_EXIT_KILLED;
		ret->status = WTERMSIG(q->status);
	} else {
		ret->how = q->guest_asked ? GUEST_EXIT_POWEROFF : GUEST_EXIT_ENGINE;
		ret->status = WEXITSTATUS(q->status);
	}
}

static bool reaped(struct qemu *q)
{
	if (!q->exited && waitpid(q->pid, &q->status, WNOHANG) == q->pid)
		q->exited = true;
	return q->exited;
}

static int64_t console_hold_us(const struct qemu *q)
{
	return MAX(q->console_at_us + CONSOLE_GATHER_US - g_get_monotonic_time(), 0);
}

static bool take_console(struct qemu *q, bool dead, struct guest_event *ret)
{
	if ((console_hold_us(q) && !dead) || !take_bytes(q, CH_CONSOLE, GUEST_CONSOLE, ret))
		return false;
	q->console_at_us = g_get_monotonic_time();
	return true;
}

/* What is there now; bytes come before the exit that followed them. */
static bool take_event(struct qemu *q, struct guest_event *ret)
{
	bool dead = reaped(q);

	qmp_drain(&q->qmp);
	note_events(q);
	take_stderr(q);
	if (take_bytes(q, CH_WIRE, GUEST_WIRE, ret) || take_console(q, dead, ret))
		return true;
	if (dead)
		fill_exit(q, ret);
	return dead;
}

/* A channel that hung up stays readable for ever: poll only those that still live. */
static void wait_input(struct qemu *q, int timeout_ms)
{
	struct pollfd pfd[CH__COUNT];
	int64_t hold_us = console_hold_us(q);
	bool hung_up = false;

	for (int i = 0; i < CH__COUNT; i++)
		pfd[i] = (struct pollfd){ .fd = q->fd[i], .events = POLLIN };
	if (hold_us) {
		pfd[CH_CONSOLE].fd = -1;
		timeout_ms = MIN(timeout_ms, hold_us / 1000 + 1);
	}
	if (poll(pfd, CH__COUNT, timeout_ms) <= 0)
		return;
	for (int i = 0; i < CH__COUNT; i++)
		hung_up |= pfd[i].revents & (POLLHUP | POLLERR);
	if (hung_up)
		g_usleep(2000);	/* the process is going; its exit status follows */
}

static bool qemu_next(struct guest *g, int timeout_ms, struct guest_event *ret, GError **error)
{
	struct qemu *q = qemu_of(g);
	int64_t deadline_us = g_get_monotonic_time() + timeout_ms * 1000LL;

	for (;;) {
		int64_t now_us = g_get_monotonic_time();

		if (take_event(q, ret)) {
			ret->at_us = now_us;
			return true;
		}
		if (now_us >= deadline_us)
			break;
		wait_input(q, (deadline_us - now_us) / 1000 + 1);
	}
	*ret = (struct guest_event){ .kind = GUEST_TICK, .at_us = g_get_monotonic_time() };
	return true;
}

static bool qemu_send(struct guest *g, const void *data, size_t len, GError **error)
{
	ssize_t n = send(qemu_of(g)->fd[CH_WIRE], data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n != (ssize_t)len)
		return lab_fail_errno(error, "cannot send %zu bytes to the guest", len);
	return true;
}

static int64_t qemu_now_us(struct guest *g)
{
	return g_get_monotonic_time();
}

/* --- looking inside --------------------------------------------------------------------------- */

static bool qemu_nmi(struct guest *g, GError **error)
{
	return qmp_command(&qemu_of(g)->qmp, "inject-nmi", NULL, COMMAND_MS, NULL, error);
}

static bool save_memory(struct qemu *q, const char *command, json_t *args, void *buf, size_t len,
			GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", q->memfd);

	json_object_set_new(args, "size", json_integer(len));
	json_object_set_new(args, "filename", json_string(path));
	if (!qmp_command(&q->qmp, command, args, COMMAND_MS, NULL, error))
		return false;
	if (pread(q->memfd, buf, len, 0) != (ssize_t)len)
		return lab_fail(error, LAB_ERROR_INFRA, "%s: QEMU saved less than %zu bytes", command,
				len);
	return true;
}

static bool qemu_read_phys(struct guest *g, uint64_t addr, void *buf, size_t len, GError **error)
{
	return save_memory(qemu_of(g), "pmemsave", json_pack("{s:I}", "val", (json_int_t)addr), buf,
			   len, error);
}

static bool qemu_read_virt(struct guest *g, unsigned cpu, uint64_t addr, void *buf, size_t len,
			   GError **error)
{
	/* QAPI's int is signed: kernel addresses are negative numbers there */
	return save_memory(qemu_of(g), "memsave",
			   json_pack("{s:I, s:i}", "val", (json_int_t)addr, "cpu-index", (int)cpu),
			   buf, len, error);
}

static bool qemu_regs(struct guest *g, struct guest_regs *ret, unsigned n, GError **error)
{
	g_autofree char *text =
		qmp_human(&qemu_of(g)->qmp, "info registers -a", COMMAND_MS, error);

	if (!text)
		return false;
	if (regs_parse(text, ret, n) != n)
		return lab_fail(error, LAB_ERROR_INFRA, "QEMU shows registers of fewer than %u vCPUs",
				n);
	return true;
}

static bool qemu_sched(struct guest *g, struct guest_sched *ret, GError **error)
{
	struct qemu *q = qemu_of(g);

	vcpus_read(&q->vcpus, ret);
	note_events(q);
	ret->paused = q->paused;
	return true;
}

static unsigned qemu_threads(struct guest *g, pid_t *ret, unsigned n)
{
	return vcpus_threads(&qemu_of(g)->vcpus, ret, n);
}

static const char *qemu_cage(struct guest *g)
{
	return qemu_of(g)->cage->text;
}

static bool qemu_pause(struct guest *g, bool paused, GError **error)
{
	return qmp_command(&qemu_of(g)->qmp, paused ? "stop" : "cont", NULL, COMMAND_MS, NULL,
			   error);
}

static bool qemu_set_cpus(struct guest *g, const struct guest_cpu_set *sets, unsigned n,
			  GError **error)
{
	return gdbstub_set_cpus(&qemu_of(g)->qmp, sets, n, COMMAND_MS, error);
}

static bool qemu_dump(struct guest *g, int fd, int timeout_ms, GError **error)
{
	struct qmp *qmp = &qemu_of(g)->qmp;

	return qmp_send_fd(qmp, "dump", fd, COMMAND_MS, error) &&
	       qmp_command(qmp, "dump-guest-memory",
			   json_pack("{s:b, s:s}", "paging", false, "protocol", "fd:dump"),
			   timeout_ms, NULL, error);
}

const struct guest_backend guest_backend_qemu = {
	.name = "qemu",
	.start = qemu_start,
	.next = qemu_next,
	.send = qemu_send,
	.nmi = qemu_nmi,
	.read_phys = qemu_read_phys,
	.read_virt = qemu_read_virt,
	.regs = qemu_regs,
	.sched = qemu_sched,
	.threads = qemu_threads,
	.pause = qemu_pause,
	.set_cpus = qemu_set_cpus,
	.dump = qemu_dump,
	.now_us = qemu_now_us,
	.cage = qemu_cage,
	.stop = qemu_stop,
};
