# SPDX-License-Identifier: GPL-2.0-or-later
# kbisect over builds of Debian with a control kernel at one end: the right answer in both directions,
# and not one boot more than the plan foretold for a kernel that fails each time.
. "$(dirname "$0")/lib.sh"
KBISECT=$BUILD/kbisect

expect 0 "$KLAB" calibrate --build-only
control=$(awk '$1 == "control-bad" { print $NF }' "$SCRATCH/out")
: >"$SCRATCH/debian"
[ -s "$control" ] || complain "no control kernel: $(cat "$SCRATCH/out")"
# mirrors drop builds in time: those that are there, twelve as long as there are so many
for kernel in $("$KLAB" kernels list 'debian-6.1.*' 'debian-6.12.*' --json | jq -r '.kernels[].id'); do
	[ "$(wc -l <"$SCRATCH/debian")" -lt 14 ] || break
	"$KLAB" kernels pull "$kernel" >/dev/null 2>"$SCRATCH/pull" && echo "$kernel" >>"$SCRATCH/debian"
done
[ "$(wc -l <"$SCRATCH/debian")" -ge 3 ] ||
	complain "fewer than 3 builds can be had: $(cat "$SCRATCH/debian" "$SCRATCH/pull")"

# splice NAME ANSWER: bisect $SCRATCH/NAME.list
splice() {
	local name=$1 want=$2
	shift 2
	expect 0 "$KBISECT" run --list "$SCRATCH/$name.list" "$@" --probe text-poke --duration 8 \
		--out "$SCRATCH/$name" --dry-run --json
	foretold=$(jq '.plan.rows[0].tests.max' "$SCRATCH/out")
	expect 0 "$KBISECT" run --resume "$SCRATCH/$name" --json
	jq -e --arg want "$want" --argjson foretold "$foretold" '
		.answer == "found" and .change == $want and .confidence >= 0.99 and .tests <= $foretold
	' "$SCRATCH/out" >/dev/null ||
		complain "$name: $foretold tests foretold, $want wanted: $(cat "$SCRATCH/out")"
}

{ cat "$SCRATCH/debian" && echo "file:$control"; } >"$SCRATCH/broke.list"
splice broke "file:$control"
{ echo "file:$control" && cat "$SCRATCH/debian"; } >"$SCRATCH/mended.list"
splice mended "$(head -n 1 "$SCRATCH/debian")" \
	--broken "file:$control" --fixed "$(tail -n 1 "$SCRATCH/debian")"
finish
