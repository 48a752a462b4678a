// SPDX-License-Identifier: GPL-2.0-or-later
/* Start and end a domain. See libvirt_life.h. */
#include "guest/libvirt_life.h"

#include "guest/libvirt_engine.h"
#include "guest/libvirt_volume.h"
#include "guest/libvirt_xml.h"

#include <string.h>

#define START_MS 180000		/* a host that has not seen its QEMU yet asks it for a minute */
#define UPLOAD_MS 1800000
#define DESTROY_MS 30000
#define RETURN_S 10		/* of a daemon that was killed: whoever watches it starts it at once */

struct start {
	char *kernel, *initrd, *pool, *plugin;
	char *xml;
	bool embed;
	struct libvirt_ears ears;
	struct libvirt_life life;
};

static void start_clear(gpointer data)
{
	struct start *s = data;

	g_free(s->kernel);
	g_free(s->initrd);
	g_free(s->pool);
	g_free(s->plugin);
	g_free(s->xml);
	for (int i = 0; i < LIBVIRT_PORTS; i++)
		if (s->life.stream[i])
			virStreamFree(s->life.stream[i]);
	if (s->life.dom)
		virDomainFree(s->life.dom);
}

static void start_unref(struct start *s)
{
	g_atomic_rc_box_release_full(s, start_clear);
}
typedef struct start start;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(start, start_unref)

static bool upload(virConnectPtr conn, const char *pool, char **path, GError **error)
{
	char *there = NULL;

	if (!libvirt_volume_have(conn, pool, *path, &there, error))
		return false;
	g_free(*path);
	*path = there;
	return true;
}

static bool work_upload(virConnectPtr conn, void *box, GError **error)
{
	struct start *s = box;

	return upload(conn, s->pool, &s->kernel, error) && upload(conn, s->pool, &s->initrd, error);
}

static bool open_port(virConnectPtr conn, struct start *s, int i, GError **error)
{
	static const char *const alias[LIBVIRT_PORTS] = { "serial0", "serial1" };
	const int events = VIR_STREAM_EVENT_READABLE | VIR_STREAM_EVENT_HANGUP |
			   VIR_STREAM_EVENT_ERROR;
	virStreamPtr stream = s->life.stream[i] = virStreamNew(conn, VIR_STREAM_NONBLOCK);

	return (stream && virDomainOpenConsole(s->life.dom, alias[i], stream, 0) == 0 &&
		virStreamEventAddCallback(stream, events, s->ears.stream, s->ears.user, NULL) == 0) ||
	       lab_fail_libvirt(error, "cannot open serial port %d of the guest", i);
}

/* Who would destroy embed mode's domains at the connection's end ends with us: its guard does. */
static bool work_start(virConnectPtr conn, void *box, GError **error)
{
	struct start *s = box;
	struct libvirt_life *life = &s->life;

	life->dom = virDomainCreateXML(conn, s->xml, VIR_DOMAIN_START_PAUSED |
				       (s->embed ? 0 : VIR_DOMAIN_START_AUTODESTROY));
	if (!life->dom)
		return lab_fail_libvirt(error, "libvirt did not start the guest");
	life->lifecycle = virConnectDomainEventRegisterAny(
		conn, life->dom, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
		VIR_DOMAIN_EVENT_CALLBACK(s->ears.lifecycle), s->ears.user, NULL);
	if (life->lifecycle < 0)
		return lab_fail_libvirt(error, "cannot hear of the guest's end");
	return open_port(conn, s, 0, error) && open_port(conn, s, 1, error);
}

/*
 * Nothing is inherited by an engine that libvirt starts: on this host it opens the plugin's page as
 * ours, another host has no memory in common with us.
 */
static char *plugin_of(const struct libvirt_conn *c, const struct guest_spec *spec, GError **error)
{
	g_autofree char *old = g_strdup_printf(",page=%d", spec->plugin_fd), *rest = NULL;
	const char *at = spec->plugin && spec->plugin_fd ? strstr(spec->plugin, old) : NULL;

	if (!spec->plugin || !at)
		return g_strdup(spec->plugin);
	if (!c->local) {
		lab_fail(error, LAB_ERROR_UNSUPPORTED,
			 "the amplifier's plugin shares memory with klab, and '%s' is another host",
			 spec->connect);
		return NULL;
	}
	rest = g_strndup(spec->plugin, at - spec->plugin);
	return g_strdup_printf("%s,page=/proc/%d/fd/%d%s", rest, getpid(), spec->plugin_fd,
			       at + strlen(old));
}

