// SPDX-License-Identifier: GPL-2.0-or-later
/* Does a host of libvirt's run 64-bit code, and which QEMU does it there? Seen by the tiny guest.
 */
#include "guest/libvirt_host.h"

#include "base/fs.h"
#include "guest/accel_guest.h"
#include "guest/guest.h"
#include "guest/owner.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <jansson.h>
#include <libvirt/libvirt-qemu.h>
#include <string.h>

#define MONITOR_MS 10000
#define TCG_LIMIT_S 20 /* as of engine_accel_works() */
#define KVM_LIMIT_S 3
#define POLL_MS 50
#define TRY_MEM_MIB 32

/* RDX of the tiny guest at its end: what it computed, and the port that it wrote to last. */
#define PROOF_RDX ((UINT64_C(5000050000) << 20) | 0xf4)

/* --- the monitor -------------------------------------------------------------------------------
 */

struct ask {
	char *domain, *version, *options; /* replies of the monitor */
};

static void ask_clear(gpointer box)
{
	struct ask *ask = box;

	g_free(ask->domain);
	g_free(ask->version);
	g_free(ask->options);
}

static char *monitor(virDomainPtr domain, const char *command)
{
	char *reply = NULL, *copy;

	virDomainQemuMonitorCommand(domain, command, &reply, 0);
	copy = g_strdup(reply);
	free(reply);
	return copy;
}

static bool ask_work(virConnectPtr conn, void *box, GError **error)
{
	struct ask *ask = box;
	virDomainPtr domain = virDomainLookupByName(conn, ask->domain);

	if (!domain)
		return lab_fail_libvirt(error, "domain '%s'", ask->domain);
	ask->version = monitor(domain, "{\"execute\":\"query-version\"}");
	ask->options = monitor(domain, "{\"execute\":\"query-command-line-options\"}");
	virDomainFree(domain);
	return true;
}

static json_t *reply_of(const char *text)
{
	json_t *json = text ? json_loads(text, 0, NULL) : NULL;
	json_t *reply = json_incref(json_object_get(json, "return"));

	json_decref(json);
	return reply;
}

static bool takes_plugins(const char *options)
{
	json_t *list = reply_of(options), *item;
	bool found = false;
	size_t i;

	json_array_foreach (list, i, item)
		found |= !g_strcmp0(json_string_value(json_object_get(item, "option")), "plugin");
	json_decref(list);
	return found;
}

/* As `qemu --version` has it: "10.0.2 (Debian 1:10.0.2+ds-2)". */
static char *version_text(const json_t *reply, struct engine *e)
{
	const json_t *qemu = json_object_get(reply, "qemu");
	const char *package = json_string_value(json_object_get(reply, "package"));

	e->major = json_integer_value(json_object_get(qemu, "major"));
	e->minor = json_integer_value(json_object_get(qemu, "minor"));
	e->micro = json_integer_value(json_object_get(qemu, "micro"));
	return package && *package
		       ? g_strdup_printf("%u.%u.%u (%s)", e->major, e->minor, e->micro, package)
		       : g_strdup_printf("%u.%u.%u", e->major, e->minor, e->micro);
}

/* The host's UUID would say more, but where the firmware has none libvirt makes one up at each
 * start. */
static struct engine *engine_of(const char *uri, const struct libvirt_host *host,
				const json_t *reply)
{
	struct engine *e = g_new0(struct engine, 1);
	g_autofree char *text = NULL;

	e->binary = g_strdup(host->emulator);
	e->version = version_text(reply, e);
	e->args = g_new0(char *, 1);
	e->env = g_new0(char *, 1);
	text = g_strjoin("\n", uri, host->hostname ? host->hostname : "",
			 host->cpu ? host->cpu : "", e->binary, e->version, NULL);
	e->sha256 = fs_sha256_bytes(text, strlen(text));
	return e;
}

static char *ask_engine(struct libvirt_conn *c, const struct libvirt_host *host, const char *domain,
			struct engine **ret, bool *ret_plugins)
{
	struct ask *ask = g_atomic_rc_box_new0(struct ask);
	g_autoptr(GError) why = NULL;
	json_t *reply;

	ask->domain = g_strdup(domain);
	if (!libvirt_run(c, ask_work, ask, ask_clear, MONITOR_MS, &why)) {
		g_atomic_rc_box_release_full(ask, ask_clear);
		return g_strdup(why->message);
	}
	reply = reply_of(ask->version);
	*ret_plugins = takes_plugins(ask->options);
	if (reply)
		*ret = engine_of(c->uri, host, reply);
	json_decref(reply);
	g_atomic_rc_box_release_full(ask, ask_clear);
	return reply ? NULL : g_strdup("its monitor does not tell its version");
}

/* --- the guest ---------------------------------------------------------------------------------
 */

/* NULL once it has computed its sum and halted. */
static char *await_proof(struct guest *g, unsigned limit_s)
{
	int64_t until = g_get_monotonic_time() + limit_s * G_USEC_PER_SEC;

	while (g_get_monotonic_time() < until) {
		struct guest_regs regs;
		struct guest_event ev;
		g_autoptr(GError) why = NULL;

		if (!guest_next(g, POLL_MS, &ev, &why))
			return g_strdup(why->message);
		if (ev.kind == GUEST_EXIT)
			return g_strdup_printf("QEMU ended: %s", ev.message);
		if (guest_read_regs(g, &regs, 1, &why) && regs.halted && regs.rdx == PROOF_RDX)
			return NULL;
	}
	return g_strdup_printf("64-bit code did not run within %u s", limit_s);
}

static char *boot_tiny(struct libvirt_conn *c, const struct libvirt_host *host,
		       const struct libvirt_try *how, const char *image, struct engine **ret_engine,
		       bool *ret_plugins)
{
	g_autofree char *name = owner_domain_name(how->accel);
	const struct guest_spec spec = {
		.engine = how->engine,
		.kernel = image,
		.initrd = image,
		.append = "klab",
		.smp = 1,
		.mem_mib = TRY_MEM_MIB,
		.accel = how->accel,
		.cpu_model = "max",
		.connect = c->uri,
		.name = name,
		.emulator = how->emulator,
		.pool = how->pool,
	};
	g_autoptr(GError) why = NULL;
	g_autoptr(guest) g = NULL;
	char *trouble;

	if (!guest_start(&guest_backend_libvirt, &spec, &g, &why))
		return g_strdup(why->message);
	trouble = await_proof(g, strcmp(how->accel, "tcg") ? KVM_LIMIT_S : TCG_LIMIT_S);
	if (!trouble && ret_engine)
		trouble = ask_engine(c, host, name, ret_engine, ret_plugins);
	return trouble;
}

char *libvirt_host_try(struct libvirt_conn *c, const struct libvirt_host *host,
		       const struct libvirt_try *how, struct engine **ret_engine, bool *ret_plugins)
{
	char *why;
	g_autofree char *image = accel_guest_write(&why);

	if (!image)
		return why;
	why = boot_tiny(c, host, how, image, ret_engine, ret_plugins);
	g_unlink(image);
	return why;
}
