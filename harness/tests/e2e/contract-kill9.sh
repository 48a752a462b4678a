# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 of QEMU under a run is infra; kill -9 of klab at any moment leaves no QEMU, costs at most
# the job in flight, and --resume finishes the matrix.
. "$(dirname "$0")/lib.sh"

$KLAB kernels pull debian-bookworm >/dev/null 2>&1 || complain "the pinned kernel cannot be had"
export KLAB_TEST=kill9-$$

probe_began() { grep -qs '"ev":"begin"' "$1"/jobs/*/0/journal.jsonl; }

"$KLAB" run -k debian-bookworm -p text-poke --trust-engine --duration 60 --out "$SCRATCH/engine" \
	>"$SCRATCH/out" 2>"$SCRATCH/err" &
klab=$!
wait_for 240 probe_began "$SCRATCH/engine" || complain "the probe never began"
kill -9 $(qemu_of "$KLAB_TEST") 2>/dev/null
wait $klab
[ $? -eq 3 ] || complain "QEMU killed: exit is not 3"
says "killed by signal 9"
never_says '[1-9][0-9]* clean'

"$KLAB" run -k debian-bookworm -p nmi-user-read -p text-poke --no-selftest --trust-engine --duration 4 --confidence 0.5 --out "$SCRATCH/resume" >"$SCRATCH/out" 2>"$SCRATCH/err" &
klab=$!
wait_for 240 guest_runs || complain "no guest was started"
kill -9 $klab
wait $klab 2>/dev/null
wait_for 10 guest_is_gone || complain "a QEMU survives its klab"
[ -e "$SCRATCH/resume/result.json" ] && complain "a result without a run"
expect 0 "$KLAB" run --resume --out "$SCRATCH/resume"
says "2 clean"
# resuming what is finished runs nothing and says the same
cp "$SCRATCH/resume/result.json" "$SCRATCH/first.json"
expect 0 "$KLAB" run --resume --out "$SCRATCH/resume"
cmp -s "$SCRATCH/resume/result.json" "$SCRATCH/first.json" || complain "the result changed"
finish
