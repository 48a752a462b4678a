// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hosts of libvirt's without guests: what their XML says, and over libvirt's test driver (which
 * lives in this process) what is left over is told from what is not klab's to remove.
 */
#include "guest/libvirt_host.h"
#include "guest/owner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define URI "test:///default"
#define POOL "default-pool"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct libvirt_conn *connect_to_test(void)
{
	g_autoptr(GError) error = NULL;
	struct libvirt_conn *c = NULL;

	if (!libvirt_open(URI, &c, &error))
		fail_msg("%s", error->message);
	return c;
}

/* "HOST-PID-START" of a process of this host that has ended. */
static char *dead_owner(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return g_strdup_printf("%.8s-%d-777", owner_self(), pid);
}

static void caps_are_read(void **unused)
{
	g_autoptr(libvirt_host) host = g_new0(struct libvirt_host, 1);

	libvirt_host_read_caps(
		"<capabilities><host><cpu><arch>x86_64</arch><model>EPYC</model></cpu>"
		"</host><guest><x><arch>i686</arch><model>y</model></x></guest>"
		"</capabilities>",
		host);
	assert_string_equal(host->cpu, "EPYC");
	assert_string_equal(host->arch, "x86_64");
	libvirt_host_read_domcaps("<domainCapabilities><path>/usr/bin/q</path><domain>kvm</domain>"
				  "<os><path>/else</path></os></domainCapabilities>",
				  host);
	assert_string_equal(host->emulator, "/usr/bin/q");
	assert_true(host->kvm);
	assert_false(host->qemu);
}

static void any_text_is_no_trouble(void **unused)
{
	static const char *const texts[] = {
		"",
		"<",
		"<capabilities>",
		"<a><b><c/></b>",
		"\xff<a/>",
		"<!DOCTYPE a [<!ENTITY x 'y'>]><a><path>&x;</path></a>"
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(libvirt_host) host = g_new0(struct libvirt_host, 1);

		libvirt_host_read_caps(texts[i], host);
		libvirt_host_read_domcaps(texts[i], host);
		assert_null(host->cpu);
		assert_null(host->emulator);
	}
}

static void times_of_volumes_are_read(void **unused)
{
	assert_int_equal(libvirt_volume_mtime("<a><mtime>1795356911.516355076</mtime></a>"),
			 1795356911);
	assert_int_equal(libvirt_volume_mtime("<mtime>"), 0);
	assert_int_equal(libvirt_volume_mtime("<mtime>-5</mtime>"), 0);
	assert_int_equal(libvirt_volume_mtime(""), 0);
}

static void other_drivers_are_refused(void **unused)
{
	g_autoptr(libvirt_conn) c = connect_to_test();
	g_autoptr(libvirt_host) host = NULL;
	g_autoptr(GError) error = NULL, why = NULL;

	assert_false(libvirt_host_check(c, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_UNSUPPORTED));
	assert_non_null(strstr(error->message, "libvirt's TEST driver, which runs no QEMU guests"));
	assert_false(libvirt_host_look(c, NULL, &host, &why));
	assert_non_null(strstr(why->message, "TEST driver"));
}

static void make_domain(struct libvirt_conn *c, const char *name)
{
	g_autofree char *xml = g_strdup_printf(
		"<domain type='test'><name>%s</name><memory>1024</memory><os><type>hvm</type></os>"
		"</domain>",
		name);
	virDomainPtr domain = virDomainCreateXML(c->conn, xml, 0);

	assert_non_null(domain);
	virDomainFree(domain);
}

static bool has_domain(struct libvirt_conn *c, const char *name)
{
	virDomainPtr domain = virDomainLookupByName(c->conn, name);
	bool has = domain && virDomainIsActive(domain) == 1;

	if (domain)
		virDomainFree(domain);
	return has;
}

static void only_domains_of_the_dead_go(void **unused)
{
	g_autoptr(libvirt_conn) c = connect_to_test();
	g_autofree char *owner = dead_owner(), *dead = g_strdup_printf("klab-%s-job.0", owner);
	g_autofree char *alive = owner_domain_name("job.1");
	const char *foreign = "klab-00000000-7-8-job.2", *others = "klab-build-server";
	struct libvirt_left left;
	g_autoptr(GError) error = NULL;

	make_domain(c, dead);
	make_domain(c, alive);
	make_domain(c, foreign);
	make_domain(c, others);
	assert_true(libvirt_host_clean(c, POOL, 7, &left, &error));
	assert_int_equal(left.removed->len, 1);
	assert_string_equal(left.removed->pdata[0], dead);
	assert_int_equal(left.elsewhere->len, 1);
	assert_string_equal(left.elsewhere->pdata[0], foreign);
	assert_int_equal(left.alive, 1);
	assert_false(has_domain(c, dead));
	assert_true(has_domain(c, alive));
	assert_true(has_domain(c, foreign));
	assert_true(has_domain(c, others));
	assert_true(has_domain(c, "test"));
	libvirt_left_clear(&left);
}

