// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest interface: dispatch to the backend's hooks; a NULL hook means that it cannot. */
#include "guest/guest.h"

bool guest_start(const struct guest_backend *be, const struct guest_spec *spec, struct guest **ret,
		 GError **error)
{
	g_autoptr(guest) g = g_new0(struct guest, 1);

	g->be = be;
	g->smp = spec->smp;
	if (!be->start(spec, g, error))
		return lab_prefix(error, "%s guest", be->name);
	*ret = g_steal_pointer(&g);
	return true;
}

void guest_free(struct guest *g)
{
	if (!g)
		return;
	g->be->stop(g);
	g_free(g);
}

bool guest_next(struct guest *g, int timeout_ms, struct guest_event *ret, GError **error)
{
	return g->be->next(g, CLAMP(timeout_ms, 0, 60000), ret, error);
}

int64_t guest_now_us(struct guest *g)
{
	return g->be->now_us(g);
}

static bool cannot(struct guest *g, const char *what, GError **error)
{
	return lab_fail(error, LAB_ERROR_UNSUPPORTED, "backend '%s' cannot %s", g->be->name, what);
}

bool guest_send(struct guest *g, const void *data, size_t len, GError **error)
{
	return g->be->send ? g->be->send(g, data, len, error) :
			     cannot(g, "send to the guest", error);
}

bool guest_nmi(struct guest *g, GError **error)
{
	return g->be->nmi ? g->be->nmi(g, error) : cannot(g, "raise NMIs", error);
}

bool guest_read_phys(struct guest *g, uint64_t addr, void *buf, size_t len, GError **error)
{
	return g->be->read_phys ? g->be->read_phys(g, addr, buf, len, error) :
				  cannot(g, "read guest memory", error);
}

bool guest_read_virt(struct guest *g, unsigned cpu, uint64_t addr, void *buf, size_t len,
		     GError **error)
{
	return g->be->read_virt ? g->be->read_virt(g, cpu, addr, buf, len, error) :
				  cannot(g, "read guest memory", error);
}

bool guest_read_regs(struct guest *g, struct guest_regs *ret, unsigned n, GError **error)
{
	g_return_val_if_fail(n <= g->smp, false);
	return g->be->regs ? g->be->regs(g, ret, n, error) : cannot(g, "read registers", error);
}

bool guest_read_sched(struct guest *g, struct guest_sched *ret, GError **error)
{
	return g->be->sched ? g->be->sched(g, ret, error) :
			      cannot(g, "tell how long vCPUs waited for the host", error);
}

unsigned guest_threads(struct guest *g, pid_t *ret, unsigned n)
{
	return g->be->threads ? g->be->threads(g, ret, n) : 0;
}

const char *guest_cage(struct guest *g)
{
	return g->be->cage ? g->be->cage(g) : NULL;
}

bool guest_pause(struct guest *g, bool paused, GError **error)
{
	return g->be->pause ? g->be->pause(g, paused, error) : cannot(g, "pause", error);
}

bool guest_set_cpus(struct guest *g, const struct guest_cpu_set *sets, unsigned n, GError **error)
{
	return g->be->set_cpus ? g->be->set_cpus(g, sets, n, error) :
				 cannot(g, "set registers", error);
}

bool guest_dump(struct guest *g, int fd, int timeout_ms, GError **error)
{
	return g->be->dump ? g->be->dump(g, fd, timeout_ms, error) : cannot(g, "dump memory", error);
}
