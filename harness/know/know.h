/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known: hazards.yaml's declarations and klab's own measurements, joined into the table
 * that both the harness and the generated header look kernels up in (base/ktb_check.h). Pure.
 *
 *	g_autoptr(knowledge) k = know_new(hazards, measured);
 *	struct ktb_kernel kernel;
 *	ktb_identify(&kernel, release, version, os_release);
 *	struct ktb_answer a = ktb_table_check(&k->table, &kernel, "text-poke");
 */
#ifndef KLAB_KNOW_KNOW_H
#define KLAB_KNOW_KNOW_H

#include "conf/hazards.h"
#include "know/measured.h"

struct knowledge {
	struct ktb_table table; /* borrows the hazards; table.digest is "" */
	struct ktb_hazard *hazards;
	struct ktb_measured *measured;
	struct ktb_span *spans;
	GStringChunk *text;
	char **ops; /* operations, sorted, NULL-terminated */
};
typedef struct knowledge knowledge;

/*
 * `measured` (of struct measured *, may be NULL) is boiled down to one verdict of each value, build
 * and operation, the best founded, and to what builds between two measured ones may be taken for
 * (know/spans.h). Their order does not matter. The hazards must outlive the result.
 */
struct knowledge *know_new(const struct hazard_set *hazards, const GPtrArray *measured);
void know_free(struct knowledge *k);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(knowledge, know_free)

/* Identify the kernel that a measurement was made on. */
void know_identify_measured(const struct measured *m, struct ktb_kernel *ret);
/* One hazard in the form of the table, borrowing from `hazard`. */
struct ktb_hazard know_hazard_view(const struct hazard *hazard);
/* Do declarations (or what follows from them) say that this kernel is affected? An unknown id: no.
 */
bool know_foretold(const struct hazard_set *hazards, const struct ktb_kernel *kernel,
		   const char *hazard_id);
/* Of the measurements, those that declarations or other measurements contradict: sentences, sorted,
 * each once; g_strfreev(). */
char **know_contradictions(const struct knowledge *k, const GPtrArray *measured);

#endif
