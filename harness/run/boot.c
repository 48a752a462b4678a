// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drive a guest for a user; see boot.h. The command's streams are records of the wire
 * (probes/lib/wire.h) beside the kernel's console, so each byte of them is checked, and what is
 * lost is noticed. The guest takes input at its own pace, and waits while our reader does.
 */
#include "run/boot.h"

#include "guest/owner.h"
#include "parse/console.h"
#include "parse/wire.h"
#include "run/boot_keys.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <string.h>

#define TICK_MS 20 /* typed keys wait so long at most */
#define INPUT_CHUNK 1024
#define LINGER_US (5 * G_USEC_PER_SEC) /* a panic on its way to the reset that follows it */
#define TAIL_MAX 2048

struct boot {
	const struct boot_params *p;
	struct boot_result *ret;
	struct guest *guest;
	struct wire_parser wire;
	struct console *console;
	struct boot_keys keys;
	struct boot_window window;
	GString *tail;            /* the console's last words */
	uint64_t seq, sent, took; /* records; bytes of input */
	unsigned unwhole;         /* records torn or lost before the command started */
	bool started, at_eof, over, failed;
	int64_t began_us, fatal_us;
	GError **error;
};

void boot_result_clear(struct boot_result *result)
{
	g_clear_pointer(&result->title, g_free);
	g_clear_pointer(&result->excerpt, g_free);
}

static void end(struct boot *b, enum boot_end how, int code)
{
	if (!b->over)
		*b->ret = (struct boot_result){ .end = how, .code = code };
	b->over = true;
}

/* The lab's failure; *b->error is set. */
static void give_up(struct boot *b)
{
	b->over = b->failed = true;
}

static void say(struct boot *b, const char *type, const char *payload)
{
	char line[WIRE_LINE_MAX];
	size_t len = wire_format(line, sizeof(line), ++b->seq, type, payload);

	if (!b->over && !guest_send(b->guest, line, len, b->error))
		give_up(b);
}

static void say_json(struct boot *b, const char *type, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);

	say(b, type, text);
	free(text);
	json_decref(json);
}

/* --- from the guest -----------------------------------------------------------------------------
 */

