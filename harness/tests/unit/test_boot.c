// SPDX-License-Identifier: GPL-2.0-or-later
/* run/boot*: keys, files, the initramfs, and a command's life against a guest played by this test.
 */
#include "base/fs.h"
#include "guest/guest.h"
#include "parse/wire.h"
#include "run/boot.h"
#include "run/boot_files.h"
#include "run/boot_keys.h"

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>

/* ---- keys ---- */

static void test_keys(void **state)
{
	static const struct {
		const char *typed, *out;
		enum boot_key key;
	} rows[] = {
		{ "ls\r", "ls\r", BOOT_KEY_NONE },       { "a\001", "a", BOOT_KEY_NONE },
		{ "a\001xb", "a", BOOT_KEY_LEAVE },      { "\001X", "", BOOT_KEY_LEAVE },
		{ "\001\001", "\001", BOOT_KEY_NONE },   { "\001ab", "\001b", BOOT_KEY_NONE },
		{ "\001hx", "x", BOOT_KEY_HELP },        { "\001zx", "x", BOOT_KEY_NONE },
		{ "\001\001x", "\001x", BOOT_KEY_NONE }, { "", "", BOOT_KEY_NONE },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct boot_keys whole = { 0 }, cut = { 0 };
		enum boot_key key, worst = BOOT_KEY_NONE;
		char out[16], bytes[16];
		size_t len = strlen(rows[i].typed), n, sum = 0;

		key = boot_keys_feed(&whole, rows[i].typed, len, out, &n);
		assert_int_equal(key, rows[i].key);
		assert_int_equal(n, strlen(rows[i].out));
		assert_memory_equal(out, rows[i].out, n);
		for (size_t j = 0; j < len && worst != BOOT_KEY_LEAVE; j++) {
			key = boot_keys_feed(&cut, rows[i].typed + j, 1, bytes + sum, &n);
			sum += n;
			worst = key == BOOT_KEY_NONE ? worst : key;
		}
		assert_int_equal(worst, rows[i].key);
		assert_int_equal(sum, strlen(rows[i].out));
	}
}

/* ---- files ---- */

static void test_file_names(void **state)
{
	static const struct {
		const char *text, *host, *guest;
	} rows[] = {
		{ "a/b", "a/b", "/root/b" },
		{ "b:/bin/c", "b", "/bin/c" },
		{ "a/b:/opt/", "a/b", "/opt/b" },
		{ "a:b:/c", "a:b", "/c" },
		{ "b:/../etc/x", NULL, NULL },
		{ "b:/init", NULL, NULL },
		{ ":/x", NULL, NULL },
		{ "b:/a//c", NULL, NULL },
		{ "", NULL, NULL },
		{ "b:/a/./c", NULL, NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct boot_file *file = NULL;
		bool ok = boot_file_parse(rows[i].text, &file, NULL);

		if (ok != (rows[i].host != NULL))
			fail_msg("'%s': %d", rows[i].text, ok);
		if (ok) {
			assert_string_equal(file->host, rows[i].host);
			assert_string_equal(file->guest, rows[i].guest);
		}
		boot_file_free(file);
	}
}

static void test_initrd(void **state)
{
	g_autofree char *dir = g_dir_make_tmp("klab-boot-XXXXXX", NULL);
	g_autofree char *agent = g_build_filename(dir, "agent.cpio", NULL);
	g_autofree char *tool = g_build_filename(dir, "tool", NULL);
	g_autoptr(GPtrArray) files = g_ptr_array_new();
	struct boot_file one = { tool, (char *)"/opt/x/tool" };
	g_auto(boot_initrd) initrd = BOOT_INITRD_INIT;
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	g_autofree char *data = NULL;
	bool found = false, parent = false;
	size_t len;

	assert_true(fs_write(agent, "AGENT", 5, NULL) && fs_write(tool, "tool!", 5, NULL));
	g_ptr_array_add(files, &one);
	assert_true(boot_initrd_make(agent, NULL, files, &initrd, NULL));
	assert_true(fs_read(initrd.path, 1 << 20, &data, &len, NULL));
	assert_int_equal(len, initrd.size);
	assert_memory_equal(data, "AGENT", 5);
	archive_read_support_format_cpio(a);
	assert_int_equal(archive_read_open_memory(a, data + 512, len - 512), ARCHIVE_OK);
	while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);

		parent |= !strcmp(name, "opt/x") && archive_entry_filetype(entry) == AE_IFDIR;
		if (!strcmp(name, "opt/x/tool")) {
			found = archive_entry_size(entry) == 5;
			assert_true(parent);
		}
	}
	assert_true(found);
	archive_read_free(a);
	/* a folder is no file; the host's shell is no busybox where it is dynamic */
	one.host = dir;
	assert_false(boot_initrd_make(agent, NULL, files, &initrd, NULL));
	assert_true(fs_remove(dir, NULL));
}

