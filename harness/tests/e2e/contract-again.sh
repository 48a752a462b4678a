# SPDX-License-Identifier: GPL-2.0-or-later
# klab again with an engine that dies on purpose: repetitions that say nothing on the kernel are not
# counted, --until-fail goes on to its limit, and everything lands in a run of its own.
. "$(dirname "$0")/lib.sh"

$KLAB kernels pull debian-bookworm >/dev/null 2>&1 || complain "the pinned kernel cannot be had"
chmod 755 "$SCRATCH"
cp "$BUILD/harness/tests/fake_qemu" "$SCRATCH/qemu"
echo exit >"$SCRATCH/qemu.mode"
expect 3 "$KLAB" run -k debian-bookworm -p nmi-user-read -p text-poke --amplify off --qemu "$SCRATCH/qemu" --accel tcg \
	--trust-engine --no-selftest --out "$SCRATCH/run"
cp "$SCRATCH/run/result.json" "$SCRATCH/before"

expect 3 "$KLAB" again "$SCRATCH/run" --cell nmi-user-read -n 3 -j 2 --out "$SCRATCH/three" --json -
jq -e '(.cells | length) == 1 and .cells[0].n == 0 and .cells[0].not_counted == 3 and
	.cells[0].interval == [0.0, 1.0]' "$SCRATCH/out" >/dev/null || complain "a wrong tally"
[ "$(ls "$SCRATCH/three/jobs" | wc -l)" -eq 3 ] || complain "not three repetitions"

# every cell, one at a time, until one fails: none does
expect 3 "$KLAB" again "$SCRATCH/run" --until-fail -n 2 --out "$SCRATCH/until"
says "text-poke.smp4.off: 0 of 0 affected; not counted (infra or unsupported): 2"
says "nmi-user-read.smp4.off: 0 of 0 affected; not counted (infra or unsupported): 2"
[ "$(jq '.cells | length' "$SCRATCH/until/result.json")" -eq 4 ] || complain "not four cells"
# its own result is a run like any other
expect 0 "$KLAB" report "$SCRATCH/until" --format json
cmp -s "$SCRATCH/out" "$SCRATCH/until/result.json" || complain "judged again, the bytes differ"

# the engine changed: refused, and told
printf '\n' >>"$SCRATCH/qemu"
expect 2 "$KLAB" again "$SCRATCH/run" --cell text-poke --out "$SCRATCH/changed"
says "engine '$SCRATCH/qemu' is not what it was"
cmp -s "$SCRATCH/run/result.json" "$SCRATCH/before" || complain "the old result changed"
finish
