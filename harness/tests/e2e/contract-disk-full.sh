# SPDX-License-Identifier: GPL-2.0-or-later
# The output folder's disk fills up while a guest runs: a clear sentence and exit 3, what was judged
# stays judged, nothing is called clean that was not seen to its end, and with room --resume does the
# rest. The disk is a small tmpfs; where nothing may be mounted (or with KLAB_TEST_NO_MOUNT) the writes
# of klab itself fail (full_disk.c).
if [ -z "${KLAB_TEST_DISK:-}${KLAB_TEST_NO_MOUNT:-}" ]; then
	for how in "unshare -m" "unshare -rm"; do
		$how mount -t tmpfs -o size=64k none /tmp 2>/dev/null &&
			KLAB_TEST_DISK=tmpfs exec $how bash "$0" "$@"
	done
fi
. "$(dirname "$0")/lib.sh"

disk=$SCRATCH/disk
mkdir "$disk"
if [ "${KLAB_TEST_DISK:-}" = tmpfs ]; then
	mount -t tmpfs -o size=8m,mode=755 none "$disk" || complain "cannot mount a tmpfs"
	trap 'umount "$disk"; rm -rf "$SCRATCH"' EXIT
	fill() { dd if=/dev/zero of="$disk/filler" bs=4k >/dev/null 2>&1; }
	drain() { rm -f "$disk/filler"; }
else
	export LD_PRELOAD=$BUILD/harness/tests/full_disk.so
	export KLAB_FULL_DIR=$disk KLAB_FULL_FLAG=$SCRATCH/full
	fill() { : >"$SCRATCH/full"; }
	drain() { rm -f "$SCRATCH/full"; }
fi

second_began() {
	[ "$(grep -ls '"ev":"begin"' "$disk"/run/jobs/*/*/journal.jsonl | wc -l)" -eq 2 ]
}
sums() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }
judged() { "$KLAB" report "$disk/run" --format json | jq -c '[.cells[].id] | sort'; }

$KLAB kernels pull debian-bookworm >/dev/null 2>&1 || complain "the pinned kernel cannot be had"
"$KLAB" run -k debian-bookworm -p nmi-user-read -p text-poke --smp 2 --amplify off --no-selftest --trust-engine --duration 5 --out "$disk/run" \
	>"$SCRATCH/out" 2>"$SCRATCH/err" &
klab=$!
wait_for 240 second_began || complain "the second cell never began"
fill
wait $klab
code=$?
[ $code -eq 3 ] || complain "disk full: exit $code, want 3"
says "No space left on device"
says "klab run --resume --out $disk/run"
says "1 clean"
first=$(judged)
[ "$(jq length <<<"$first")" = 1 ] || complain "not one cell is judged: $first"
folder=$disk/run/jobs/$(jq -r '.[0]' <<<"$first")
before=$(sums "$folder")

# still full: the same again, nothing lost
expect 3 "$KLAB" run --resume --out "$disk/run"
says "No space left on device"
[ "$(judged)" = "$first" ] || complain "a finished verdict was lost: $(judged)"
# and nothing begins there
expect 3 "$KLAB" run -k debian-bookworm -p text-poke --trust-engine --out "$disk/new"
says "No space left on device"
never_says '[1-9][0-9]* clean'

drain
expect 0 "$KLAB" run --resume --out "$disk/run"
says "2 clean"
[ "$(sums "$folder")" = "$before" ] || complain "the finished job changed"
finish