static void test_busybox(void **state)
{
	g_autofree char *path = NULL;
	g_autoptr(GError) error = NULL;

	assert_false(boot_busybox_find(SOURCE_DIR "/README.md", &path, &error));
	assert_non_null(strstr(error->message, "busybox-static"));
	g_clear_error(&error);
	assert_false(boot_busybox_find("/proc/self/exe", &path, &error));
	assert_non_null(strstr(error->message, "no static program"));
}

/* ---- a guest that this test plays ---- */

enum play {
	PLAY_CAT,
	PLAY_EXIT,
	PLAY_SIGNAL,
	PLAY_NONE,
	PLAY_LOSE,
	PLAY_PANIC,
	PLAY_POWEROFF,
	PLAY_SILENT,
	PLAY_HANG
};

struct played {
	enum play play;
	struct wire_parser wire;
	uint64_t seq, took;
	GString *out; /* bytes of ttyS1 that are to come */
	GString *console;
	GString *echo;
	bool gone, started, eof;
	unsigned inflight_max;
	int64_t now_us;
	char *argv0;
	uint8_t buf[4096];
};
static struct played *played;

static void tell(const char *type, const char *payload)
{
	char line[WIRE_LINE_MAX];
	size_t len = wire_format(line, sizeof(line), ++played->seq, type, payload);

	g_string_append_len(played->out, line, len);
}

static void on_run(void)
{
	static const char panic[] =
		"[    1.0] Kernel panic - not syncing: sysrq triggered crash\r\n";

	played->started = true;
	switch (played->play) {
	case PLAY_EXIT:
		tell("out", "aGVsbG8K");
		tell("err", "d29lCg==");
		tell("exit", "{\"code\":42}");
		break;
	case PLAY_SIGNAL:
		tell("exit", "{\"signal\":9}");
		break;
	case PLAY_NONE:
		tell("exit", "{\"errno\":2,\"error\":\"x\"}");
		break;
	case PLAY_LOSE:
		played->seq++;
		tell("exit", "{\"code\":0}");
		break;
	case PLAY_PANIC:
		g_string_append(played->console, panic);
		played->gone = true;
		break;
	case PLAY_POWEROFF:
		played->gone = true;
		break;
	case PLAY_CAT:
	case PLAY_SILENT:
	case PLAY_HANG:
		break;
	}
}

static void on_input(const char *payload)
{
	g_autofree guchar *raw = NULL;
	gsize len;
	char text[32];

	raw = g_base64_decode(payload, &len);
	if (!len) {
		g_autofree char *all = NULL;

		for (size_t at = 0; at < played->echo->len; at += 3000) {
			g_free(all);
			all = g_base64_encode((guchar *)played->echo->str + at,
					      MIN(3000, played->echo->len - at));
			tell("out", all);
		}
		tell("exit", "{\"code\":0}");
		return;
	}
	g_string_append_len(played->echo, (char *)raw, len);
	/* acknowledged in lumps: what is in flight must stay within the window */
	played->inflight_max = MAX(played->inflight_max, played->echo->len - played->took);
	if (played->echo->len - played->took < WIRE_INPUT_WINDOW)
		return;
	played->took = played->echo->len;
	g_snprintf(text, sizeof(text), "%" G_GUINT64_FORMAT, played->took);
	tell("took", text);
}

