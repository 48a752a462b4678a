# SPDX-License-Identifier: GPL-2.0-or-later
# Real guests under a plan of delays, under the host's jitter, and where delays cannot be had: a wrong
# symbol and an engine that does not take the plugin cost the amplification, never the run.
. "$(dirname "$0")/lib.sh"

image=$($KLAB kernels pull debian-bookworm >/dev/null 2>&1
	$KLAB kernels list debian-bookworm --json | jq -r '.kernels[0].identity.image')

# stress NAME AMPLIFY [OPTION...]: one short run in $SCRATCH/NAME; its cell goes to $cell
stress() {
	local name=$1 level=$2
	shift 2
	"$KLAB" run -k "file:$image,id=mine" -p text-poke --smp 2 --duration 2 --full-duration \
		--trust-engine --amplify "$level" --out "$SCRATCH/$name" "$@" \
		>"$SCRATCH/out" 2>"$SCRATCH/err"
	local code=$?
	case $code in 0 | 4) ;; *) complain "$name ended with $code" && cat "$SCRATCH/err" >&2 ;; esac
	cell=$(jq -c '.cells[0]' "$SCRATCH/$name/result.json")
	job=$(find "$SCRATCH/$name/jobs" -name journal.jsonl -printf '%h\n')
}

# cell_has FILTER WHAT
cell_has() {
	jq -e "$1" <<<"$cell" >/dev/null || complain "$2: $cell"
}

# event_has NAME FILTER WHAT: of the job's journal
event_has() {
	jq -se --arg ev "$1" "[.[] | select(.ev == \$ev)][0] | $2" "$job/journal.jsonl" >/dev/null ||
		complain "$3: $(grep "\"$1\"" "$job/journal.jsonl")"
}

stress plan 'vfs_read,every=4,us=100..300;vfs_write+0x4-0x40,at=access,every=8'
cell_has '.unamplified == null and .schedule == null' "a plan that works"
event_has amplified '.delays > 0 and .slept_ms > 0' "no delays were made"
grep -qE '^[0-9]+ [01] [0-9]+ [0-9]+$' "$job/delays.log" || complain "the delays are not logged"
grep -q '^vfs_read' "$job/plan.txt" || complain "plan.txt does not name the sites"

stress again "@$job/plan.txt"
event_has amplified '.delays > 0' "plan.txt does not replay"

stress wrong 'no_such_function+0x10'
cell_has '.amplify == "off" and (.unamplified | contains("no_such_function"))' "a wrong symbol"
says "unamplified"
[ -e "$job/plan.txt" ] && complain "an unamplified run has a plan"

# the engine proper, but for the plugin's path
real=$(jq -r .engine.binary "$job/spec.json")
cat >"$SCRATCH/qemu" <<SH
#!/bin/bash
args=()
for arg in "\$@"; do
	case \$arg in *,page=*) arg=/nonexistent.so,\${arg#*,} ;; esac
	args+=("\$arg")
done
$(jq -r '.engine.env[] | "export " + (. | @sh)' "$job/spec.json")
exec "$real" $(jq -r '.engine.args | map(@sh) | join(" ")' "$job/spec.json") "\${args[@]}"
SH
chmod 755 "$SCRATCH" "$SCRATCH/qemu"
stress refused auto --qemu "$SCRATCH/qemu"
cell_has '.amplify == "off" and (.unamplified | contains("does not take the plugin"))' "a refused plugin"
says "unamplified"

stress host host
cell_has '.unamplified == null' "jitter without a plugin"
event_has amplified '.stops + .squeezes + .idles > 0' "the host did not jitter"
finish
