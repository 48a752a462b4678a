// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as the beginning of an rpm package, and as a repository's repomd.xml. */
#include "kernel/download.h"
#include "kernel/rpm.h"
#include "kernel/rpmrepo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void within(struct rpm_span span, size_t len)
{
	if (span.at > len || span.len > len - span.at)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_auto(rpm_facts) facts = { 0 };
	g_auto(rpm_entry) entry = { 0 };
	g_autoptr(GError) error = NULL;

	if (rpm_parse(data, len, &facts, &error)) {
		within(facts.header, len);
		within(facts.sig_all, len);
		within(facts.sig_head, len);
		if (facts.payload > len || !*facts.name)
			abort();
	} else if (!error || !*error->message) {
		abort();
	}
	if (rpm_repomd_parse((const char *)data, len, &entry, NULL) &&
	    (!download_hash_ok(entry.hash) || !download_name_ok(entry.href)))
		abort();
	return 0;
}