static void on_command(const struct wire_record *r, void *user)
{
	if (!strcmp(r->type, "run"))
		on_run();
	else if (!strcmp(r->type, "in") && played->play == PLAY_CAT)
		on_input(r->payload);
}

static bool play_start(const struct guest_spec *spec, struct guest *g, GError **error)
{
	wire_parser_init(&played->wire, on_command, NULL);
	if (played->play != PLAY_SILENT) {
		tell("hello", "{}");
		tell("hello", "{}"); /* it says so until it is answered */
	}
	return true;
}

static bool hand_over(GString *from, enum guest_event_kind kind, struct guest_event *ret)
{
	size_t n = MIN(from->len, 100);

	if (!n)
		return false;
	memcpy(played->buf, from->str, n);
	g_string_erase(from, 0, n);
	*ret = (struct guest_event){ .kind = kind, .data = played->buf, .len = n };
	return true;
}

static bool play_next(struct guest *g, int timeout_ms, struct guest_event *ret, GError **error)
{
	if (!hand_over(played->out, GUEST_WIRE, ret) &&
	    !hand_over(played->console, GUEST_CONSOLE, ret)) {
		*ret = (struct guest_event){ .kind = played->gone ? GUEST_EXIT : GUEST_TICK,
					     .how = GUEST_EXIT_POWEROFF,
					     .message = "" };
		played->now_us += timeout_ms * 1000;
	}
	ret->at_us = played->now_us;
	return true;
}

static bool play_send(struct guest *g, const void *data, size_t len, GError **error)
{
	wire_parser_feed(&played->wire, data, len);
	return true;
}

static int64_t play_now_us(struct guest *g)
{
	return played->now_us;
}

static void play_stop(struct guest *g)
{
}

static const struct guest_backend backend = { .name = "played",
					      .start = play_start,
					      .next = play_next,
					      .send = play_send,
					      .now_us = play_now_us,
					      .stop = play_stop };

struct seen {
	GString *out[3];
};

static bool on_output(enum boot_stream stream, const void *data, size_t len, void *user,
		      GError **error)
{
	g_string_append_len(((struct seen *)user)->out[stream], data, len);
	return true;
}

static bool run_play(enum play play, int in_fd, struct seen *seen, struct boot_result *ret,
		     GError **error)
{
	static const char *const argv[] = { "prog", "arg", NULL }, *const env[] = { "TERM=x",
										    NULL };
	struct played p = { .play = play,
			    .out = g_string_new(NULL),
			    .echo = g_string_new(NULL),
			    .console = g_string_new(NULL) };
	struct boot_params params = { .backend = &backend,
				      .smp = 1,
				      .argv = argv,
				      .env = env,
				      .in_fd = in_fd,
				      .boot_limit_s = 60,
				      .limit_s = 300,
				      .output = on_output,
				      .user = seen };
	bool ok;

	for (int i = 0; i < 3; i++)
		seen->out[i] = g_string_new(NULL);
	played = &p;
	ok = boot_run(&params, ret, error);
	assert_true(p.inflight_max <= WIRE_INPUT_WINDOW);
	g_string_free(p.out, TRUE);
	g_string_free(p.echo, TRUE);
	g_string_free(p.console, TRUE);
	return ok;
}

static void seen_clear(struct seen *seen)
{
	for (int i = 0; i < 3; i++)
		g_string_free(seen->out[i], TRUE);
}

