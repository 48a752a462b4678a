#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The accelerator probe on the real engine, with nothing cached: TCG must run the tiny guest, and
# KVM must be answered, whichever way, within seconds, and leave no QEMU behind.
set -eu
klab=$1/klab
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
engines=${XDG_CACHE_HOME:-$HOME/.cache}/klab/engine

# the engine itself comes from the cache: have it there
"$klab" doctor --engine >/dev/null 2>&1 || true

# the proof says what it is worth, and its parts add up
"$klab" doctor --engine --json >"$tmp/proof.json"
jq -e '.engine_proof | .sound and .boots >= 2 and (.models | map(.boots) | add) == .boots and
	((.models | map(.stress_s) | add) - .stress_s | fabs) < 1e-6 and .confidence == 0.95 and
	(.p_fault_per_boot_upper - (1 - pow(0.05; 1 / .boots)) | fabs) < 1e-9 and
	(.faults_per_stress_minute_upper + 60 * (0.05 | log) / .stress_s | fabs) < 1e-6 and
	.p_fault_per_job_upper >= .p_fault_per_boot_upper and .p_fault_per_job_upper < 1' \
	"$tmp/proof.json" >/dev/null || { cat "$tmp/proof.json" >&2; exit 1; }
for bad in "--minutes 5" "--engine --minutes -1" "--engine --minutes 99999"; do
	code=0
	# shellcheck disable=SC2086
	"$klab" doctor $bad >/dev/null 2>&1 || code=$?
	[ $code -eq 2 ] || { echo "doctor $bad: exit $code, want 2" >&2; exit 1; }
done

mkdir -p "$tmp/klab/engine"
for copy in "$engines"/qemu-*; do
	[ -d "$copy" ] && ln -s "$copy" "$tmp/klab/engine/"
done
export XDG_CACHE_HOME=$tmp

status_of() {
	sed -n "/\"name\": \"$1\"/{n;s/.*\"status\": \"\([a-z]*\)\".*/\1/p}" "$tmp/out.json"
}

start=$SECONDS
"$klab" doctor --json >"$tmp/out.json" || true
took=$((SECONDS - start))
cat "$tmp/out.json"
if [ "$(status_of engine)" = warn ]; then
	echo "no engine at hand: run 'klab doctor --engine' first" >&2
	exit 1
fi
[ "$(status_of tcg)" = ok ] || { echo "the probe does not work under TCG" >&2; exit 1; }
[ "$(status_of kvm)" = ok ] || { echo "the probe of KVM gave no answer" >&2; exit 1; }
[ "$took" -le 40 ] || { echo "doctor took $took s" >&2; exit 1; }
if grep -alF "$tmp/klab/engine/accel/guest" /proc/[0-9]*/cmdline 2>/dev/null; then
	echo "a QEMU survived the probe" >&2
	exit 1
fi
# A second look answers from the cache.
start=$SECONDS
"$klab" doctor --json >"$tmp/again.json"
[ $((SECONDS - start)) -le 5 ]
diff <(grep -A1 -E '"(tcg|kvm)"' "$tmp/out.json") <(grep -A1 -E '"(tcg|kvm)"' "$tmp/again.json")
