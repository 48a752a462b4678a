// SPDX-License-Identifier: GPL-2.0-or-later
/* What klabs that died have left on a host of libvirt's: domains here, files in libvirt_volume.c.
 */
#include "guest/libvirt_host.h"

#include "guest/owner.h"

#include <libvirt/virterror.h>

#define CLEAN_MS 120000

struct clean {
	char *pool;
	int days;
	struct libvirt_left left;
};

void libvirt_left_clear(struct libvirt_left *left)
{
	g_clear_pointer(&left->removed, g_ptr_array_unref);
	g_clear_pointer(&left->elsewhere, g_ptr_array_unref);
}

static void clean_clear(gpointer box)
{
	struct clean *clean = box;

	g_free(clean->pool);
	libvirt_left_clear(&clean->left);
}

/* A domain that is gone meanwhile is what was wanted. */
static bool destroy(virDomainPtr domain, const char *name, GError **error)
{
	if (virDomainDestroy(domain) && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN &&
	    virDomainIsActive(domain) == 1)
		return lab_fail_libvirt(error, "domain '%s' cannot be destroyed", name);
	return true;
}

static bool clean_domain(virDomainPtr domain, struct libvirt_left *left, GError **error)
{
	const char *name = virDomainGetName(domain);

	switch (name ? owner_of(name, "klab") : OWNER_NONE) {
	case OWNER_NONE:
		return true;
	case OWNER_ALIVE:
		left->alive++;
		return true;
	case OWNER_ELSEWHERE:
		g_ptr_array_add(left->elsewhere, g_strdup(name));
		return true;
	case OWNER_DEAD:
		g_ptr_array_add(left->removed, g_strdup(name));
		return destroy(domain, name, error);
	}
	return true;
}

static bool clean_work(virConnectPtr conn, void *box, GError **error)
{
	struct clean *clean = box;
	virDomainPtr *domains = NULL;
	int n = virConnectListAllDomains(conn, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	bool ok = true;

	if (n < 0)
		return lab_fail_libvirt(error, "domains");
	for (int i = 0; i < n; i++) {
		ok = ok && clean_domain(domains[i], &clean->left, error);
		virDomainFree(domains[i]);
	}
	free(domains);
	if (!ok || clean->days == LIBVIRT_KEEP_VOLUMES)
		return ok;
	return libvirt_volume_sweep(conn, clean->pool, clean->days, &clean->left.volumes, error);
}

bool libvirt_host_clean(struct libvirt_conn *c, const char *pool, int days,
			struct libvirt_left *ret, GError **error)
{
	struct clean *clean = g_atomic_rc_box_new0(struct clean);
	bool ok;

	clean->pool = g_strdup(pool);
	clean->days = days;
	clean->left.removed = g_ptr_array_new_with_free_func(g_free);
	clean->left.elsewhere = g_ptr_array_new_with_free_func(g_free);
	ok = libvirt_run(c, clean_work, clean, clean_clear, CLEAN_MS, error);
	if (ok) {
		*ret = clean->left;
		clean->left.removed = clean->left.elsewhere = NULL;
	}
	g_atomic_rc_box_release_full(clean, clean_clear);
	return ok;
}