static void test_ends(void **state)
{
	static const struct {
		enum play play;
		enum boot_end end;
		int code;
	} rows[] = {
		{ PLAY_EXIT, BOOT_EXITED, 42 },      { PLAY_SIGNAL, BOOT_SIGNALLED, 9 },
		{ PLAY_NONE, BOOT_NOT_EXECUTED, 2 }, { PLAY_PANIC, BOOT_KERNEL_FAILED, 0 },
		{ PLAY_POWEROFF, BOOT_POWEROFF, 0 }, { PLAY_HANG, BOOT_TIMEOUT, 0 },
	};
	auto_fd null = open("/dev/null", O_RDONLY);

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_auto(boot_result) result = { 0 };
		g_autoptr(GError) error = NULL;
		struct seen seen;

		if (!run_play(rows[i].play, null, &seen, &result, &error))
			fail_msg("row %zu: %s", i, error->message);
		assert_int_equal(result.end, rows[i].end);
		assert_int_equal(result.code, rows[i].code);
		if (rows[i].play == PLAY_EXIT) {
			assert_string_equal(seen.out[BOOT_STDOUT]->str, "hello\n");
			assert_string_equal(seen.out[BOOT_STDERR]->str, "woe\n");
		}
		if (rows[i].play == PLAY_PANIC) {
			assert_non_null(strstr(result.title, "sysrq triggered crash"));
			assert_non_null(strstr(result.excerpt, "Kernel panic"));
			assert_int_not_equal(seen.out[BOOT_CONSOLE]->len, 0);
		}
		seen_clear(&seen);
	}
}

static void test_lab_failures(void **state)
{
	static const struct {
		enum play play;
		const char *want;
	} rows[] = { { PLAY_LOSE, "1 records of the guest were lost" },
		     { PLAY_SILENT, "did not come up within 60 s" } };
	auto_fd null = open("/dev/null", O_RDONLY);

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_auto(boot_result) result = { 0 };
		g_autoptr(GError) error = NULL;
		struct seen seen;

		assert_false(run_play(rows[i].play, null, &seen, &result, &error));
		assert_non_null(strstr(error->message, rows[i].want));
		seen_clear(&seen);
	}
}

/* Every byte value, more than the window many times over, through a pipe into the guest and back.
 */
static void test_stdin(void **state)
{
	g_autofree char *dir = g_dir_make_tmp("klab-boot-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "in", NULL);
	g_autofree guint8 *bytes = g_malloc(WIRE_INPUT_WINDOW * 10);
	g_auto(boot_result) result = { 0 };
	g_autoptr(GError) error = NULL;
	struct seen seen;
	auto_fd fd = -1;

	for (size_t i = 0; i < WIRE_INPUT_WINDOW * 10; i++)
		bytes[i] = i * 7 + i / 256;
	assert_true(fs_write(path, bytes, WIRE_INPUT_WINDOW * 10, NULL));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (!run_play(PLAY_CAT, fd, &seen, &result, &error))
		fail_msg("%s", error->message);
	assert_int_equal(result.end, BOOT_EXITED);
	assert_int_equal(seen.out[BOOT_STDOUT]->len, WIRE_INPUT_WINDOW * 10);
	assert_memory_equal(seen.out[BOOT_STDOUT]->str, bytes, WIRE_INPUT_WINDOW * 10);
	seen_clear(&seen);
	assert_true(fs_remove(dir, NULL));
}

static void test_command_limits(void **state)
{
	g_autofree char *big = g_strnfill(BOOT_ARGV_MAX, 'x');
	const char *const too_long[] = { "echo", big, NULL }, *const latin1[] = { "\xe9", NULL };
	const char *const *const all[] = { too_long, latin1 };

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		struct boot_params params = { .backend = &backend, .argv = all[i] };
		struct boot_result result;
		g_autoptr(GError) error = NULL;

		assert_false(boot_run(&params, &result, &error));
		assert_true(g_error_matches(error, LAB_ERROR, LAB_ERROR_USAGE));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),   cmocka_unit_test(test_file_names),
		cmocka_unit_test(test_initrd), cmocka_unit_test(test_busybox),
		cmocka_unit_test(test_ends),   cmocka_unit_test(test_lab_failures),
		cmocka_unit_test(test_stdin),  cmocka_unit_test(test_command_limits),
	};

	return cmocka_run_group_tests_name("boot", tests, NULL, NULL);
}
