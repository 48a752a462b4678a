# SPDX-License-Identifier: GPL-2.0-or-later
# `kbisect simulate`: its JSON, its exit codes, and that it can tell a claim that does not hold.
. "$(dirname "$0")/lib.sh"
KBISECT=$BUILD/kbisect

expect 0 "$KBISECT" --help
says "simulate"
expect 2 "$KBISECT" frobnicate
says "no command 'frobnicate'"
expect 2 "$KBISECT" simulate --p 2
says "--p must be between"
expect 2 "$KBISECT" simulate operand
says "unexpected operand 'operand'"

expect 0 "$KBISECT" simulate --p 0.5 --n 64 --trials 20 --json
for key in errors trials runs_mean builds_mean wall_s plugin_wall_s; do
	jq -e "has(\"$key\") and (.$key | type == \"number\")" "$SCRATCH/out" >/dev/null ||
		complain "no number '$key' in its JSON"
done
jq -e '.trials == 20 and .errors == 0 and (.methods | map(.method) | index("plug-in"))' \
	"$SCRATCH/out" >/dev/null || complain "wrong: $(cat "$SCRATCH/out")"
cp "$SCRATCH/out" "$SCRATCH/first"
expect 0 "$KBISECT" simulate --p 0.5 --n 64 --trials 20 --json
diff <(jq 'del(.slowest_decision_s)' "$SCRATCH/first") \
	<(jq 'del(.slowest_decision_s)' "$SCRATCH/out") || complain "the same seed gives something else"

# Kernels whose rates differ by orders of magnitude break the model: that is seen and told.
expect 1 "$KBISECT" simulate --p 0.3 --n 200 --trials 60 --spread 2 --trusting
says "kbisect : plug-in"

# What is not for git bisect's rules is told without them.
expect 0 "$KBISECT" simulate --time --p 120 --boot 15 --n 64 --trials 10 -j 2 --json
jq -e '(.methods | length) == 1 and (has("plugin_wall_s") | not)' "$SCRATCH/out" >/dev/null ||
	complain "rivals where they cannot play: $(cat "$SCRATCH/out")"
finish
