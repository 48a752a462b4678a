// SPDX-License-Identifier: GPL-2.0-or-later
/* A domain's memory, registers and scheduling through libvirt. See libvirt_inside.h. */
#include "guest/libvirt_inside.h"

#include "guest/regs.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt-qemu.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define COMMAND_MS 10000
#define PAGE UINT64_C(4096)
#define PAGES_MAX 1024

/* --- calls on the connection's thread --------------------------------------------------------- */

struct call {
	virDomainPtr dom;
	bool flag;		/* pause: stop, not go on */
	char *command;		/* monitor */
	int fd;			/* monitor: handed over, -1: none */
	char *answer;
	uint64_t addr;		/* peek */
	size_t len;
	uint8_t *buf;
	virDomainStatsRecordPtr *stats;
};
typedef struct call call;

static void call_clear(gpointer data)
{
	struct call *c = data;

	virDomainFree(c->dom);
	g_free(c->command);
	lab_fd_close(&c->fd);
	free(c->answer);
	g_free(c->buf);
	if (c->stats)
		virDomainStatsRecordListFree(c->stats);
}

static void call_unref(struct call *c)
{
	g_atomic_rc_box_release_full(c, call_clear);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(call, call_unref)

static struct call *call_new(struct libvirt_inside *in)
{
	struct call *c = g_atomic_rc_box_new0(struct call);

	virDomainRef(in->dom);
	c->dom = in->dom;
	c->fd = -1;
	return c;
}

static bool run(struct libvirt_inside *in, libvirt_work work, struct call *c, int timeout_ms,
		GError **error)
{
	return libvirt_run(in->conn, work, c, call_clear, timeout_ms, error);
}

static bool work_monitor(virConnectPtr conn, void *box, GError **error)
{
	struct call *c = box;
	unsigned n_out = 0;
	int *out = NULL;
	int ret = c->fd < 0 ? virDomainQemuMonitorCommand(c->dom, c->command, &c->answer, 0) :
			      virDomainQemuMonitorCommandWithFiles(c->dom, c->command, 1, &c->fd,
								   &n_out, &out, &c->answer, 0);

	for (unsigned i = 0; i < n_out; i++)
		close(out[i]);
	free(out);
	return (ret == 0 && c->answer) || lab_fail_libvirt(error, "QEMU's monitor");
}

/* qmp_ask */
static char *ask(void *user, const char *command, int fd, int timeout_ms, GError **error)
{
	struct libvirt_inside *in = user;
	g_autoptr(call) c = call_new(in);

	c->command = g_strdup(command);
	if (fd >= 0) {
		c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (c->fd < 0) {
			lab_fail_errno(error, "a descriptor for QEMU");
			return NULL;
		}
	}
	return run(in, work_monitor, c, timeout_ms, error) ? g_strdup(c->answer) : NULL;
}

static bool work_peek(virConnectPtr conn, void *box, GError **error)
{
	struct call *c = box;

	return virDomainMemoryPeek(c->dom, c->addr, c->len, c->buf, VIR_MEMORY_PHYSICAL) == 0 ||
	       lab_fail_libvirt(error, "cannot read the guest's memory");
}

static bool work_nmi(virConnectPtr conn, void *box, GError **error)
{
	struct call *c = box;

	return virDomainInjectNMI(c->dom, 0) == 0 || lab_fail_libvirt(error, "cannot raise an NMI");
}

static bool work_pause(virConnectPtr conn, void *box, GError **error)
{
	struct call *c = box;
	int ret = c->flag ? virDomainSuspend(c->dom) : virDomainResume(c->dom);

	return ret == 0 || lab_fail_libvirt(error, "cannot %s the guest",
					    c->flag ? "stop" : "go on with");
}

static bool work_stats(virConnectPtr conn, void *box, GError **error)
{
	struct call *c = box;
	virDomainPtr doms[] = { c->dom, NULL };

	return virDomainListGetStats(doms, VIR_DOMAIN_STATS_VCPU, &c->stats, 0) >= 1 ||
	       lab_fail_libvirt(error, "cannot learn how the guest's vCPUs are scheduled");
}

/* --- life ------------------------------------------------------------------------------------- */

void libvirt_inside_init(struct libvirt_inside *in, struct libvirt_conn *conn, virDomainPtr dom)
{
	*in = (struct libvirt_inside){ .conn = conn, .dom = dom, .memfd = -1 };
	in->pages = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	qmp_init_by(&in->qmp, ask, in);
}

bool libvirt_inside_learn(struct libvirt_inside *in, unsigned smp, GError **error)
{
	vcpus_init(&in->vcpus, smp);
	if (in->conn->local)
		return vcpus_learn(&in->vcpus, &in->qmp, COMMAND_MS, error);
	return true;
}

void libvirt_inside_clear(struct libvirt_inside *in)
{
	if (!in->conn)
		return;
	qmp_clear(&in->qmp);
	vcpus_clear(&in->vcpus);
	lab_fd_close(&in->memfd);
	g_clear_pointer(&in->pages, g_hash_table_unref);
}

bool libvirt_inside_nmi(struct libvirt_inside *in, GError **error)
{
	g_autoptr(call) c = call_new(in);

	return run(in, work_nmi, c, COMMAND_MS, error);
}

void libvirt_inside_goes_on(struct libvirt_inside *in)
{
	in->paused = false;
	g_hash_table_remove_all(in->pages);
}

bool libvirt_inside_pause(struct libvirt_inside *in, bool paused, GError **error)
{
	g_autoptr(call) c = call_new(in);

	c->flag = paused;
	libvirt_inside_goes_on(in);
	if (!run(in, work_pause, c, COMMAND_MS, error))
		return false;
	in->paused = paused;
	return true;
}

/* --- memory ----------------------------------------------------------------------------------- */

static bool save_memory(struct libvirt_inside *in, const char *command, json_t *args, void *buf,
			size_t len, GError **error)
{
	g_autofree char *path = NULL;

	if (in->memfd < 0)
		in->memfd = memfd_create("klab-guest-memory", MFD_CLOEXEC);
	if (in->memfd < 0) {
		json_decref(args);
		return lab_fail_errno(error, "memfd_create");
	}
	path = g_strdup_printf("/proc/%d/fd/%d", getpid(), in->memfd);
	json_object_set_new(args, "size", json_integer(len));
	json_object_set_new(args, "filename", json_string(path));
	if (!qmp_command(&in->qmp, command, args, COMMAND_MS, NULL, error))
		return false;
	if (pread(in->memfd, buf, len, 0) != (ssize_t)len)
		return lab_fail(error, LAB_ERROR_INFRA, "%s: QEMU saved less than %zu bytes", command,
				len);
	return true;
}

static bool peek(struct libvirt_inside *in, uint64_t addr, uint8_t *buf, size_t len, GError **error)
{
	g_autoptr(call) c = call_new(in);

	c->addr = addr;
	c->len = len;
	c->buf = g_malloc(len);
	if (!run(in, work_peek, c, COMMAND_MS, error))
		return false;
	memcpy(buf, c->buf, len);
	return true;
}

bool libvirt_inside_phys(struct libvirt_inside *in, uint64_t addr, void *buf, size_t len,
			 GError **error)
{
	if (in->conn->embed)
		return save_memory(in, "pmemsave", json_pack("{s:I}", "val", (json_int_t)addr), buf,
				   len, error);
	for (size_t done = 0; done < len;) {
		size_t n = MIN(len - done, LIBVIRT_PEEK_MAX);

		if (!peek(in, addr + done, (uint8_t *)buf + done, n, error))
			return false;
		done += n;
	}
	return true;
}

bool libvirt_gpa_parse(const char *text, uint64_t *ret)
{
	const char *at = strstr(text, "gpa: 0x");
	char *end;
	uint64_t gpa;

	if (!at)
		return false;
	at += strlen("gpa: 0x");
	gpa = g_ascii_strtoull(at, &end, 16);
	if (end == at || !g_ascii_isxdigit(*at) || gpa == G_MAXUINT64)
		return false;
	*ret = gpa;
	return true;
}

/* By the page tables of that vCPU: libvirt's own virtual peek knows only the first. */
static bool translate(struct libvirt_inside *in, unsigned cpu, uint64_t addr, uint64_t *ret,
		      GError **error)
{
	g_autofree char *line = g_strdup_printf("gva2gpa 0x%" G_GINT64_MODIFIER "x", addr);
	json_t *answer = NULL;
	const char *text;
	bool ok;

	if (!qmp_command(&in->qmp, "human-monitor-command",
			 json_pack("{s:s, s:i}", "command-line", line, "cpu-index", (int)cpu),
			 COMMAND_MS, &answer, error))
		return false;
	text = json_string_value(answer);
	ok = text && libvirt_gpa_parse(text, ret);
	json_decref(answer);
	return ok || lab_fail(error, LAB_ERROR_INFRA,
			      "the guest's address %" G_GINT64_MODIFIER "x is not mapped", addr);
}

/* Of a stopped guest: a stack is walked in steps of 8 bytes, and each call is a journey. */
static const uint8_t *whole_page(struct libvirt_inside *in, unsigned cpu, uint64_t page,
				 GError **error)
{
	gint64 key = page | cpu % PAGE;
	uint8_t *bytes = g_hash_table_lookup(in->pages, &key);
	uint64_t gpa;

	if (bytes)
		return bytes;
	bytes = g_malloc(PAGE);
	if (!translate(in, cpu, page, &gpa, error) || !peek(in, gpa, bytes, PAGE, error)) {
		g_free(bytes);
		return NULL;
	}
	if (g_hash_table_size(in->pages) >= PAGES_MAX)
		g_hash_table_remove_all(in->pages);
	g_hash_table_insert(in->pages, g_memdup2(&key, sizeof(key)), bytes);
	return bytes;
}

static bool virt_elsewhere(struct libvirt_inside *in, unsigned cpu, uint64_t addr, uint8_t *buf,
			   size_t len, GError **error)
{
	for (size_t done = 0; done < len;) {
		uint64_t at = addr + done, gpa;
		size_t n = MIN(len - done, PAGE - at % PAGE);
		const uint8_t *page;

		if (in->paused) {
			page = whole_page(in, cpu, at - at % PAGE, error);
			if (!page)
				return false;
			memcpy(buf + done, page + at % PAGE, n);
		} else if (!translate(in, cpu, at, &gpa, error) ||
			   !peek(in, gpa, buf + done, n, error)) {
			return false;
		}
		done += n;
	}
	return true;
}

bool libvirt_inside_virt(struct libvirt_inside *in, unsigned cpu, uint64_t addr, void *buf,
			 size_t len, GError **error)
{
	/* QAPI's int is signed: kernel addresses are negative numbers there */
	if (in->conn->embed)
		return save_memory(in, "memsave",
				   json_pack("{s:I, s:i}", "val", (json_int_t)addr, "cpu-index",
					     (int)cpu), buf, len, error);
	return virt_elsewhere(in, cpu, addr, buf, len, error);
}

/* --- registers, scheduling -------------------------------------------------------------------- */

bool libvirt_inside_regs(struct libvirt_inside *in, struct guest_regs *ret, unsigned n,
			 GError **error)
{
	g_autofree char *text = qmp_human(&in->qmp, "info registers -a", COMMAND_MS, error);

	if (!text)
		return false;
	return regs_parse(text, ret, n) == n ||
	       lab_fail(error, LAB_ERROR_INFRA, "QEMU shows registers of fewer than %u vCPUs", n);
}

/* "vcpu.N.time", "vcpu.N.delay" in ns; hosts without schedstat tell no delay. */
static int64_t stat_us(const virDomainStatsRecord *r, unsigned cpu, const char *what)
{
	g_autofree char *name = g_strdup_printf("vcpu.%u.%s", cpu, what);
	unsigned long long ns = 0;

	virTypedParamsGetULLong(r->params, r->nparams, name, &ns);
	return ns / 1000;
}

static bool sched_elsewhere(struct libvirt_inside *in, struct guest_sched *ret, GError **error)
{
	g_autoptr(call) c = call_new(in);

	if (!run(in, work_stats, c, COMMAND_MS, error))
		return false;
	for (unsigned i = 0; i < in->vcpus.n; i++) {
		const virDomainStatsRecord *r = c->stats[0];

		vcpus_take(&in->vcpus, i, stat_us(r, i, "time"),
			   stat_us(r, i, "delay") ?: stat_us(r, i, "wait"));
	}
	vcpus_done(&in->vcpus, g_get_monotonic_time(), ret);
	return true;
}

bool libvirt_inside_sched(struct libvirt_inside *in, struct guest_sched *ret, GError **error)
{
	if (!in->conn->local)
		return sched_elsewhere(in, ret, error);
	vcpus_read(&in->vcpus, ret);
	return true;
}
