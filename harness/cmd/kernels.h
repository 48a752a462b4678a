/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the subcommands of `klab kernels` share: their entries, and how a kernel is shown. */
#ifndef KLAB_CMD_KERNELS_H
#define KLAB_CMD_KERNELS_H

#include "cmd/cmd.h"
#include "cmd/lab.h"

#include <jansson.h>

int kernels_list(int argc, char **argv);
int kernels_pull(int argc, char **argv);
int kernels_import(int argc, char **argv);
int kernels_forget(int argc, char **argv);
int kernels_gc(int argc, char **argv);
int kernels_sync(int argc, char **argv);

/* One spec and what is cached for it (or NULL) as JSON. */
json_t *kernels_json(const struct kernel_spec *spec, const struct kernel *k);
/* One line of the table; the note, if any, follows indented. */
void kernels_row(const struct kernel_spec *spec, const struct kernel *k);
/* A JSON result on stdout; the reference is dropped. */
bool kernels_print_json(json_t *root, GError **error);
/* Through cmd_output(), which first clears a progress line that stands on the terminal. */
void kernels_print(const char *fmt, ...) G_GNUC_PRINTF(1, 2);

#endif
