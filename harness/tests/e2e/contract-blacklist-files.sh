#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# klab blacklist generate, diff and verify: what is written, what is the same, what is told of a file
# that changed, of other evidence and of other declarations. No guest runs.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_runs.sh"
name=tracing_blacklist

# run FOLDER VERDICT P_MISSED [MEMBERS]: a run that judged one Debian build
run() {
	mkdir -p "$1"
	cat >"$1/result.json" <<END
{"schema":1,"generator":"klab 0","started":"2026-01-02T03:04:05Z","asked_confidence":0.99,
 "engine":{"version":"10","sha256":"$(printf x | sha256sum | cut -c1-64)"},
 "kernels":[{"id":"k","release":"6.1.0-10-amd64","version":"(a@b) #1 SMP PREEMPT_DYNAMIC Debian 6.1.38-1 (2023-07-14)","vendor":"debian","package_version":"6.1.38-1","sha256":"ab"}],
 "cells":[{"kernel":"k","probe":"nmi-user-read","verdict":"$2","kind":"","title":"deadlock: x","p_missed":$3,${4-}
  "jobs":[{"dir":"jobs/a/0","digest":"$(printf y | sha256sum | cut -c1-64)"}]}]}
END
}
run "$SCRATCH/clean" clean 0.0001
run "$SCRATCH/bad" affected null '"schedule":"reachable",'

# verify_says TEXT CODE [ARGUMENT...]: what klab blacklist verify finds
verify_says() {
	local state=$1 code=$2
	shift 2
	expect "$code" "$KLAB" blacklist verify "$@" && says "$state"
}

# --- generate: four files, from a run or from its own evidence
expect 0 "$KLAB" blacklist generate --from "$SCRATCH/clean" --out "$SCRATCH/a"
for file in $name.h $name.json $name.md $name.evidence.json; do
	[ -s "$SCRATCH/a/$file" ] || complain "no $file"
done
expect 0 "$KLAB" blacklist generate --from "$SCRATCH/a/$name.evidence.json" --out "$SCRATCH/b"
diff -r "$SCRATCH/a" "$SCRATCH/b" >&2 || complain 'made from its own evidence it differs'
grep -q "$(jq -r .digest "$SCRATCH/a/$name.json")" "$SCRATCH/a/$name.h" "$SCRATCH/a/$name.md" ||
	complain 'header and page do not carry the digest'
expect 0 "$KLAB" blacklist generate --out "$SCRATCH/declared"
[ -e "$SCRATCH/declared/$name.evidence.json" ] && complain 'evidence of nothing was written'
expect 2 "$KLAB" blacklist generate --out "$SCRATCH/c" --evidence "$SCRATCH/c/e.json"
says '--evidence needs --from'
expect 0 "$KLAB" blacklist generate --from "$SCRATCH/clean" --out "$SCRATCH/other/x.h" \
	--json "$SCRATCH/other/y.json" --markdown "$SCRATCH/other/z.md" --evidence "$SCRATCH/other/e.json"
verify_says fresh 0 "$SCRATCH/other/y.json" --from "$SCRATCH/other/e.json"
cmp "$SCRATCH/a/$name.json" "$SCRATCH/other/y.json" >&2 || complain 'the twin depends on names of files'
[ -e "$SCRATCH/other/$name.md" ] && complain 'files go where they were not asked to go'

# --- the twin is what its schema says
expect 0 "$KLAB" blacklist generate --from "$SCRATCH/bad" --out "$SCRATCH/delayed"
jq -e 'any(.measured[]; .schedule == "reachable")' "$SCRATCH/delayed/$name.json" >/dev/null ||
	complain 'that a failure was found with delays got lost'
python3 - docs/blacklist.schema.json "$SCRATCH/a/$name.json" "$SCRATCH/declared/$name.json" \
	"$SCRATCH/delayed/$name.json" results/published/$name.json <<'END' || complain 'a twin is not as docs/blacklist.schema.json says'
import json, sys, jsonschema
schema, *twins = (json.load(open(name)) for name in sys.argv[1:])
jsonschema.Draft202012Validator.check_schema(schema)
for twin in twins:
    jsonschema.Draft202012Validator(schema).validate(twin)
END

