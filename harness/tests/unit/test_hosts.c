// SPDX-License-Identifier: GPL-2.0-or-later
/* hosts: what the file may say, where errors are, what --connect finds. */
#include "matrix_fixture.h"

#include "conf/hosts.h"

static const char *const good =
	"hosts:\n"
	"  - {name: lab1, uri: qemu+ssh://root@lab1/system, pool: klab, max-guests: 4}\n"
	"  - name: lab2\n"
	"    uri: qemu+tcp://lab2:16509/system\n"
	"    emulator: /opt/qemu/bin/qemu-system-x86_64\n"
	"  - {name: here, uri: 'qemu:///embed?root=/run/klab'}\n";

static void good_files_are_read(void **unused)
{
	g_autoptr(matrix) m = parse(good);
	const struct host_spec *lab1, *lab2;

	assert_int_equal(m->hosts->len, 3);
	lab1 = m->hosts->pdata[0];
	lab2 = m->hosts->pdata[1];
	assert_string_equal(lab1->name, "lab1");
	assert_string_equal(lab1->uri, "qemu+ssh://root@lab1/system");
	assert_string_equal(lab1->pool, "klab");
	assert_null(lab1->emulator);
	assert_int_equal(lab1->max_guests, 4);
	assert_string_equal(lab2->emulator, "/opt/qemu/bin/qemu-system-x86_64");
	assert_null(lab2->pool);
	assert_int_equal(lab2->max_guests, 0);
	assert_int_equal(lab2->line, 3);
}

static void errors_have_places(void **unused)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "hosts: lab1", "m.yaml:1:8: 'hosts' must be a list, not a single value" },
		{ "hosts: [lab1]", "m.yaml:1:9: a host must be a map of keys" },
		{ "hosts: [{uri: 'qemu:///system'}]", "m.yaml:1:9: 'name' is missing" },
		{ "hosts: [{name: a}]", "m.yaml:1:9: 'uri' is missing" },
		{ "hosts: [{name: a, url: x}]", "unknown key 'url'; did you mean 'uri'?" },
		{ "hosts:\n- {name: a b, uri: 'qemu:///system'}",
		  "m.yaml:2:10: 'name' wants letters" },
		{ "hosts:\n- {name: a, uri: lab1}",
		  "m.yaml:2:18: 'lab1' is no URI of libvirt's, such as" },
		{ "hosts:\n- {name: a, uri: 'xen:///system'}",
		  "'xen:///system' is of another hypervisor" },
		{ "hosts:\n- {name: a, uri: 'qemu://a b/'}", "'qemu://a b/' is no valid URI" },
		{ "hosts:\n- {name: a, uri: 'qemu:///s', pool: ../x}",
		  "m.yaml:2:37: 'pool' wants letters" },
		{ "hosts:\n- {name: a, uri: 'qemu:///s', emulator: qemu}",
		  "'emulator' wants an absolute path on the host" },
		{ "hosts:\n- {name: a, uri: 'qemu:///s', max-guests: 0}",
		  "'max-guests' wants 1..1024, not '0'" },
		{ "hosts:\n- {name: a, uri: 'qemu:///s', max-guests: many}",
		  "'max-guests' wants 1..1024, not 'many'" },
		{ "hosts:\n- {name: a, uri: 'qemu:///s'}\n- {name: a, uri: 'qemu:///t'}",
		  "m.yaml:3:3: host 'a' is there already: line 2" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		struct matrix *m = NULL;

		assert_false(
			matrix_parse("m.yaml", cases[i].text, strlen(cases[i].text), &m, &error));
		if (!strstr(error->message, cases[i].want))
			fail_msg("%s:\n%s", cases[i].want, error->message);
	}
}

static void earlier_files_come_first(void **unused)
{
	static const char more[] = "hosts:\n- {name: lab1, uri: 'qemu:///other'}\n"
				   "- {name: lab3, uri: 'qemu:///three'}\n";
	g_autoptr(matrix) m = parse(good);
	g_autoptr(GError) error = NULL;

	assert_true(matrix_add(m, "more.yaml", more, strlen(more), &error));
	assert_int_equal(m->hosts->len, 4);
	assert_string_equal(((struct host_spec *)m->hosts->pdata[0])->uri,
			    "qemu+ssh://root@lab1/system");
}

static char *uri_of(const GPtrArray *hosts, const char *connect)
{
	g_autoptr(host_spec) host = NULL;
	g_autoptr(GError) error = NULL;

	if (!hosts_find(hosts, connect, &host, &error)) {
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_USAGE));
		return g_strdup(error->message);
	}
	return g_strdup_printf("%s %s %s", host->name ? host->name : "-", host->uri,
			       host->pool ? host->pool : "-");
}

static void connect_finds_names_and_uris(void **unused)
{
	static const struct {
		const char *connect, *want;
	} cases[] = {
		{ "lab1", "lab1 qemu+ssh://root@lab1/system klab" },
		{ "qemu+ssh://root@lab1/system", "lab1 qemu+ssh://root@lab1/system klab" },
		{ "qemu:///session", "- qemu:///session -" },
		{ "test:///default", "- test:///default -" },
		{ "lab", "--connect: 'lab' is neither a URI nor the name of a host; did you mean "
			 "'lab1'?" },
		{ "xen:///", "--connect: 'xen:///' is of another hypervisor" },
		{ "", "--connect: '' is neither" },
	};
	g_autoptr(matrix) m = parse(good);
	g_autofree char *without = uri_of(NULL, "lab1"), *uri = uri_of(NULL, "qemu:///system");

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *got = uri_of(m->hosts, cases[i].connect);

		if (!g_str_has_prefix(got, cases[i].want))
			fail_msg("%s: %s", cases[i].connect, got);
	}
	assert_non_null(strstr(without, "is neither"));
	assert_string_equal(uri, "- qemu:///system -");
}

static void a_file_may_have_hosts_alone(void **unused)
{
	g_autoptr(matrix) m = parse("hosts: []\n");

	assert_int_equal(m->kernels->len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_files_are_read),
		cmocka_unit_test(errors_have_places),
		cmocka_unit_test(earlier_files_come_first),
		cmocka_unit_test(connect_finds_names_and_uris),
		cmocka_unit_test(a_file_may_have_hosts_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
