# SPDX-License-Identifier: GPL-2.0-or-later
# Wrong command lines: exit 2 and a sentence that says what is meant; help and version: exit 0.
. "$(dirname "$0")/lib.sh"

expect 0 "$KLAB" --help
expect 0 "$KLAB" --version
expect 2 "$KLAB"
expect 2 "$KLAB" frobnicate
says "frobnicate"
for command in run plan exec-job report explain again kernels probes hazards blacklist doctor calibrate schema boot \
	"kernels list" "kernels pull" "kernels import" "kernels forget" "kernels gc"; do
	expect 0 "$KLAB" $command --help
	says "$command"
done
expect 2 "$KLAB" kernels frobnicate
says "frobnicate"
expect 125 "$KLAB" boot
says "which kernel?"
expect 2 "$KLAB" run --no-such-option
expect 2 "$KLAB" run -k no-such-kernel
says "no-such-kernel"
expect 2 "$KLAB" run -p no-such-probe
says "no-such-probe"
expect 2 "$KLAB" run --smp 1000
says "--smp"
expect 2 "$KLAB" run --amplify loud
says "loud"
expect 2 "$KLAB" run --amplify 'poke_int3_handler,us=300;f,every=0'
says "--amplify: line 1, site 2: 'every=0' wants 1..1000000000"
echo 'f,prob=7' >"$SCRATCH/plan"
expect 2 "$KLAB" run --amplify "@$SCRATCH/plan"
says "--amplify: '$SCRATCH/plan': line 1: 'prob=7' wants a chance"
expect 2 "$KLAB" run --amplify "@$SCRATCH/none"
says "$SCRATCH/none"
expect 2 "$KLAB" run --confidence 2
expect 2 "$KLAB" run operand
expect 2 "$KLAB" run --resume
says "--out"
expect 2 "$KLAB" exec-job "$SCRATCH/none.json"
mkdir "$SCRATCH/old" && echo '{}' >"$SCRATCH/old/run.json"
expect 2 "$KLAB" run --out "$SCRATCH/old"
says "--resume"
expect 2 "$BUILD/kbisect"
expect 0 "$BUILD/kbisect" --help
finish