static void make_volume(struct libvirt_conn *c, const char *name)
{
	g_autofree char *xml =
		g_strdup_printf("<volume><name>%s</name><capacity>4</capacity></volume>", name);
	virStoragePoolPtr pool = virStoragePoolLookupByName(c->conn, POOL);
	virStorageVolPtr vol = virStorageVolCreateXML(pool, xml, 0);

	assert_non_null(vol);
	virStorageVolFree(vol);
	virStoragePoolFree(pool);
}

static char *list_volumes(struct libvirt_conn *c)
{
	virStoragePoolPtr pool = virStoragePoolLookupByName(c->conn, POOL);
	g_autoptr(GString) all = g_string_new(NULL);
	virStorageVolPtr *vols;
	int n = virStoragePoolListAllVolumes(pool, &vols, 0);

	for (int i = 0; i < n; i++) {
		g_string_append_printf(all, "%s ", virStorageVolGetName(vols[i]));
		virStorageVolFree(vols[i]);
	}
	free(vols);
	virStoragePoolFree(pool);
	return g_string_free(g_steal_pointer(&all), FALSE);
}

/* The test driver dates nothing: what has no date is new. */
static void only_cut_uploads_of_the_dead_go(void **unused)
{
	g_autoptr(libvirt_conn) c = connect_to_test();
	g_autofree char *owner = dead_owner(), *left_over = NULL;
	g_autofree char *cut = g_strdup_printf("klab-" SHA "-%s.0", owner);
	g_autofree char *whole = g_strdup_printf("klab-" SHA "-%s.1", owner);
	g_autofree char *mark = g_strconcat(whole, ".ok", NULL);
	g_autofree char *lone = g_strdup_printf("klab-" SHA "-%s.2.ok", owner);
	g_autofree char *ours = g_strdup_printf("klab-" SHA "-%s.3", owner_self());
	const char *foreign = "klab-" SHA "-00000000-7-8.0", *others = "klab-" SHA;
	const char *const names[] = {
		cut, whole, mark, lone, ours, foreign, others, "debian.qcow2"
	};
	struct libvirt_left left;
	g_autoptr(GError) error = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		make_volume(c, names[i]);
	assert_true(libvirt_host_clean(c, POOL, 7, &left, &error));
	left_over = list_volumes(c);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		bool goes = names[i] == cut || names[i] == lone;
		g_autofree char *word = g_strdup_printf("%s ", names[i]);

		if (goes == (strstr(left_over, word) != NULL))
			fail_msg("'%s' %s: %s", names[i], goes ? "stays" : "goes", left_over);
	}
	assert_int_equal(left.volumes.removed, 2);
	assert_int_equal(left.volumes.kept, 1);
	assert_int_equal(left.volumes.unfinished, 2);
	libvirt_left_clear(&left);
}

static bool have(virConnectPtr conn, void *box, GError **error)
{
	char *path = NULL;

	return libvirt_volume_have(conn, *(char **)box, "/proc/self/exe", &path, error);
}

static char *have_trouble(struct libvirt_conn *c, const char *pool)
{
	char **box = g_atomic_rc_box_new0(char *);
	g_autoptr(GError) error = NULL;
	bool ok;

	*box = (char *)pool;
	ok = libvirt_run(c, have, box, NULL, 10000, &error);
	g_atomic_rc_box_release(box);
	assert_false(ok);
	return g_strdup(error->message);
}

static void an_upload_that_fails_leaves_nothing(void **unused)
{
	g_autoptr(libvirt_conn) c = connect_to_test();
	g_autofree char *before = list_volumes(c), *why = have_trouble(c, POOL), *after = NULL;
	g_autofree char *missing = have_trouble(c, NULL), *named = have_trouble(c, "none");

	after = list_volumes(c);
	assert_string_equal(before, after);
	assert_non_null(strstr(why, "the upload of '/proc/self/exe' was cut"));
	assert_non_null(strstr(missing, "the host has no storage pool 'default'"));
	assert_non_null(strstr(missing, "hint: virsh -c URI pool-create-as default dir"));
	assert_non_null(strstr(named, "the host has no storage pool 'none'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(caps_are_read),
		cmocka_unit_test(any_text_is_no_trouble),
		cmocka_unit_test(times_of_volumes_are_read),
		cmocka_unit_test(other_drivers_are_refused),
		cmocka_unit_test(only_domains_of_the_dead_go),
		cmocka_unit_test(only_cut_uploads_of_the_dead_go),
		cmocka_unit_test(an_upload_that_fails_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