static json_t *list_json(const char *const *list)
{
	json_t *array = json_array();

	for (; list && *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

static struct boot_window window_now(const struct boot *b)
{
	return b->p->window ? b->p->window(b->p->user) : (struct boot_window){ 0 };
}

static unsigned unwhole(const struct boot *b)
{
	return b->wire.torn + b->wire.lost;
}

static void start_command(struct boot *b)
{
	if (b->started)
		return;
	b->started = true;
	b->unwhole = unwhole(b);
	b->window = window_now(b);
	say_json(b, "run",
		 json_pack("{s:o, s:o, s:b, s:i, s:i}", "argv", list_json(b->p->argv), "env",
			   list_json(b->p->env), "tty", b->p->tty, "rows", (int)b->window.rows,
			   "cols", (int)b->window.cols));
}

static void take_output(struct boot *b, enum boot_stream stream, const char *payload)
{
	g_autofree guchar *raw = NULL;
	gsize len;

	raw = g_base64_decode(payload, &len);
	if (len && !b->p->output(stream, raw, len, b->p->user, b->error))
		give_up(b);
}

static void take_exit(struct boot *b, const char *payload)
{
	json_t *json = json_loads(payload, 0, NULL);
	const char *const keys[] = { "code", "signal", "errno" };
	const enum boot_end ends[] = { BOOT_EXITED, BOOT_SIGNALLED, BOOT_NOT_EXECUTED };

	if (unwhole(b) != b->unwhole) {
		lab_fail(b->error, LAB_ERROR_INFRA,
			 "%u records of the guest were lost: its output is not whole",
			 unwhole(b) - b->unwhole);
		give_up(b);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		if (json_is_integer(json_object_get(json, keys[i])))
			end(b, ends[i], json_integer_value(json_object_get(json, keys[i])));
	json_decref(json);
}

static void on_record(const struct wire_record *r, void *user)
{
	struct boot *b = user;

	if (b->over)
		return;
	if (!strcmp(r->type, "hello"))
		start_command(b);
	else if (!strcmp(r->type, "out"))
		take_output(b, BOOT_STDOUT, r->payload);
	else if (!strcmp(r->type, "err"))
		take_output(b, BOOT_STDERR, r->payload);
	else if (!strcmp(r->type, "took"))
		b->took = g_ascii_strtoull(r->payload, NULL, 10);
	else if (!strcmp(r->type, "exit"))
		take_exit(b, r->payload);
}

static void keep_tail(struct boot *b, const uint8_t *data, size_t len)
{
	g_string_append_len(b->tail, (const char *)data, len);
	if (b->tail->len > 2 * TAIL_MAX)
		g_string_erase(b->tail, 0, b->tail->len - TAIL_MAX);
}

static void take_console(struct boot *b, const struct guest_event *ev)
{
	const struct console_event *fatal;

	console_feed(b->console, ev->data, ev->len);
	keep_tail(b, ev->data, ev->len);
	if (!b->p->output(BOOT_CONSOLE, ev->data, ev->len, b->p->user, b->error))
		give_up(b);
	fatal = console_fatal(b->console);
	/* where the user goes on behind an oops, only a panic is the end */
	if (fatal && !b->fatal_us &&
	    (!b->p->keep_going || fatal->class == CONSOLE_PANIC ||
	     fatal->class == CONSOLE_KILLED_INIT))
		b->fatal_us = ev->at_us;
}

/* What the console tells of a guest that is gone; false: nothing. */
static bool blame_kernel(struct boot *b)
{
	const struct console_event *fatal;

	console_finish(b->console);
	fatal = console_fatal(b->console);
	if (!fatal)
		return false;
	end(b, BOOT_KERNEL_FAILED, 0);
	b->ret->title = g_strdup(fatal->title);
	b->ret->excerpt = g_strdup(fatal->excerpt);
	return true;
}

static void take_gone(struct boot *b, const struct guest_event *ev)
{
	g_autofree char *words = g_strchomp(g_strdup(ev->message));

	if (b->over || blame_kernel(b))
		return;
	if (ev->how == GUEST_EXIT_POWEROFF) {
		end(b, BOOT_POWEROFF, 0);
		return;
	}
	lab_fail(b->error, LAB_ERROR_INFRA, "QEMU %s %d%s%s",
		 ev->how == GUEST_EXIT_KILLED ? "was killed by signal" : "ended with code",
		 ev->status, *words ? ": " : "", words);
	give_up(b);
}

static void take_event(struct boot *b, const struct guest_event *ev)
{
	if (ev->kind == GUEST_CONSOLE)
		take_console(b, ev);
	else if (ev->kind == GUEST_WIRE)
		wire_parser_feed(&b->wire, ev->data, ev->len);
	else if (ev->kind == GUEST_EXIT)
		take_gone(b, ev);
}

/* --- to the guest -------------------------------------------------------------------------------
 */

static void send_input(struct boot *b, const char *data, size_t len)
{
	g_autofree char *text = g_base64_encode((const guchar *)data, len);

	b->sent += len;
	say(b, "in", text);
}

static void take_keys(struct boot *b, const char *typed, size_t len)
{
	char keys[INPUT_CHUNK];
	size_t n;
	enum boot_key key = boot_keys_feed(&b->keys, typed, len, keys, &n);

	if (n && b->started)
		send_input(b, keys, n);
	if (key == BOOT_KEY_LEAVE)
		end(b, BOOT_LEFT, 0);
	else if (key == BOOT_KEY_HELP && b->p->help)
		b->p->help(b->p->user);
}

/* Reads only what the guest has room for; keys for klab are heard from the start. */
static void pump_input(struct boot *b)
{
	struct pollfd p = { .fd = b->p->in_fd, .events = POLLIN };
	size_t room = WIRE_INPUT_WINDOW - MIN(b->sent - b->took, WIRE_INPUT_WINDOW);
	char raw[INPUT_CHUNK];
	ssize_t n;

	if (b->over || b->at_eof || !room || (!b->started && !b->p->tty) || poll(&p, 1, 0) <= 0)
		return;
	n = read(b->p->in_fd, raw, MIN(room, sizeof(raw)));
	if (n > 0 && b->p->tty)
		take_keys(b, raw, n);
	else if (n > 0)
		send_input(b, raw, n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		b->at_eof = true;
		if (b->p->tty)
			end(b, BOOT_LEFT, 0); /* the terminal is gone */
		else
			send_input(b, NULL, 0);
	}
}

static void follow_window(struct boot *b)
{
	struct boot_window now;

	if (b->over || !b->started || !b->p->tty)
		return;
	now = window_now(b);
	if (now.rows == b->window.rows && now.cols == b->window.cols)
		return;
	b->window = now;
	say_json(b, "size", json_pack("{s:i, s:i}", "rows", (int)now.rows, "cols", (int)now.cols));
}

/* --- limits -------------------------------------------------------------------------------------
 */

static void fail_boot(struct boot *b)
{
	const char *words = b->tail->str + (b->tail->len > TAIL_MAX ? b->tail->len - TAIL_MAX : 0);
	g_autofree char *clean = g_utf8_make_valid(words, -1);

	if (blame_kernel(b))
		return;
	lab_fail(b->error, LAB_ERROR_TIMEOUT,
		 "the guest did not come up within %u s%s%s\n"
		 "hint: --boot-timeout gives it more, --cpu Haswell-noTSX or qemu64 suits kernels "
		 "before 4.0",
		 b->p->boot_limit_s, *clean ? "; its console ends in:\n" : "", g_strchomp(clean));
	give_up(b);
}

static bool passed(int64_t now_us, int64_t since_us, int64_t limit_us)
{
	return limit_us && now_us - since_us >= limit_us;
}

static void check_limits(struct boot *b)
{
	int64_t now_us = guest_now_us(b->guest);

	if (b->over)
		return;
	if (b->p->interrupted && *b->p->interrupted)
		end(b, BOOT_INTERRUPTED, *b->p->interrupted);
	else if (b->fatal_us && passed(now_us, b->fatal_us, LINGER_US))
		blame_kernel(b);
	else if (passed(now_us, b->began_us, (int64_t)b->p->limit_s * G_USEC_PER_SEC))
		end(b, BOOT_TIMEOUT, 0);
	else if (!b->started &&
		 passed(now_us, b->began_us, (int64_t)b->p->boot_limit_s * G_USEC_PER_SEC))
		fail_boot(b);
}

static void drive(struct boot *b)
{
	while (!b->over) {
		struct guest_event ev;

		if (!guest_next(b->guest, TICK_MS, &ev, b->error)) {
			give_up(b);
			break;
		}
		take_event(b, &ev);
		pump_input(b);
		follow_window(b);
		check_limits(b);
	}
}

/* --- start --------------------------------------------------------------------------------------
 */

/* As jobs have it (run/session.c). What the user appends comes last: it wins. */
static char *command_line(const struct boot_params *p)
{
	return g_strdup_printf("console=ttyS0,115200 loglevel=5 nokaslr no_timer_check panic=-1 %s"
			       "random.trust_cpu=on klab.nonce=%08x%08x%08x%08x%s%s",
			       p->keep_going ? "" : "oops=panic ", g_random_int(), g_random_int(),
			       g_random_int(), g_random_int(), p->append ? " " : "",
			       p->append ? p->append : "");
}

static bool check_command(const struct boot_params *p, GError **error)
{
	json_t *list;
	char *text;
	size_t len;

	for (const char *const *arg = p->argv; *arg; arg++)
		if (!g_utf8_validate(*arg, -1, NULL))
			return lab_fail(error, LAB_ERROR_USAGE,
					"a word of the command is not UTF-8");
	list = list_json(p->argv);
	text = json_dumps(list, JSON_COMPACT | JSON_ENSURE_ASCII);
	len = strlen(text);
	free(text);
	json_decref(list);
	return len <= BOOT_ARGV_MAX ||
	       lab_fail(error, LAB_ERROR_USAGE,
			"the command has %zu bytes, more than %u\n"
			"hint: put it into a script, --file SCRIPT brings that along",
			len, BOOT_ARGV_MAX);
}

static bool start(struct boot *b, GError **error)
{
	const struct boot_params *p = b->p;
	g_autofree char *append = command_line(p);
	g_autofree char *name = owner_domain_name("boot");
	struct guest_spec spec = {
		.engine = p->engine,
		.kernel = p->image,
		.initrd = p->initrd,
		.append = append,
		.smp = p->smp,
		.mem_mib = p->mem_mib,
		.accel = p->accel,
		.cpu_model = p->cpu_model,
	};

	if (p->host)
		job_host_place(p->host, p->engine, name, &spec);
	if (!guest_start(p->backend, &spec, &b->guest, error))
		return false;
	b->began_us = guest_now_us(b->guest);
	return true;
}

bool boot_run(const struct boot_params *params, struct boot_result *ret, GError **error)
{
	g_autofree struct boot *b = g_new0(struct boot, 1);
	g_autoptr(GError) why = NULL;
	bool ok;

	b->p = params;
	b->ret = ret;
	b->error = &why;
	b->tail = g_string_new(NULL);
	b->console = console_new();
	wire_parser_init(&b->wire, on_record, b);
	ok = check_command(params, &why) && start(b, &why);
	if (ok)
		drive(b);
	guest_free(b->guest);
	console_free(b->console);
	g_string_free(b->tail, TRUE);
	if (ok && !b->failed)
		return true;
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}
