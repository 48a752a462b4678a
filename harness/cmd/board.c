// SPDX-License-Identifier: GPL-2.0-or-later
/* See board.h. */
#include "cmd/board.h"

#include <glib.h>
#include <langinfo.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_USUAL 80
#define LINES_MAX 8

static struct {
	GMutex lock;
	GCond ended;
	GThread *thread; /* NULL: nobody draws */
	bool ending;
	board_draw draw;
	const void *user;
	char *said;
	unsigned lines; /* that stand there; the cursor is at the end of the last one */
} board;

/* What takes the board away, for a signal's handler. */
static char wipe[8 * LINES_MAX];
static volatile sig_atomic_t wipe_len;

/* --- the terminal ------------------------------------------------------------------------------- */

bool board_has_terminal(void)
{
	const char *term = g_getenv("TERM");

	return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

/* Our own locale is not the user's; one that is not installed is known by its name. */
bool board_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	locale_t user = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	const char *name = NULL;
	bool utf8;

	if (user) {
		utf8 = !strcmp(nl_langinfo_l(CODESET, user), "UTF-8");
		freelocale(user);
		return utf8;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(names) && (!name || !*name); i++)
		name = g_getenv(names[i]);
	return name && (strcasestr(name, ".utf-8") || strcasestr(name, ".utf8"));
}

static unsigned columns(void)
{
	struct winsize size = { 0 };

	ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
	return size.ws_col ? size.ws_col : COLUMNS_USUAL;
}

char *board_fit(const char *line, unsigned columns)
{
	g_autofree char *valid = g_utf8_make_valid(line, -1);
	const char *p = valid;

	for (unsigned at = 0; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);

		at += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
		if (at > columns)
			break;
	}
	return g_strndup(valid, p - valid);
}

/* --- drawing, with the lock --------------------------------------------------------------------- */

static void add_wipe(GString *out)
{
	if (board.lines)
		g_string_append(out, "\r\033[K");
	for (unsigned i = 1; i < board.lines; i++)
		g_string_append(out, "\033[A\033[K");
}

/* stderr has no buffer: one call is one write, so nothing flickers. */
static void clear_lines(void)
{
	g_autoptr(GString) out = g_string_new(NULL);

	wipe_len = 0;
	add_wipe(out);
	board.lines = 0;
	fputs(out->str, stderr);
}

static void remember_wipe(void)
{
	g_autoptr(GString) out = g_string_new(NULL);

	add_wipe(out);
	memcpy(wipe, out->str, MIN(out->len, sizeof(wipe)));
	wipe_len = MIN(out->len, sizeof(wipe));
}

static void show(const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", LINES_MAX);
	g_autoptr(GString) out = g_string_new(NULL);
	unsigned width = columns();

	add_wipe(out);
	board.lines = 0;
	for (unsigned i = 0; lines[i]; i++) {
		g_autofree char *line = NULL;

		lines[i][strcspn(lines[i], "\n")] = '\0';
		line = board_fit(lines[i], width - 1);
		g_string_append_printf(out, "%s%s", i ? "\n" : "", line);
		board.lines++;
	}
	fputs(out->str, stderr);
	remember_wipe();
}

static void redraw(void)
{
	g_autofree char *text = board.draw(board.said, board.user);

	show(text);
}

static gpointer keep_drawing(gpointer unused)
{
	(void)unused;
	g_mutex_lock(&board.lock);
	while (!board.ending) {
		int64_t until = g_get_monotonic_time() + G_USEC_PER_SEC;

		redraw();
		while (!board.ending && g_cond_wait_until(&board.ended, &board.lock, until))
			;
	}
	g_mutex_unlock(&board.lock);
	return NULL;
}

/* --- from outside ------------------------------------------------------------------------------- */

static void on_signal(int sig)
{
	if (wipe_len && write(STDERR_FILENO, wipe, wipe_len) < 0)
		_exit(128 + sig);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* Who else handles a signal has its reasons, and ends us in order. */
static void watch_signal(int sig)
{
	struct sigaction now;

	if (!sigaction(sig, NULL, &now) && now.sa_handler == SIG_DFL)
		signal(sig, on_signal);
}

void board_begin(board_draw draw, const void *user)
{
	sigset_t all, before;

	if (!board_has_terminal() || board.thread)
		return;
	watch_signal(SIGINT);
	watch_signal(SIGTERM);
	watch_signal(SIGHUP);
	board.draw = draw;
	board.user = user;
	board.ending = false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	board.thread = g_thread_try_new("board", keep_drawing, NULL, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void board_end(void)
{
	if (!board.thread)
		return;
	g_mutex_lock(&board.lock);
	board.ending = true;
	g_cond_signal(&board.ended);
	g_mutex_unlock(&board.lock);
	g_thread_join(board.thread);
	board.thread = NULL;
	board_clear();
	g_clear_pointer(&board.said, g_free);
}

void board_say(const char *text)
{
	g_mutex_lock(&board.lock);
	if (board.thread) {
		g_free(board.said);
		board.said = g_strdup(text);
		redraw();
	} else {
		show(text);
	}
	g_mutex_unlock(&board.lock);
}

void board_line(const char *line)
{
	g_mutex_lock(&board.lock);
	clear_lines();
	fprintf(stderr, "%s\n", line);
	if (board.thread)
		redraw();
	g_mutex_unlock(&board.lock);
}

void board_clear(void)
{
	g_mutex_lock(&board.lock);
	clear_lines();
	g_mutex_unlock(&board.lock);
}
