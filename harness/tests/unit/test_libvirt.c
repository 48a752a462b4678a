// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest/libvirt_*: connections with deadlines and their errors on libvirt's own test driver, the
 * domain's XML, QEMU's words, the engine's script, embed mode's guard. Guests are the conformance
 * test's.
 */
#include "base/fs.h"
#include "guest/guest.h"
#include "guest/libvirt_conn.h"
#include "guest/libvirt_embed.h"
#include "guest/libvirt_engine.h"
#include "guest/libvirt_inside.h"
#include "guest/libvirt_log.h"
#include "guest/libvirt_xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glib/gstdio.h>
#include <libxml/parser.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static char *dir;

static int setup(void **state)
{
	g_autofree char *cache = NULL;

	dir = g_dir_make_tmp("klab-virt-XXXXXX", NULL);
	cache = g_build_filename(dir, "cache", NULL);
	g_setenv("XDG_CACHE_HOME", cache, TRUE);
	return 0;
}

static int teardown(void **state)
{
	bool ok = fs_remove(dir, NULL);

	g_clear_pointer(&dir, g_free);
	return ok ? 0 : -1;
}

static void assert_says(const GError *error, const char *words)
{
	assert_non_null(error);
	if (!strstr(error->message, words))
		fail_msg("'%s' does not say '%s'", error->message, words);
}

/* --- URIs ------------------------------------------------------------------------------------- */

static void knows_where_a_uri_leads(void **state)
{
	static const struct {
		const char *uri;
		bool local, embed;
	} cases[] = {
		{ "qemu:///embed", true, true },
		{ "qemu:///embed?root=/tmp/x", true, true },
		{ "qemu:///embedded", true, false },
		{ "qemu:///session", true, false },
		{ "qemu:///system", true, false },
		{ "qemu+unix:///system", true, false },
		{ "qemu+unix:///system?socket=/x", true, false },
		{ "test:///default", true, false },
		{ "qemu+tcp://127.0.0.1:16601/system", false, false },
		{ "qemu+ssh://lab/system", false, false },
		{ "qemu+ssh:///system", false, false },
		{ "qemu://lab/system", false, false },
		{ "qemu+tls://lab/system", false, false },
		{ "", true, false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		if (libvirt_is_local(cases[i].uri) != cases[i].local ||
		    libvirt_is_embed(cases[i].uri) != cases[i].embed)
			fail_msg("'%s'", cases[i].uri);
	}
}

static void finds_the_folder_of_a_uri(void **state)
{
	g_autofree char *plain = embed_dir_of("qemu:///embed?root=/tmp/x");
	g_autofree char *coded = embed_dir_of("qemu:///embed?a=b&root=%2Ftmp%2Fy%20z");

	assert_string_equal(plain, "/tmp/x");
	assert_string_equal(coded, "/tmp/y z");
	assert_null(embed_dir_of("qemu:///embed"));
	assert_null(embed_dir_of("qemu:///embed?"));
	assert_null(embed_dir_of("qemu:///embed?%zz=%"));
}

/* --- connections ------------------------------------------------------------------------------ */

static bool open_fails(const char *uri, GError **error)
{
	struct libvirt_conn *c = NULL;
	bool failed = !libvirt_open(uri, &c, error) && !c;

	libvirt_close(c);
	return failed;
}

static void errors_are_sentences_with_hints(void **state)
{
	static const struct {
		const char *uri;
		enum lab_error code;
		const char *says, *hint;
	} cases[] = {
		{ "qemu+tcp://127.0.0.1:1/system", LAB_ERROR_INFRA, "Connection refused",
		  "nothing listens there" },
		{ "qemu+unix:///system?socket=/nonexistent", LAB_ERROR_INFRA,
		  "No such file or directory", "qemu:///embed" },
		{ "not a uri", LAB_ERROR_INFRA, "cannot connect to libvirt at 'not a uri'", "" },
		{ "qemu:///embed?root=relative", LAB_ERROR_USAGE, "'root=relative'", "" },
		{ "qemu:///embed?root=/tmp/0123456789012345678901234567890123456789",
		  LAB_ERROR_USAGE, "longer than", "hint: qemu:///embed?root=/tmp" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		assert_true(open_fails(cases[i].uri, &error));
		assert_says(error, cases[i].says);
		assert_says(error, cases[i].hint);
		if (!g_error_matches(error, LAB_ERROR, cases[i].code))
			fail_msg("'%s': code %d", error->message, error->code);
	}
}

struct twice {
	unsigned ran;
	unsigned *cleared;
	unsigned sleep_ms;
};

static void count_clear(gpointer data)
{
	struct twice *t = data;

	__atomic_add_fetch(t->cleared, 1, __ATOMIC_SEQ_CST);
}

static bool work_twice(virConnectPtr conn, void *box, GError **error)
{
	struct twice *t = box;

	t->ran++;
	g_usleep(t->sleep_ms * 1000);
	return t->ran == 1 ? virDomainLookupByName(conn, "nobody") ||
				     lab_fail_libvirt(error, "domain '%s'", "nobody") :
			     true;
}

static void calls_run_and_tell_their_errors(void **state)
{
	g_autoptr(libvirt_conn) c = NULL;
	g_autoptr(GError) error = NULL;
	unsigned cleared = 0;
	struct twice *t = g_atomic_rc_box_new0(struct twice);

	t->cleared = &cleared;
	assert_true(libvirt_open("test:///default", &c, &error));
	assert_true(c->local && !c->embed && !c->root);
	assert_false(libvirt_run(c, work_twice, t, count_clear, 5000, &error));
	assert_says(error, "domain 'nobody': ");
	g_clear_error(&error);
	assert_true(libvirt_run(c, work_twice, t, count_clear, 5000, &error));
	assert_int_equal(t->ran, 2);
	assert_int_equal(cleared, 0);
	g_atomic_rc_box_release_full(t, count_clear);
	assert_int_equal(cleared, 1);
	assert_false(libvirt_is_lost(c, NULL));
}

/* The call goes on behind our back; its box lives as long, and the connection is done for. */
static void a_missed_deadline_ends_the_connection(void **state)
{
	g_autoptr(GError) error = NULL;
	static unsigned cleared;
	struct libvirt_conn *c = NULL;
	struct twice *t = g_atomic_rc_box_new0(struct twice);
	int64_t start_us = g_get_monotonic_time();

	t->cleared = &cleared;
	t->sleep_ms = 700;
	t->ran = 1;
	assert_true(libvirt_open("test:///default", &c, NULL));
	assert_false(libvirt_run(c, work_twice, t, count_clear, 100, &error));
	assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_TIMEOUT));
	assert_says(error, "did not answer");
	assert_says(error, "hint: ");
	g_atomic_rc_box_release_full(t, count_clear);
	g_clear_error(&error);
	assert_false(libvirt_run(c, work_twice, NULL, NULL, 5000, &error));
	assert_says(error, "did not answer");
	libvirt_close(c);
	assert_true(g_get_monotonic_time() - start_us < 600000);
	for (int i = 0; i < 500 && !__atomic_load_n(&cleared, __ATOMIC_SEQ_CST); i++)
		g_usleep(10000);
	assert_int_equal(cleared, 1);
}

