/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the plugin that the binary carries lies, for QEMU to load. */
#ifndef KLAB_AMPLIFY_PLUGIN_PATH_H
#define KLAB_AMPLIFY_PLUGIN_PATH_H

#include "base/lab.h"

/* Unpacked into the cache by content; an incomplete one is written again. The caller frees it. */
char *amplify_plugin_path(GError **error);

#endif
