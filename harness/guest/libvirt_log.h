/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What QEMU said, out of the log that libvirt keeps of a domain. Total. */
#ifndef KLAB_GUEST_LIBVIRT_LOG_H
#define KLAB_GUEST_LIBVIRT_LOG_H

#include <stddef.h>

#define LIBVIRT_LOG_MAX (256u << 10)	/* bytes of a log that are looked at */
#define LIBVIRT_WORDS_MAX 4096		/* bytes of the words that are kept */

/* Lines of QEMU's own since it was started last, without their time stamps and libvirt's lines; ""
 * when it said nothing. The caller frees it. */
char *libvirt_log_words(const char *log, size_t len);

#endif
