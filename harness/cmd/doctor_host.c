// SPDX-License-Identifier: GPL-2.0-or-later
/* klab doctor --connect and --clean: what can a host of libvirt's do, and what was left on it. */
#include "cmd/cmd.h"
#include "cmd/doctor.h"
#include "cmd/lab_host.h"

#include "base/embed.h"
#include "guest/initramfs.h"
#include "guest/libvirt_host.h"
#include "run/engine_get.h"

#include <string.h>

#define VOLUME_MS 120000

/* A host under examination. */
struct exam {
	struct doctor *d;
	const struct host_spec *spec;
	struct libvirt_conn *c;
	struct libvirt_host *host;
	struct engine *own; /* of this machine, for guests on it; else NULL */
	struct libvirt_try how;
};

static void exam_clear(struct exam *x)
{
	engine_free(x->own);
	libvirt_host_free(x->host);
	libvirt_close(x->c);
}

/* --- checks ------------------------------------------------------------------------------------
 */

static bool check_connection(struct exam *x)
{
	g_autoptr(GError) error = NULL;

	if (!libvirt_open(x->spec->uri, &x->c, &error) ||
	    !libvirt_host_look(x->c, x->c->local ? NULL : x->spec->emulator, &x->host, &error)) {
		doctor_report_error(x->d, "connection", LEVEL_FAIL, NULL, error);
		return false;
	}
	doctor_report(x->d, "connection", LEVEL_OK, NULL, "'%s': libvirt %s, %s driver",
		      x->spec->uri, x->host->libvirt, x->host->driver);
	return true;
}

static void check_machine(struct exam *x)
{
	const struct libvirt_host *host = x->host;

	if (!g_strcmp0(host->arch, "x86_64"))
		doctor_report(x->d, "machine", LEVEL_OK, NULL, "'%s', %s, %u processors",
			      host->hostname, host->arch, host->cpus);
	else
		doctor_report(x->d, "machine", LEVEL_FAIL, "use an x86-64 host",
			      "'%s', %s: guests are x86-64 only", host->hostname,
			      host->arch ? host->arch : "no known architecture");
}

/* What this machine's klab brings along, or what the host has. */
static bool choose_engine(struct exam *x)
{
	struct engine_request req = { .qemu = x->d->qemu ? x->d->qemu : x->spec->emulator,
				      .offline = true };
	g_autoptr(GError) error = NULL;

	x->how = (struct libvirt_try){ .pool = x->spec->pool, .accel = "tcg" };
	if (x->c->local && !engine_get(&req, &cmd_progress, &x->own, &error)) {
		doctor_report_error(x->d, "engine", LEVEL_FAIL, "klab doctor --engine fetches one",
				    error);
		return false;
	}
	if (!x->c->local && !x->host->emulator) {
		doctor_report(x->d, "engine", LEVEL_FAIL,
			      "install QEMU there (Debian: qemu-system-x86), or name one as "
			      "'emulator:' of the host in 'hosts:'",
			      "%s",
			      x->host->no_emulator ? x->host->no_emulator : "no QEMU for x86-64");
		return false;
	}
	x->how.engine = x->own;
	x->how.emulator = x->own ? NULL : x->host->emulator;
	return true;
}

static void check_plugins(struct exam *x, bool plugins)
{
	if (plugins)
		doctor_report(x->d, "plugins", LEVEL_OK, NULL, "QEMU takes TCG plugins");
	else
		doctor_report(x->d, "plugins", LEVEL_WARN,
			      "use a QEMU that was built with --enable-plugins",
			      "QEMU has no TCG plugins: probes run without amplification");
}

/* Which QEMU that is shows once it runs. */
static bool check_tcg(struct exam *x)
{
	g_autoptr(engine) e = NULL;
	bool plugins = false;
	g_autofree char *why = libvirt_host_try(x->c, x->host, &x->how, &e, &plugins);

	if (why) {
		g_autoptr(GError) error = g_error_new_literal(LAB_ERROR, LAB_ERROR_INFRA, why);

		doctor_report_error(x->d, "tcg", LEVEL_FAIL, NULL, error);
		return false;
	}
	doctor_report_engine(x->d, x->own ? x->own : e);
	check_plugins(x, plugins);
	doctor_report(x->d, "tcg", LEVEL_OK, NULL, "runs 64-bit code");
	return true;
}

static char *try_kvm(struct exam *x)
{
	struct libvirt_try how = x->how;

	char *why = NULL;

	how.accel = "kvm";
	/* without libvirt that is told in three seconds, with it in forty */
	if (x->own && !engine_accel_works(x->own, "kvm", &why))
		return why;
	if (!x->host->kvm && !x->own)
		return g_strdup("the host does not offer it");
	return libvirt_host_try(x->c, x->host, &how, NULL, NULL);
}

static void check_memory_of_qemu(struct exam *x)
{
	if (x->host->again_s < LIBVIRT_SLOW_S)
		return;
	doctor_report(
		x->d, "probing", LEVEL_WARN,
		"remove the device there ('rm /dev/kvm', as ExecStartPre= of libvirtd's unit: a "
		"boot brings it back); qemu:///embed does without it",
		"libvirt asks QEMU anew at each question and start, for %.0f s at first and %.1f s "
		"now: it does so where /dev/kvm is there and does not work",
		x->host->answer_s, x->host->again_s);
}