/* Domains that libvirt refuses, on its test driver: no QEMU is asked. */
static void domains_that_cannot_start_are_told(void **state)
{
	struct guest_spec spec = { .kernel = "/boot/k", .initrd = "/boot/i", .append = "x",
				   .smp = 1, .mem_mib = 64, .accel = "tcg", .cpu_model = "max",
				   .connect = "test:///default", .name = "test" };
	g_autoptr(GError) error = NULL, taken = NULL;
	struct guest *g = NULL;

	/* the driver comes with a domain "test", and takes no autodestroy */
	assert_false(guest_start(&guest_backend_libvirt, &spec, &g, &error));
	assert_null(g);
	assert_says(error, "libvirt guest: libvirt did not start the guest: ");
	spec.append = "a\001b";
	g_clear_error(&error);
	assert_false(guest_start(&guest_backend_libvirt, &spec, &g, &error));
	assert_says(error, "the kernel's command line holds a character");
	spec.connect = NULL;
	g_clear_error(&error);
	assert_false(guest_start(&guest_backend_libvirt, &spec, &g, &error));
	assert_says(error, "no URI");
}

static bool work_name_taken(virConnectPtr conn, void *box, GError **error)
{
	static const char xml[] = "<domain type='test'><name>test</name>"
				  "<memory>8192</memory><os><type>hvm</type></os></domain>";
	virDomainPtr dom = virDomainCreateXML(conn, *(const char **)box ?: xml, 0);

	if (!dom)
		return lab_fail_libvirt(error, "start");
	virDomainFree(dom);
	return true;
}

