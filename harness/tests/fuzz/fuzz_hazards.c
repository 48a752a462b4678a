// SPDX-License-Identifier: GPL-2.0-or-later
/* hazards.yaml from anybody: any bytes give a set or a message, and a set can be asked and printed.
 */
#include "conf/hazards.h"
#include "know/know.h"
#include "report/blacklist_json.h"
#include "report/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct hazard_set *hazards)
{
	static const char *const releases[] = { "6.1.20", "5.4.0-216-generic", "6.2.0-rc3",
						"5.14.0-300.el9.x86_64", "6.1.0-9-amd64" };
	g_autoptr(knowledge) known = know_new(hazards, NULL);
	json_t *json = blacklist_json(known, hazards, NULL);
	g_autofree char *header = NULL;
	struct ktb_kernel kernel;

	if (!json)
		g_error("no JSON came out");
	header = header_render(known, blacklist_json_digest(json));
	for (unsigned i = 0; i < G_N_ELEMENTS(releases); i++) {
		ktb_identify(&kernel, releases[i], NULL, NULL);
		for (char **op = known->ops; *op; op++)
			ktb_table_check(&known->table, &kernel, *op);
	}
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(hazard_set) hazards = NULL;

	if (hazard_set_parse("fuzz", (const char *)data, size, &hazards, &error) == (error != NULL))
		g_error("success and error disagree");
	if (hazards)
		ask(hazards);
	return 0;
}
