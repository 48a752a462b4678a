/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the controls taught: failure rates of known bugs per probe and conditions, as a list that
 * lives in calibration.json. Pure: text in, text out.
 *
 *	{"schema": 1, "entries": [{"probe": "text-poke", "hazard": "text-poke-race",
 *	  "engine": "10.0.2", "accel": "tcg", "amplify": "auto", "rung": "bpf", "smp": 4, "runs": 5, "failures": 5,
 *	  "exposure": 4711.0, "rate_lower": 0.00042, "kernel": "SHA256", "when":
 *"2026-01-02T03:04:05Z"}]}
 *
 * A rate holds for the conditions under which it was measured: the same probe, accelerator and
 * amplification, the same class of vCPU counts and of engine versions; and by the rung that the probe
 * finds once it runs, which calibration_same_rung() compares afterwards. Nothing is interpolated.
 */
#ifndef KLAB_STATS_CALIBRATION_H
#define KLAB_STATS_CALIBRATION_H

#include "base/lab.h"

#define CALIBRATION_SCHEMA 1
#define CALIBRATION_CONFIDENCE 0.95     /* of rate_lower, one-sided */
#define CALIBRATION_TEXT_MAX (1u << 20) /* bytes of a calibration.json */
#define CALIBRATION_ENTRIES_MAX 4096

struct calibration_entry {
	char *probe, *hazard;
	char *engine;  /* version, "10.0.2" */
	char *accel;   /* "tcg", "kvm" */
	char *amplify; /* the amplifier's setting as the user gave it: "auto", "off", ... */
	char *rung;    /* interface that the probe went by, "bpf"; NULL: not known, any */
	unsigned smp;  /* vCPUs, 1..4096 */
	unsigned runs, failures;
	double exposure;     /* in all runs, in the probe's unit, slack included */
	double rate_lower;   /* per unit of exposure; 0: no failure seen, so no rate */
	char *kernel_sha256; /* of the control's image */
	int64_t when_s;      /* UTC, seconds since 1970 */
	bool shipped;        /* came with klab, not from this machine; not in the JSON */
};
struct calibration_entry *calibration_entry_copy(const struct calibration_entry *entry);
void calibration_entry_free(struct calibration_entry *entry);

struct calibration {
	GPtrArray *entries; /* of struct calibration_entry * */
};
typedef struct calibration calibration;
struct calibration *calibration_new(void);
void calibration_free(struct calibration *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(calibration, calibration_free)

/* Conditions to look up; the strings are borrowed. */
struct calibration_key {
	const char *probe, *engine, *accel, *amplify;
	unsigned smp;
};

/* 1, 2, 4, 8, ...: the largest power of two that is not above `smp` (0 for 0). */
unsigned calibration_smp_class(unsigned smp);
/* Versions that share their first number are one class: "10.0.2" and "10.1.0". */
bool calibration_same_engine(const char *a, const char *b);

/* "bpf" and "bpf+btf" are one way to do the same; an unknown rung (NULL) is like any. */
bool calibration_same_rung(const char *a, const char *b);

/* Put a copy of `entry` in, in place of one with the same probe, hazard and conditions. */
void calibration_put(struct calibration *c, const struct calibration_entry *entry);
/* Put all of `over` over `c`: what was measured here replaces what was shipped. */
void calibration_overlay(struct calibration *c, const struct calibration *over);

/*
 * The entry that governs: of all hazards of the probe that were measured under these conditions,
 * the one with the smallest rate_lower, borrowed; NULL when there is none, or when one of them has
 * no rate (a hazard that the probe did not find bounds nothing).
 */
const struct calibration_entry *calibration_find(const struct calibration *c,
						 const struct calibration_key *key);

/* Parse; LAB_ERROR_INPUT names the entry and the field that is wrong. `shipped` marks the entries.
 */
bool calibration_parse(const char *text, size_t len, bool shipped, struct calibration **ret,
		       GError **error);
/* JSON text, sorted by probe, hazard and conditions: same entries, same bytes. Caller frees. */
char *calibration_print(const struct calibration *c);

#endif
