// SPDX-License-Identifier: GPL-2.0-or-later
/* Rules for consoles from anybody: any bytes give rules or a message; rules survive a job's spec,
 * and can be asked. */
#include "conf/console_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct console_rules *rules)
{
	static char *const frames[] = { "vfs_read", "schedule", NULL };
	const struct console_subject subject = { "WARN in vfs_read", frames,    3,
						 "debian-x",         "6.1.0-9", "2026-11-22" };
	const struct console_rule *rule = console_rules_find(rules, &subject);
	json_t *json = console_rules_to_json(rules, "debian-x", "6.1.0-9"), *again;
	g_autoptr(console_rules) back = NULL;
	const struct console_rule *same;

	if (!console_rules_from_json(json, &back, NULL))
		g_error("what a spec holds cannot be read");
	again = console_rules_to_json(back, "debian-x", "6.1.0-9");
	same = console_rules_find(back, &subject);
	if (!json_equal(json, again) || !rule != !same ||
	    (rule && !g_str_equal(rule->reason, same->reason)))
		g_error("a spec changes the rules");
	json_decref(json);
	json_decref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(console_rules) rules = NULL, read = NULL;
	json_t *json;

	if (console_rules_parse("fuzz", (const char *)data, size, &rules, &error) ==
	    (error != NULL))
		g_error("success and error disagree");
	if (rules)
		ask(rules);
	json = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
	if (json && console_rules_from_json(json, &read, NULL))
		ask(read);
	json_decref(json);
	return 0;
}
