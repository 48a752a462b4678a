/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest agent's identity: sha256 of the initramfs that this build boots; the caller frees it. */
#ifndef KLAB_RUN_AGENT_H
#define KLAB_RUN_AGENT_H

#include "base/lab.h"

char *agent_sha256(GError **error);

#endif