# --- verify
verify_says fresh 0 "$SCRATCH/a"
verify_says fresh 0 "$SCRATCH/a/$name.h"
verify_says fresh 0 "$SCRATCH/a/$name.md" --from "$SCRATCH/clean"
verify_says fresh 0 "$SCRATCH/declared"
for file in $name.h $name.json $name.md $name.evidence.json; do
	cp -r "$SCRATCH/a" "$SCRATCH/t"
	# one byte, and such that JSON stays JSON
	sed -i '0,/clean/s//Clean/' "$SCRATCH/t/$file"
	cmp -s "$SCRATCH/a/$file" "$SCRATCH/t/$file" && complain "$file: nothing was changed"
	verify_says tampered 2 "$SCRATCH/t" && says "$file"
	rm -r "$SCRATCH/t"
done
cp -r "$SCRATCH/a" "$SCRATCH/t"
rm "$SCRATCH/t/$name.md"
verify_says fresh 0 "$SCRATCH/t" && says "$name.md' is not there"
rm "$SCRATCH/t/$name.evidence.json"
verify_says 'to make it again from' 2 "$SCRATCH/t"
verify_says fresh 0 "$SCRATCH/t" --from "$SCRATCH/clean"
rm -r "$SCRATCH/t"
verify_says 'stale' 1 "$SCRATCH/a" --from "$SCRATCH/bad"
says 'the evidence changed'
says 'hint: klab blacklist generate'
sed 's/6\.1\.\.6\.1\.36/6.1..6.1.37/' probes/hazards.yaml >"$SCRATCH/hazards.yaml"
verify_says 'stale' 1 "$SCRATCH/a" --hazards "$SCRATCH/hazards.yaml"
says 'the declarations changed: '
says 'nmi-user-read-deadlock'
# a twin of another schema that is what it says, and one of another klab
redigest() {
	local digest
	digest=$(jq -cSj 'del(.digest, .files)' "$1" | sha256sum | cut -c1-64)
	jq --indent 1 --arg d "$digest" '.digest = $d | del(.files)' "$1" >"$1.new" && mv "$1.new" "$1"
}
cp -r "$SCRATCH/declared" "$SCRATCH/t"
jq --indent 1 '.schema = 0' "$SCRATCH/declared/$name.json" >"$SCRATCH/t/$name.json"
redigest "$SCRATCH/t/$name.json"
verify_says 'stale' 1 "$SCRATCH/t" && says 'schema 0, this klab writes schema 1'
jq --indent 1 '.generator = "klab 0"' "$SCRATCH/declared/$name.json" >"$SCRATCH/t/$name.json"
redigest "$SCRATCH/t/$name.json"
verify_says 'stale' 1 "$SCRATCH/t" && says 'made by klab 0'
expect 2 "$KLAB" blacklist verify "$SCRATCH/none"
expect 2 "$KLAB" blacklist verify "$SCRATCH/clean/result.json"
says 'no JSON twin'

# journals that are at hand must be those that were judged
recorded_run "$SCRATCH/run" poke-oops
expect 0 "$KLAB" report "$SCRATCH/run" --format json
cp "$SCRATCH/out" "$SCRATCH/run/result.json"
expect 0 "$KLAB" blacklist generate --from "$SCRATCH/run" --out "$SCRATCH/r"
verify_says fresh 0 "$SCRATCH/r" --from "$SCRATCH/run"
echo '{"t":1,"ev":"note"}' >>"$(echo "$SCRATCH"/run/jobs/*/0/journal.jsonl)"
verify_says stale 1 "$SCRATCH/r" --from "$SCRATCH/run"
says 'is not the one that was judged'

# --- diff
diff_says() {
	local code=$1
	shift
	expect "$code" "$KLAB" blacklist diff "$@"
}
diff_says 0 "$SCRATCH/a" "$SCRATCH/clean" && says 'The same.'
diff_says 1 "$SCRATCH/declared" "$SCRATCH/a" && says 'better founded'
diff_says 1 "$SCRATCH/declared/$name.json" "$SCRATCH/bad/result.json"
says '| nmi-user-read | debian 6.1.38-1 | clean (declared) | **affected (measured)** |'
says '## New contradictions'
diff_says 1 --json "$SCRATCH/a" "$SCRATCH/bad"
jq -e '.same == false and .answers[0].new.value == "affected" and .answers[0].change == "changed"' \
	"$SCRATCH/out" >/dev/null || complain 'diff --json'
diff_says 2 "$SCRATCH/a" && says 'two operands'
diff_says 2 "$SCRATCH/a" "$SCRATCH/none"
echo '[]' >"$SCRATCH/list.json"
diff_says 2 "$SCRATCH/a" "$SCRATCH/list.json" && says 'no result of schema 1'
finish
