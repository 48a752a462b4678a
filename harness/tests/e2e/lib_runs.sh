# SPDX-License-Identifier: GPL-2.0-or-later
# Runs made of recorded jobs, for tests of what reads journals. Sourced behind lib.sh.

# recorded_run FOLDER CASE...: a run whose cells are the recorded jobs of these names.
recorded_run() {
	local run=$1 name cell specs=()
	shift
	for name in "$@"; do
		local from=$SOURCE/harness/tests/replay/recorded/$name
		cell=$(jq -r .cell "$from/spec.json")
		mkdir -p "$run/jobs/$cell"
		cp -r "$from" "$run/jobs/$cell/0"
		specs+=("$from/spec.json")
	done
	jq -s '{schema: 1, started: "2026-01-02T03:04:05Z", confidence: 0.99, unavailable: [],
		cells: [.[] | {job: ., hazards: [], foretold: true, skip: null, rate_lower: 0.01,
			calibration: "recorded, 5 of 5 runs failed"}]}' "${specs[@]}" >"$run/run.json"
}

# recorded_cases: names of all recorded jobs
recorded_cases() {
	(cd "$SOURCE/harness/tests/replay/recorded" && ls -d -- */ | tr -d /)
}
