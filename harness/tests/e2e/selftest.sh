# SPDX-License-Identifier: GPL-2.0-or-later
# Canaries on the pinned kernel: faults provoked from outside, by the guest, and none at all; the JSON as
# documented. 'ci/test --controls' has all of them.
. "$(dirname "$0")/lib.sh"

expect 2 "$KLAB" selftest --canary 'no-such-*'
says "no canary matches 'no-such-*'"
expect 0 "$KLAB" selftest --list
for canary in quiet panic oops soft-lockup stuck-cpu silent-stop killed-init flood taint paused; do
	says "$canary"
done

expect 0 "$KLAB" selftest --canary quiet --canary oops --canary stuck-cpu --canary taint \
	--out "$SCRATCH/run" --json
cp "$SCRATCH/out" "$SCRATCH/out.json"
jq -e '
	.schema == 1 and .passed and .right == 4 and .wrong == 0 and .not_shown == 0 and
	([.canaries[].name] == ["quiet", "oops", "stuck-cpu", "taint"]) and
	all(.canaries[];
		(["name", "summary", "by", "wanted", "wanted_one_of", "given", "given_kind",
		  "given_title", "given_infra", "reason", "answer", "job"] - keys) == [] and
		.wanted == .given and .answer == "right") and
	([.canaries[].wanted] == ["clean", "affected", "affected", "affected"])
' "$SCRATCH/out.json" >/dev/null || {
	complain "the JSON is not as documented"
	cat "$SCRATCH/out.json" >&2
}

# the journals are a run like any other, judged again to the same verdicts
expect 0 "$KLAB" report "$SCRATCH/run" --format json
jq -e '[.cells[].verdict] == ["clean", "affected", "affected", "affected"]' "$SCRATCH/out" \
	>/dev/null || complain "judged again, the verdicts differ"
expect 2 "$KLAB" selftest --out "$SCRATCH/run"
says "holds a run already"
finish