static void names_taken_and_bad_xml_have_hints(void **state)
{
	static const struct {
		const char *xml, *says;
		enum lab_error code;
	} cases[] = {
		{ NULL, "klab doctor --clean", LAB_ERROR_INFRA },
		{ "<domain", "knows no such domain", LAB_ERROR_UNSUPPORTED },
		{ "<domain type='test'/>", "missing name", LAB_ERROR_INFRA },
	};
	g_autoptr(libvirt_conn) c = NULL;

	assert_true(libvirt_open("test:///default", &c, NULL));
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		const char **box = g_atomic_rc_box_new0(const char *);

		*box = cases[i].xml;
		assert_false(libvirt_run(c, work_name_taken, box, NULL, 5000, &error));
		g_atomic_rc_box_release(box);
		assert_says(error, cases[i].says);
		if (!g_error_matches(error, LAB_ERROR, cases[i].code))
			fail_msg("'%s': code %d", error->message, error->code);
	}
}

/* --- XML -------------------------------------------------------------------------------------- */

static const struct libvirt_domain whole = {
	.name = "klab-a<b>", .emulator = "/opt/q'emu", .kernel = "/k & l", .initrd = "/i",
	.append = "console=ttyS0 x=\"<&>\"", .accel = "tcg", .cpu_model = "Haswell-noTSX",
	.plugin = "/p.so,page=/proc/1/fd/2",
	.extra = (const char *const[]){ "-d", "int", NULL }, .smp = 4, .mem_mib = 768,
};

static char *text_of(xmlNodePtr node, const char *name)
{
	for (xmlNodePtr n = node; n; n = n->next) {
		xmlChar *text;
		char *found = n->children ? text_of(n->children, name) : NULL;

		if (found)
			return found;
		if (n->type != XML_ELEMENT_NODE || strcmp((const char *)n->name, name) != 0)
			continue;
		text = xmlNodeGetContent(n);
		found = g_strdup((const char *)text);
		xmlFree(text);
		return found;
	}
	return NULL;
}

static void assert_text(xmlDocPtr doc, const char *name, const char *want)
{
	g_autofree char *got = text_of(xmlDocGetRootElement(doc), name);

	if (g_strcmp0(got, want) != 0)
		fail_msg("<%s> is '%s', not '%s'", name, got ?: "missing", want ?: "missing");
}

static void the_domain_is_the_machine_that_was_asked_for(void **state)
{
	g_autofree char *xml = libvirt_xml(&whole, NULL);
	xmlDocPtr doc = xmlReadMemory(xml, strlen(xml), "domain", NULL, XML_PARSE_NONET);

	assert_non_null(doc);
	assert_text(doc, "name", whole.name);
	assert_text(doc, "emulator", whole.emulator);
	assert_text(doc, "kernel", whole.kernel);
	assert_text(doc, "initrd", whole.initrd);
	assert_text(doc, "cmdline", whole.append);
	assert_text(doc, "memory", "768");
	assert_text(doc, "vcpu", "4");
	assert_text(doc, "on_reboot", "destroy");
	assert_text(doc, "on_poweroff", "destroy");
	assert_text(doc, "on_crash", "destroy");
	assert_non_null(strstr(xml, "<domain type=\"qemu\""));
	assert_non_null(strstr(xml, "<topology sockets=\"1\" cores=\"4\" threads=\"1\"/>"));
	assert_non_null(strstr(xml, "<memballoon model=\"none\"/>"));
	assert_non_null(strstr(xml, "<qemu:arg value=\"-cpu\"/>\n"
				    "  <qemu:arg value=\"Haswell-noTSX\"/>\n"
				    "  <qemu:arg value=\"-plugin\"/>\n"
				    "  <qemu:arg value=\"/p.so,page=/proc/1/fd/2\"/>\n"
				    "  <qemu:arg value=\"-d\"/>\n"
				    "  <qemu:arg value=\"int\"/>\n"));
	xmlFreeDoc(doc);
}

static void what_is_not_asked_for_is_not_in_it(void **state)
{
	struct libvirt_domain d = { .name = "n", .kernel = "/k", .accel = "kvm",
				    .cpu_model = "host", .smp = 1, .mem_mib = 64 };
	g_autofree char *xml = libvirt_xml(&d, NULL);

	assert_non_null(strstr(xml, "<domain type=\"kvm\""));
	assert_null(strstr(xml, "emulator"));
	assert_null(strstr(xml, "initrd"));
	assert_null(strstr(xml, "-plugin"));
}

static void text_that_xml_cannot_hold_is_refused(void **state)
{
	static const char *const bad[] = { "a\001", "\033[0m", "\xff", "\xc3" };

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		const char *extra[] = { "-name", bad[i], NULL };
		struct libvirt_domain d = whole;
		g_autoptr(GError) error = NULL;

		d.append = bad[i];
		assert_null(libvirt_xml(&d, &error));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_UNSUPPORTED));
		d.append = whole.append;
		d.extra = extra;
		assert_null(libvirt_xml(&d, NULL));
	}
}

