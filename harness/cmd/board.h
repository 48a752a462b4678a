/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last lines of a terminal, redrawn while something takes: a line of progress, or a board of
 * some lines that its owner draws each second. Where stderr is no terminal, or a dumb one, there is no
 * board. All but board_begin() and board_end() may be called from any thread.
 */
#ifndef KLAB_CMD_BOARD_H
#define KLAB_CMD_BOARD_H

#include <stdbool.h>

/* Lines, without the last newline, of which each is cut to the terminal's width; `said` is the last
 * progress, or NULL. Called from another thread, as long as the board stands. */
typedef char *(*board_draw)(const char *said, const void *user);

bool board_has_terminal(void);
/* Whether the user's locale takes more than ASCII. */
bool board_utf8(void);

/* From now on, until board_end(); a signal that ends us takes it away. */
void board_begin(board_draw draw, const void *user);
void board_end(void);

/* Progress: the board's owner shows it, or it is a line of its own. */
void board_say(const char *text);
/* A lasting line above. */
void board_line(const char *line);
/* Take away what stands there, before something else is printed. */
void board_clear(void);

/* What of a line goes into so many columns; the caller frees. */
char *board_fit(const char *line, unsigned columns);

#endif
