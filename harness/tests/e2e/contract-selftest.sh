# SPDX-License-Identifier: GPL-2.0-or-later
# A lab whose detectors cannot be shown to detect says so, and none of its verdicts count. The engine is a
# fake that ends at once, so that nothing can be shown.
. "$(dirname "$0")/lib.sh"

"$KLAB" kernels pull debian-bookworm >/dev/null 2>&1 || complain "the pinned kernel cannot be had"
cp "$BUILD/harness/tests/fake_qemu" "$SCRATCH/qemu"
chmod 755 "$SCRATCH"
echo exit >"$SCRATCH/qemu.mode"
fake="--qemu $SCRATCH/qemu --accel tcg"

expect 3 "$KLAB" selftest $fake --out "$SCRATCH/canaries" --json
jq -e '
	.passed == false and .right == 0 and .wrong == 0 and .not_shown == (.canaries | length) and
	(.canaries | length) >= 8 and
	all(.canaries[]; .given == "infra" and .given_infra == "engine-died" and .answer == "not shown")
' "$SCRATCH/out" >/dev/null || {
	complain "the JSON does not say that nothing was shown"
	cat "$SCRATCH/out" >&2
}

# two cells: the detectors are tested first
expect 3 "$KLAB" run -k debian-bookworm -p nmi-user-read -p text-poke --amplify off --trust-engine $fake --out "$SCRATCH/matrix"
says "the self-test failed: canary 'quiet' wants clean, and got infra engine-died"
never_says '[1-9][0-9]* (clean|affected)'
jq -e '[.cells[].verdict] == ["infra", "infra"]' "$SCRATCH/matrix/result.json" >/dev/null ||
	complain "verdicts count although the self-test failed"

# one cell, or --no-selftest: they are not
expect 3 "$KLAB" run -k debian-bookworm -p text-poke --amplify off --trust-engine $fake \
	--out "$SCRATCH/single"
grep -q self-test "$SCRATCH/err" && complain "a single cell is preceded by a self-test"
expect 3 "$KLAB" run -k debian-bookworm -p nmi-user-read -p text-poke --amplify off --trust-engine --no-selftest $fake \
	--out "$SCRATCH/without"
grep -q self-test "$SCRATCH/err" && complain "--no-selftest is not heard"

expect 2 "$KLAB" selftest operand
expect 2 "$KLAB" selftest --jobs 0
says "wants 1..64"
expect 2 "$KLAB" selftest --kernel 'no-such-kernel'
finish
