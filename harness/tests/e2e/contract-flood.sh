# SPDX-License-Identifier: GPL-2.0-or-later
# A guest that floods its console for 10 s and never says hello: the journal stays within its limits and
# tells what it dropped, klab's memory stays flat, and the end is a clear sentence and exit 3.
. "$(dirname "$0")/lib.sh"

$KLAB kernels pull debian-bookworm >/dev/null 2>&1 || complain "the pinned kernel cannot be had"
chmod 755 "$SCRATCH"
cp "$BUILD/harness/tests/fake_qemu" "$SCRATCH/qemu"
echo flood >"$SCRATCH/qemu.mode"
expect 3 "$KLAB" run -k debian-bookworm -p text-poke --amplify off --qemu "$SCRATCH/qemu" --accel tcg \
	--trust-engine --boot-timeout 10 --out "$SCRATCH/run" &
klab=$!
peak=0
while kill -0 $klab 2>/dev/null; do
	for pid in $(pgrep -f -- "exec-job $SCRATCH/run/"); do
		rss=$(sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2>/dev/null)
		[ "${rss:-0}" -gt $peak ] && peak=$rss
	done
	sleep 0.5
done
wait $klab || complain "the run did not end as it should"
{ [ "$peak" -gt 0 ] && [ "$peak" -le $((160 << 10)) ]; } || complain "a job took $peak KiB of memory"
says "1 infra"
never_says '[1-9][0-9]* (clean|affected)'
for job in "$SCRATCH"/run/jobs/*/*; do
	size=$(stat -c %s "$job/console.log")
	{ [ "$size" -le $((16 << 20)) ] && [ "$size" -ge $((1 << 20)) ]; } ||
		complain "the console has $size bytes"
	[ "$(stat -c %s "$job/journal.jsonl")" -le $((4 << 20)) ] || complain "the flood grew the journal"
	grep -q '"dropped":' "$job/journal.jsonl" || complain "what was dropped is not told"
done
expect 0 "$KLAB" explain text-poke --run "$SCRATCH/run"
finish