static void check_kvm(struct exam *x)
{
	g_autofree char *why = try_kvm(x);

	if (!why)
		doctor_report(x->d, "kvm", LEVEL_OK, NULL, "runs 64-bit code");
	else
		doctor_report(x->d, "kvm", LEVEL_OK, NULL, "not usable, TCG serves: %.*s",
			      (int)strcspn(why, "\n"), why);
	check_memory_of_qemu(x);
}

/* --- the pool ----------------------------------------------------------------------------------
 */

struct trip {
	char *pool, *file, *there;
};

static void trip_clear(gpointer box)
{
	struct trip *trip = box;

	g_free(trip->pool);
	g_free(trip->file);
	g_free(trip->there);
}

static bool trip_work(virConnectPtr conn, void *box, GError **error)
{
	struct trip *trip = box;

	return libvirt_volume_have(conn, trip->pool, trip->file, &trip->there, error);
}

/* Files that go there arrive whole: the first that every guest needs, which stays there for it. */
static void check_pool(struct exam *x)
{
	struct trip *trip = g_atomic_rc_box_new0(struct trip);
	g_autofree char *agent = NULL;
	g_autoptr(GError) error = NULL;

	trip->pool = g_strdup(x->spec->pool);
	if (initramfs_get(embed_init, EMBED_LEN(init), &trip->file, &agent, &error) &&
	    libvirt_run(x->c, trip_work, trip, trip_clear, VOLUME_MS, &error))
		doctor_report(x->d, "pool", LEVEL_OK, NULL, "'%s' takes files, as '%s'",
			      x->spec->pool ? x->spec->pool : LIBVIRT_POOL, trip->there);
	else
		doctor_report_error(x->d, "pool", LEVEL_FAIL, NULL, error);
	g_atomic_rc_box_release_full(trip, trip_clear);
}

/* --- the commands ------------------------------------------------------------------------------
 */

static void examine(struct exam *x)
{
	if (!check_connection(x))
		return;
	check_machine(x);
	if (x->host->free_mib)
		doctor_report_memory(x->d, x->host->free_mib);
	if (!x->c->local)
		check_pool(x);
	if (choose_engine(x) && check_tcg(x))
		check_kvm(x);
}

static bool open_lab(const struct doctor *d, const char *connect, struct lab **ret, GError **error)
{
	const struct lab_params params = { .kernels_file = d->config, .connect = connect };

	return lab_open(&params, ret, error);
}

bool doctor_host(struct doctor *d, GError **error)
{
	g_autoptr(lab) lab = NULL;
	struct exam x = { .d = d };

	if (!open_lab(d, d->connect, &lab, error))
		return false;
	x.spec = lab->host_spec;
	examine(&x);
	exam_clear(&x);
	return true;
}

static void tell_domains(struct doctor *d, const char *where, const struct libvirt_left *left)
{
	for (guint i = 0; i < left->removed->len; i++)
		doctor_report(d, "domain", LEVEL_OK, NULL, "'%s': removed '%s'", where,
			      (char *)left->removed->pdata[i]);
	for (guint i = 0; i < left->elsewhere->len; i++)
		doctor_report(
			d, "domain", LEVEL_WARN,
			"klab doctor --clean on the machine that it belongs to, or virsh destroy",
			"'%s': left alone '%s', whose klab runs on another machine, if it does",
			where, (char *)left->elsewhere->pdata[i]);
}

static void clean(struct doctor *d, const struct host_spec *spec)
{
	const char *where = spec->name ? spec->name : spec->uri;
	g_autoptr(libvirt_conn) c = NULL;
	g_autoptr(GError) error = NULL;
	struct libvirt_left left;

	/* a driver of our own has nothing of others', and what dies with it is its guard's */
	if (libvirt_is_embed(spec->uri))
		return;
	if (!libvirt_open(spec->uri, &c, &error) ||
	    !libvirt_host_clean(c, spec->pool, LIBVIRT_VOLUME_DAYS, &left, &error)) {
		lab_prefix(&error, "'%s'", where);
		doctor_report_error(d, "clean", LEVEL_FAIL, NULL, error);
		return;
	}
	tell_domains(d, where, &left);
	doctor_report(
		d, "clean", LEVEL_OK, NULL,
		"'%s': %u domains removed, %u of running klabs; %u files removed, %u kept for %d "
		"days after their last use, %u being uploaded",
		where, left.removed->len, left.alive, left.volumes.removed, left.volumes.kept,
		LIBVIRT_VOLUME_DAYS, left.volumes.unfinished);
	libvirt_left_clear(&left);
}

bool doctor_clean(struct doctor *d, GError **error)
{
	g_autoptr(lab) lab = NULL;

	if (!open_lab(d, d->connect, &lab, error))
		return false;
	if (lab->host_spec)
		clean(d, lab->host_spec);
	else if (!lab->matrix->hosts->len)
		return lab_fail(error, LAB_ERROR_USAGE,
				"--clean: there are no hosts in the kernels "
				"file\nhint: --connect URI names one");
	for (guint i = 0; !lab->host_spec && i < lab->matrix->hosts->len; i++)
		clean(d, lab->matrix->hosts->pdata[i]);
	return true;
}
