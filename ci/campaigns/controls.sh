# SPDX-License-Identifier: GPL-2.0-or-later
# Every control judged 5 times; 54 boots and 21 minutes of amplified stress of clean kernels.
# Sourced by ci/campaign.

campaign() {
	[ -s "$work/calibrate.json" ] || build/klab calibrate --repeat 5 --out "$work/calibrate" \
		--json "$work/calibrate.json.new" >&2 || true
	[ -s "$work/calibrate.json.new" ] && mv "$work/calibrate.json.new" "$work/calibrate.json"

	local seed kernel
	for seed in 1 2 3 4 5 6 7 8 9; do
		for kernel in debian-bookworm debian-backports debian-sid; do
			run_once "$kernel-$seed" -k "$kernel" --seed "$seed" --duration 24
		done
	done
	head_of_table "$work/debian-bookworm-1/result.json"
	echo "## Controls: known bugs put back into 6.1, and the untouched tree"
	echo
	echo "| control | probe | run | verdict | right | seconds | title |"
	echo "|---|---|---|---|---|---|---|"
	jq -r '.results[] | "| \(.control) | \(.probe) | \(.repeat) | \(.verdict) | \(.answer) | \((.ran_s * 100 | round) / 100) | \(.title // "") |"' \
		"$work/calibrate.json"
	echo
	echo "## Clean kernels under amplified stress"
	echo
	echo "| kernel | release | probe | boots | stress, s | exposure | clean | other |"
	echo "|---|---|---|---|---|---|---|---|"
	jq -rs '
		[.[] | . as $doc | .cells[] | . as $cell |
		 {kernel, probe, verdict, boots: (.jobs | length),
		  release: ($doc.kernels[] | select(.id == $cell.kernel) | .release),
		  exposure: ([.exposure["nmi-user-reads"], .exposure["pokes-while-trapping"]] | map(. // 0) | add)}]
		| group_by([.kernel, .probe])[]
		| "| \(.[0].kernel) | \(.[0].release) | \(.[0].probe) | \(map(.boots) | add) | \(length * 24) | \(map(.exposure) | add) | \(map(select(.verdict == "clean")) | length) | \(map(select(.verdict != "clean") | .verdict) | join(", ")) |"
	' "$work"/debian-*/result.json
	echo
	jq -rs '[.[].cells[]] | "In all \(map(.jobs | length) | add) boots, \(length * 24) s of stress, \(map(select(.verdict != "clean")) | length) cells not clean, \(map(.jobs[] | select(.verdict != "clean")) | length) jobs not clean, \(map(.findings[]) | length) findings."' \
		"$work"/debian-*/result.json
}
