// SPDX-License-Identifier: GPL-2.0-or-later
/* See lab_host.h: connect, look, try. */
#include "cmd/lab_host.h"

#include "guest/libvirt_host.h"

#include <string.h>

static struct job_host *host_of(const struct host_spec *spec, const char *hostname, bool remote)
{
	struct job_host *host = g_new(struct job_host, 1);

	*host = (struct job_host){ .uri = g_strdup(spec->uri),
				   .name = g_strdup(spec->name),
				   .hostname = g_strdup(hostname),
				   .pool = g_strdup(spec->pool),
				   .remote = remote };
	return host;
}

/* KVM where it is wanted and runs 64-bit code there, else TCG. */
static bool choose_accel(struct lab *lab, struct libvirt_conn *c, const struct libvirt_host *host,
			 const struct libvirt_try *tcg, const char *asked, GError **error)
{
	struct libvirt_try kvm = *tcg;

	if (strcmp(asked, "auto") != 0 && strcmp(asked, "kvm") != 0 && strcmp(asked, "tcg") != 0)
		return lab_fail(error, LAB_ERROR_USAGE, "no accelerator '%s'\nhint: auto, kvm, tcg",
				asked);
	kvm.accel = "kvm";
	if (strcmp(asked, "tcg") != 0)
		lab->accel_note = host->kvm ? libvirt_host_try(c, host, &kvm, NULL, NULL)
					    : g_strdup("the host does not offer it");
	lab->accel = g_strdup(strcmp(asked, "tcg") && !lab->accel_note ? "kvm" : "tcg");
	return strcmp(asked, "kvm") != 0 || !lab->accel_note ||
	       lab_fail(error, LAB_ERROR_UNSUPPORTED,
			"KVM does not work on '%s': %s\n"
			"hint: --accel auto falls back to TCG",
			host->hostname, lab->accel_note);
}

static bool open_remote(struct lab *lab, struct libvirt_conn *c, const char *asked,
			const struct progress *progress, GError **error)
{
	const struct host_spec *spec = lab->host_spec;
	g_autoptr(libvirt_host) host = NULL;
	g_autofree char *why = NULL;
	struct libvirt_try how = { .pool = spec->pool, .accel = "tcg" };
	bool plugins;

	progress_say(progress, "%s: looking at its QEMU", spec->name ? spec->name : spec->uri);
	if (!libvirt_host_look(c, spec->emulator, &host, error))
		return false;
	lab->host = host_of(spec, host->hostname, true);
	if (!host->emulator)
		return lab_fail(error, LAB_ERROR_UNSUPPORTED, "%s",
				host->no_emulator ? host->no_emulator : "the host has no QEMU");
	how.emulator = host->emulator;
	why = libvirt_host_try(c, host, &how, &lab->engine, &plugins);
	if (why)
		return lab_fail(error, LAB_ERROR_INFRA, "QEMU '%s' on '%s': %s", host->emulator,
				host->hostname, why);
	return choose_accel(lab, c, host, &how, asked, error);
}

/* A daemon that was killed comes back with the guests of klabs that meanwhile gave up: they would
 * have the host's CPUs beside ours. What cannot be removed is told, and no reason to stop. */
static void clean(struct libvirt_conn *c, const struct progress *progress)
{
	g_autoptr(GError) error = NULL;
	struct libvirt_left left;

	if (!libvirt_host_clean(c, NULL, LIBVIRT_KEEP_VOLUMES, &left, &error)) {
		progress_say(progress, "warning: what dead klabs left: %s", error->message);
		return;
	}
	for (guint i = 0; i < left.removed->len; i++)
		progress_say(progress, "removed '%s', which a dead klab left",
			     (char *)left.removed->pdata[i]);
	libvirt_left_clear(&left);
}

bool lab_host_open(struct lab *lab, const struct lab_params *params,
		   const struct progress *progress, GError **error)
{
	const struct host_spec *spec = lab->host_spec;
	g_autoptr(libvirt_conn) c = NULL;

	/* the driver of embed mode would live in this process, and do nothing there */
	if (!libvirt_is_embed(spec->uri) &&
	    (!libvirt_open(spec->uri, &c, error) || !libvirt_host_check(c, error)))
		return false;
	if (c)
		clean(c, progress);
	if (!c || c->local) {
		lab->host = host_of(spec, g_get_host_name(), false);
		return true;
	}
	if (params->qemu)
		return lab_fail(error, LAB_ERROR_USAGE,
				"--qemu names a file of this machine, and '%s' is another one\n"
				"hint: 'emulator:' of a host in 'hosts:' names one there",
				spec->uri);
	return open_remote(lab, c, params->accel ? params->accel : "auto", progress, error);
}

void lab_host_place(const struct lab *lab, struct job *job)
{
	engine_free(job->engine);
	job->engine = engine_copy(lab->engine);
	g_free(job->engine_trouble);
	job->engine_trouble = g_strdup(lab->engine_trouble);
	g_free(job->accel);
	job->accel = g_strdup(lab->accel);
	job_host_free(job->host);
	job->host = job_host_copy(lab->host);
}

unsigned lab_host_jobs(const struct lab *lab, unsigned asked)
{
	unsigned limit = lab->host_spec ? lab->host_spec->max_guests : 0;

	return limit ? MIN(asked, limit) : asked;
}