static bool write_xml(const struct libvirt_conn *c, const struct guest_spec *spec, const char *name,
		      struct start *s, GError **error)
{
	g_autofree char *emulator = g_strdup(spec->emulator);
	struct libvirt_domain d = { .name = name, .kernel = s->kernel, .initrd = s->initrd,
				    .append = spec->append, .accel = spec->accel,
				    .cpu_model = spec->cpu_model, .extra = spec->extra,
				    .smp = spec->smp, .mem_mib = spec->mem_mib };

	if (!emulator && c->local && spec->engine) {
		emulator = libvirt_engine(spec->engine, error);
		if (!emulator)
			return false;
	}
	s->plugin = plugin_of(c, spec, error);
	if (spec->plugin && !s->plugin)
		return false;
	d.emulator = emulator;
	d.plugin = s->plugin;
	s->xml = libvirt_xml(&d, error);
	return s->xml != NULL;
}

bool libvirt_life_start(struct libvirt_conn *c, const struct guest_spec *spec, const char *name,
			const struct libvirt_ears *ears, struct libvirt_life *ret, GError **error)
{
	g_autoptr(start) s = g_atomic_rc_box_new0(struct start);
	bool ok;

	*ret = s->life = (struct libvirt_life){ .lifecycle = -1 };
	s->kernel = g_canonicalize_filename(spec->kernel, NULL);
	s->initrd = g_canonicalize_filename(spec->initrd, NULL);
	s->pool = g_strdup(spec->pool);
	s->ears = *ears;
	s->embed = c->embed;
	if (!c->local && !libvirt_run(c, work_upload, s, start_clear, UPLOAD_MS, error))
		return false;
	if (!write_xml(c, spec, name, s, error))
		return false;
	ok = libvirt_run(c, work_start, s, start_clear, START_MS, error);
	if (!libvirt_is_lost(c, NULL)) {
		*ret = s->life;
		s->life = (struct libvirt_life){ 0 };
	}
	return ok;
}

static bool work_stop(virConnectPtr conn, void *box, GError **error)
{
	struct libvirt_life *life = box;

	if (life->lifecycle >= 0)
		virConnectDomainEventDeregisterAny(conn, life->lifecycle);
	for (int i = 0; i < LIBVIRT_PORTS; i++) {
		if (!life->stream[i])
			continue;
		virStreamEventRemoveCallback(life->stream[i]);
		virStreamAbort(life->stream[i]);
		virStreamFree(life->stream[i]);
	}
	if (!life->dom)
		return true;
	virDomainDestroy(life->dom);	/* an error: it is gone already */
	virDomainFree(life->dom);
	return true;
}

void libvirt_life_stop(struct libvirt_conn *c, struct libvirt_life *life)
{
	struct libvirt_life *box = g_atomic_rc_box_new0(struct libvirt_life);

	*box = *life;
	*life = (struct libvirt_life){ .lifecycle = -1 };
	libvirt_run(c, work_stop, box, NULL, DESTROY_MS, NULL);
	g_atomic_rc_box_release(box);
}

/* --- after a connection was lost -------------------------------------------------------------- */

struct lost {
	char *name;
};

static void lost_clear(gpointer data)
{
	struct lost *lost = data;

	g_free(lost->name);
}

static bool work_end_lost(virConnectPtr conn, void *box, GError **error)
{
	struct lost *lost = box;
	virDomainPtr dom = virDomainLookupByName(conn, lost->name);

	if (!dom)
		return true;	/* it went with the connection, as it should */
	virDomainDestroy(dom);
	virDomainFree(dom);
	return true;
}

static bool end_lost(const char *uri, const char *name)
{
	g_autoptr(libvirt_conn) c = NULL;
	struct lost *lost;
	bool ok;

	if (!libvirt_open(uri, &c, NULL))
		return false;
	lost = g_atomic_rc_box_new0(struct lost);
	lost->name = g_strdup(name);
	ok = libvirt_run(c, work_end_lost, lost, lost_clear, DESTROY_MS, NULL);
	g_atomic_rc_box_release_full(lost, lost_clear);
	return ok;
}

void libvirt_life_end_lost(const char *uri, const char *name)
{
	int64_t until = g_get_monotonic_time() + RETURN_S * G_USEC_PER_SEC;

	while (!end_lost(uri, name) && g_get_monotonic_time() < until)
		g_usleep(G_USEC_PER_SEC / 2);
}
