# SPDX-License-Identifier: GPL-2.0-or-later
# Engines that are missing, old, silent, torn, or end by themselves (contract-flood.sh: that flood): a
# clear sentence, exit 3, no process left, never clean.
. "$(dirname "$0")/lib.sh"

run() {
	"$KLAB" run -k debian-bookworm -p text-poke --amplify off --boot-timeout 4 "$@"
}
$KLAB kernels pull debian-bookworm >/dev/null 2>&1 || complain "the pinned kernel cannot be had"

expect 3 run --qemu "$SCRATCH/nowhere" --out "$SCRATCH/missing"
says "nowhere"
never_says '[1-9][0-9]* clean'

cp "$BUILD/harness/tests/fake_qemu" "$SCRATCH/qemu"
chmod 755 "$SCRATCH"	# the engine runs as another user and reads its mode there
for mode in silent torn exit; do
	echo $mode >"$SCRATCH/qemu.mode"
	expect 3 run --qemu "$SCRATCH/qemu" --accel tcg --trust-engine --out "$SCRATCH/$mode"
	says "1 infra"
	never_says '[1-9][0-9]* clean'
	pgrep -f "^$SCRATCH/qemu" >/dev/null && complain "$mode: an engine is left"
done
says "out of luck"

# an engine that was not proved gives infra, whatever its guests say
printf '#!/bin/sh\necho "QEMU emulator version 7.2.0"\n' >"$SCRATCH/old"
chmod +x "$SCRATCH/old"
expect 3 run --qemu "$SCRATCH/old" --accel tcg --out "$SCRATCH/aged"
says "7.2.0"
never_says '[1-9][0-9]* clean'
finish
