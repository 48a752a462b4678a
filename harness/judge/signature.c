// SPDX-License-Identifier: GPL-2.0-or-later
/* Signatures against what was seen. Names are compared as whole words; ".part.0" and kin are
 * ignored. */
#include "judge/signature.h"

#include <string.h>

#define CONSOLE_REACH (1u << 20) /* bytes of console that are searched */

static bool is_word(char c)
{
	return g_ascii_isalnum(c) || c == '_';
}

static bool text_has(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);
	const char *at = text, *end = text + len;

	while (n && at && (at = memmem(at, end - at, word, n))) {
		if ((at == text || !is_word(at[-1])) && (at + n == end || !is_word(at[n])))
			return true;
		at++;
	}
	return false;
}

static bool stacks_have(const struct evidence *ev, const char *word)
{
	for (unsigned cpu = 0; ev->hang && cpu < ev->ncpus; cpu++) {
		const char *const *stack = ev->hang[cpu].stack;

		for (unsigned i = 0; i < G_N_ELEMENTS(ev->hang[cpu].stack) && stack[i]; i++) {
			if (text_has(stack[i], strlen(stack[i]), word))
				return true;
		}
	}
	return false;
}

static bool kind_fits(enum verdict_kind wanted, enum verdict_kind seen)
{
	if (wanted == seen || wanted == KIND_NONE)
		return true;
	if (wanted == KIND_DEADLOCK)
		return seen == KIND_LOCKUP || seen == KIND_RCU_STALL || seen == KIND_HUNG_TASK;
	return wanted == KIND_OOPS && seen == KIND_PANIC;
}

static bool frames_fit(const struct evidence *ev, const struct verdict *verdict,
		       const struct signature *sig, size_t from)
{
	size_t start = ev->console ? MIN(from, ev->console_len) : 0;
	const char *console = ev->console ? ev->console + start : "";
	size_t len = ev->console ? MIN(ev->console_len - start, CONSOLE_REACH) : 0;

	for (unsigned i = 0; sig->frames && sig->frames[i]; i++) {
		const char *frame = sig->frames[i];

		if (!text_has(verdict->title, strlen(verdict->title), frame) &&
		    !text_has(console, len, frame) && !stacks_have(ev, frame))
			return false;
	}
	return sig->frames && sig->frames[0];
}

const char *signature_match(const struct evidence *ev, const struct judge_params *params,
			    const struct verdict *verdict, size_t console_from)
{
	for (unsigned i = 0; params && verdict->title && i < params->n_hazards; i++) {
		const struct judged_hazard *hazard = &params->hazards[i];

		for (unsigned j = 0; j < hazard->n_signatures; j++) {
			if (kind_fits(hazard->signatures[j].kind, verdict->kind) &&
			    frames_fit(ev, verdict, &hazard->signatures[j], console_from))
				return hazard->id;
		}
	}
	return NULL;
}
