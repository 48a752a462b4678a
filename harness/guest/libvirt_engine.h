/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * klab's engine as libvirt's <emulator>: that is a path, without arguments and environment, so an
 * engine that needs some (a private copy) gets a script around it, in klab's cache. The script's
 * name is its content's: it never changes, and what libvirt knows of it stays valid.
 */
#ifndef KLAB_GUEST_LIBVIRT_ENGINE_H
#define KLAB_GUEST_LIBVIRT_ENGINE_H

#include "guest/engine.h"

/* The caller frees it. */
char *libvirt_engine(const struct engine *e, GError **error);

#endif