/* --- what libvirt and QEMU say ---------------------------------------------------------------- */

static const char log_text[] =
	"2026-01-31 12:00:00.000+0000: starting up libvirt version: 9.0.0, hostname: h\n"
	"PATH=/bin \\\n"
	"/usr/bin/qemu-system-x86_64 \\\n"
	"-msg timestamp=on\n"
	"an old run's words\n"
	"2026-01-31 12:34:56.123+0000: starting up libvirt version: 9.0.0, hostname: h\n"
	"LC_ALL=C \\\n"
	"/opt/qemu \\\n"
	"-append 'a \\\n"
	"-msg timestamp=on\n"
	"2026-01-31 12:34:56.200+0000: Domain id=1 is tainted: custom-argv\n"
	"char device redirected to /dev/pts/3 (label charserial0)\n"
	"2026-01-31T12:34:57.123456Z qemu-system-x86_64: it is broken\n"
	"a library's complaint\n"
	"2026-01-31 12:34:58.200+0000: shutting down, reason=crashed\n";

static void takes_qemus_words_out_of_a_log(void **state)
{
	g_autofree char *words = libvirt_log_words(log_text, strlen(log_text));
	g_autofree char *none = libvirt_log_words("", 0);

	assert_string_equal(words, "qemu-system-x86_64: it is broken\na library's complaint\n");
	assert_string_equal(none, "");
	for (size_t len = 0; len < strlen(log_text); len++) {
		g_autofree char *cut = g_memdup2(log_text, len), *any = libvirt_log_words(cut, len);

		assert_true(strlen(any) <= LIBVIRT_WORDS_MAX);
	}
}

static void reads_addresses_of_the_monitor(void **state)
{
	uint64_t gpa = 7;

	assert_true(libvirt_gpa_parse("gpa: 0x1f400000\r\n", &gpa));
	assert_true(gpa == 0x1f400000);
	assert_true(libvirt_gpa_parse("gpa: 0\n", &gpa) == false);
	assert_false(libvirt_gpa_parse("Unmapped\r\n", &gpa));
	assert_false(libvirt_gpa_parse("gpa: 0x", &gpa));
	assert_false(libvirt_gpa_parse("gpa: 0x-1", &gpa));
	assert_false(libvirt_gpa_parse("gpa: 0xfffffffffffffffff", &gpa));
	assert_false(libvirt_gpa_parse("", &gpa));
	assert_true(gpa == 0x1f400000);
}

/* --- the engine's script ---------------------------------------------------------------------- */

static char *run_script(const char *path)
{
	const char *argv[] = { path, "-a", "b c", NULL };
	char *out = NULL;

	assert_true(g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, &out, NULL, NULL, NULL));
	return out;
}

static void an_engine_gets_a_script_where_it_needs_one(void **state)
{
	struct engine plain = { .binary = (char *)"/usr/bin/qemu" };
	char *args[] = { (char *)"-L", (char *)"/x y", NULL }, *env[] = { (char *)"KLAB_X=it's",
									  NULL };
	struct engine private = { .args = args, .env = env };
	g_autofree char *same = libvirt_engine(&plain, NULL), *path = NULL, *again = NULL;
	g_autofree char *out = NULL, *fake = g_build_filename(dir, "fake qemu", NULL);
	GStatBuf before, after;

	assert_string_equal(same, plain.binary);
	assert_true(fs_write(fake, "#!/bin/sh\necho \"$KLAB_X|$*\"\n", 28, NULL));
	assert_int_equal(g_chmod(fake, 0755), 0);
	private.binary = fake;
	path = libvirt_engine(&private, NULL);
	out = run_script(path);
	assert_string_equal(out, "it's|-L /x y -a b c\n");
	assert_int_equal(g_stat(path, &before), 0);
	again = libvirt_engine(&private, NULL);
	assert_string_equal(path, again);
	assert_int_equal(g_stat(path, &after), 0);
	assert_true(before.st_ctime == after.st_ctime && before.st_ino == after.st_ino);
	/* one that lost its permission, or was cut, is made whole */
	assert_int_equal(g_chmod(path, 0644), 0);
	g_free(libvirt_engine(&private, NULL));
	assert_int_equal(access(path, X_OK), 0);
}

/* --- embed mode ------------------------------------------------------------------------------- */

static bool is_gone(const char *path)
{
	return access(path, F_OK) < 0;
}

static bool has_died(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid), *stat = NULL;

	return !fs_read(path, 4096, &stat, NULL, NULL) || strstr(stat, ") Z ");
}

