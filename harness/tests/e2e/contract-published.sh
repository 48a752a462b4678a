#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What ships in results/published is what its evidence and the declarations of this tree make. If this
# fails because they changed, make it again as klab blacklist verify says.
. "$(dirname "$0")/lib.sh"
name=results/published/tracing_blacklist

for file in $name.h $name.json $name.md $name.evidence.json; do
	[ -s $file ] || complain "there is no $file"
done
expect 0 "$KLAB" blacklist verify && says "$name.json: fresh"
never_says 'is not there'
# it was measured, by an engine that was found sound
jq -e '(.measured | length) >= 8 and (.provenance.runs | length) >= 1 and
	all(.provenance.runs[]; .engine_proof.sound)' $name.json >/dev/null ||
	complain 'not the blacklist of a measured matrix'
# the header is one that a product can include
cc -std=c99 -Wall -Wextra -Werror -x c -fsyntax-only $name.h || complain "$name.h does not compile"
# a journal that was judged is named for every measured verdict
jq -e 'all(.measured[]; (.journal_sha256 | length) > 0)' $name.json >/dev/null ||
	complain 'a verdict without a journal'
finish
