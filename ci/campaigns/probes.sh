# SPDX-License-Identifier: GPL-2.0-or-later
# The probe suite: on four kernels with 8 vCPUs, 50 times on a clean one, with 1 and 16 vCPUs and in
# 256 MiB, and on controls of its hazards. Sourced by ci/campaign.
#
# Affected is right where evidence foretells it for that kernel and the failure carries the signature of
# that hazard; all others may be false.

# KERNELS...: rows of the cells of runs, by probe and kernel
suite_table() {
	echo "| kernel | probe | verdict | exposure | failed after, s | jobs | what was found |"
	echo "|---|---|---|---|---|---|---|"
	jq -r '. as $doc | .cells[] | . as $cell
		| ($doc.kernels[] | select(.id == $cell.kernel) | .release) as $release
		| (.exposure | to_entries | .[0]) as $first
		| "| \($release) | \(.probe) | \(.verdict)\(if .foretold and .hazard then ", foretold" else "" end) | \($first.value // 0) \($first.key // "") | \(.time_to_failure_s // "" | if . == "" then . else . * 100 | round / 100 end) | \(.jobs | length) | \(if .verdict == "clean" then "" else .title // .reason end) |"' \
		"$@"
	echo
}

count_verdicts() {
	jq -rs '[.[].cells[]] | "\(length) cells: " + (group_by(.verdict) | map("\(length) \(.[0].verdict)") | join(", ")) + "; affected without being foretold: \(map(select(.verdict == "affected" and (.foretold and .hazard | not))) | length)."' "$@"
	echo
}

# PREFIX: all its runs as one table by probe
repeated_table() {
	echo "| probe | runs | clean | affected, foretold | affected, not foretold | inconclusive | infra | exposure a run, median |"
	echo "|---|---|---|---|---|---|---|---|"
	jq -rs '[.[].cells[]] | group_by(.probe)[]
		| def n(f): map(select(f)) | length;
		  "| \(.[0].probe) | \(length) | \(n(.verdict == "clean")) | \(n(.verdict == "affected" and .foretold and .hazard)) | \(n(.verdict == "affected" and (.foretold and .hazard | not))) | \(n(.verdict == "inconclusive")) | \(n(.verdict == "infra")) | \(map(.exposure | to_entries | .[0].value // 0) | sort | .[length / 2 | floor]) |"' \
		"$work/$1"-*/result.json
	echo
}

campaign() {
	local seed
	for seed in $(seq 50); do
		run_once "bookworm-$seed" -k debian-bookworm --seed "$seed" --smp 2 --duration 5 -j 4 \
			--no-selftest
	done
	run_once four -p '*' --smp 8 --duration 20 --full-duration
	run_once smp1 -k debian-bookworm -p '*' --smp 1 --duration 10 --no-selftest
	run_once smp16 -k debian-bookworm -p '*' --smp 16 --duration 10 --no-selftest
	run_once mem256 -k debian-bookworm -p '*' --smp 4 --memory 256 --duration 10 --no-selftest
	[ -s "$work/calibrate.json" ] || build/klab calibrate --repeat 5 --clean-repeat 1 --no-store \
		--out "$work/calibrate" --json "$work/calibrate.json.new" >&2 || true
	[ -s "$work/calibrate.json.new" ] && mv "$work/calibrate.json.new" "$work/calibrate.json"

	head_of_table "$work/four/result.json"
	echo "## Controls: each hazard put back into 6.1, five runs each, and the untouched tree"
	echo
	echo "| control | probe | hazard | right | seconds to the failure | titles |"
	echo "|---|---|---|---|---|---|"
	jq -r '.results | group_by([.control, .probe, .hazard])[]
		| "| \(.[0].control) | \(.[0].probe) | \(.[0].hazard // "") | \(map(select(.answer == "right")) | length) of \(length) | \(map((.ran_s * 100 | round) / 100 | tostring) | join(", ")) | \(map(.title // empty) | unique | join("; ")) |"' \
		"$work/calibrate.json"
	echo
	echo "## Four kernels, 8 vCPUs, 20 s a probe"
	echo
	suite_table "$work/four/result.json"
	count_verdicts "$work/four/result.json"
	echo "## 50 times on Debian 12's kernel, 2 vCPUs, one boot and 5 s a probe, four guests at once"
	echo
	repeated_table bookworm
	count_verdicts "$work"/bookworm-*/result.json
	echo "## 1 vCPU, 16 vCPUs, and 4 in 256 MiB"
	echo
	for seed in smp1 smp16 mem256; do
		echo "### $seed"
		echo
		suite_table "$work/$seed/result.json"
	done
}