/* The engine's place is taken by one who names the folder, as QEMU's arguments do. */
static pid_t start_fake(const char *root, const char *sub)
{
	g_autofree char *folder = g_build_filename(root, sub, NULL);
	g_autofree char *log = g_build_filename(folder, "log", NULL), *text = NULL;
	g_autofree char *file = g_build_filename(folder, "x.pid", NULL);
	const char *argv[] = { "tail", "-f", log, NULL };
	GPid pid;

	assert_true(fs_mkdir(folder, NULL) && fs_write(log, "", 0, NULL));
	assert_true(g_spawn_async("/", (char **)argv, NULL,
				  G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH, NULL, NULL, &pid,
				  NULL));
	text = g_strdup_printf("%d\n", pid);
	assert_true(fs_write(file, text, strlen(text), NULL));
	return pid;
}

static void wait_gone(const char *root)
{
	for (int i = 0; i < 1000 && !is_gone(root); i++)
		g_usleep(10000);
	assert_true(is_gone(root));
}

/* As a child process, for the folder is one a process: says its folder, and waits to be killed. */
static pid_t be_klab(const char *uri, int tell)
{
	pid_t pid = fork();
	const char *root;

	if (pid)
		return pid;
	root = embed_prepare(uri, NULL);
	if (!root || write(tell, root, strlen(root)) < 0)
		_exit(1);
	close(tell);
	pause();
	_exit(0);
}

static void a_guard_ends_what_a_killed_klab_leaves(void **state)
{
	g_autofree char *uri = g_strdup_printf("qemu:///embed?root=%s", dir);
	char root[200] = "";
	pid_t klab, engines[2], bystander;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	klab = be_klab(uri, ends[1]);
	close(ends[1]);
	assert_true(read(ends[0], root, sizeof(root) - 1) > 0);
	close(ends[0]);
	assert_true(g_str_has_prefix(root, dir));
	engines[0] = start_fake(root, "run/qemu");
	engines[1] = start_fake(root, "lib/qemu/qmp-abc");
	bystander = start_fake(root, "elsewhere");
	kill(klab, SIGKILL);
	assert_int_equal(waitpid(klab, NULL, 0), klab);
	wait_gone(root);
	for (int i = 0; i < 2; i++) {
		assert_true(has_died(engines[i]));
		waitpid(engines[i], NULL, 0);
	}
	assert_false(has_died(bystander));
	kill(bystander, SIGKILL);
	waitpid(bystander, NULL, 0);
}

/* A number in a file is not enough to be killed for. */
static void a_guard_kills_no_stranger(void **state)
{
	g_autofree char *uri = g_strdup_printf("qemu:///embed?root=%s", dir), *file = NULL;
	g_autofree char *run = NULL, *text = NULL;
	const char *argv[] = { "/bin/sleep", "60", NULL };
	char root[200] = "";
	pid_t klab;
	GPid stranger;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	klab = be_klab(uri, ends[1]);
	close(ends[1]);
	assert_true(read(ends[0], root, sizeof(root) - 1) > 0);
	close(ends[0]);
	assert_true(g_spawn_async("/", (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
				  &stranger, NULL));
	run = g_build_filename(root, "run/qemu", NULL);
	file = g_build_filename(run, "x.pid", NULL);
	text = g_strdup_printf("%d\n", stranger);
	assert_true(fs_mkdir(run, NULL) && fs_write(file, text, strlen(text), NULL));
	kill(klab, SIGTERM);
	assert_int_equal(waitpid(klab, NULL, 0), klab);
	wait_gone(root);
	assert_false(has_died(stranger));
	kill(stranger, SIGKILL);
	waitpid(stranger, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_where_a_uri_leads),
		cmocka_unit_test(finds_the_folder_of_a_uri),
		cmocka_unit_test(a_guard_ends_what_a_killed_klab_leaves),
		cmocka_unit_test(a_guard_kills_no_stranger),
		cmocka_unit_test(errors_are_sentences_with_hints),
		cmocka_unit_test(calls_run_and_tell_their_errors),
		cmocka_unit_test(a_missed_deadline_ends_the_connection),
		cmocka_unit_test(domains_that_cannot_start_are_told),
		cmocka_unit_test(names_taken_and_bad_xml_have_hints),
		cmocka_unit_test(the_domain_is_the_machine_that_was_asked_for),
		cmocka_unit_test(what_is_not_asked_for_is_not_in_it),
		cmocka_unit_test(text_that_xml_cannot_hold_is_refused),
		cmocka_unit_test(takes_qemus_words_out_of_a_log),
		cmocka_unit_test(reads_addresses_of_the_monitor),
		cmocka_unit_test(an_engine_gets_a_script_where_it_needs_one),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
