# SPDX-License-Identifier: GPL-2.0-or-later
# Shared by the scripts of ci/: named stages with their minutes, counted, summed up at the end.
# Sourced, not run.

stages_passed=0
stages_failed=0
stages_skipped=0
stages_table=

# stage NAME COMMAND...: run it, print its minutes, count it; a failure does not stop the rest.
stage() {
	local name=$1 start=$SECONDS ok=passed
	shift
	printf '\n== %s: %s\n' "$name" "$*"
	if "$@"; then
		stages_passed=$((stages_passed + 1))
	else
		ok=FAILED
		stages_failed=$((stages_failed + 1))
	fi
	local took=$((SECONDS - start))
	stages_table+=$(printf '%-28s %-8s %3d:%02d' "$name" "$ok" $((took / 60)) $((took % 60)))$'\n'
	printf '== %s: %s after %d:%02d min\n' "$name" "$ok" $((took / 60)) $((took % 60))
	[ "$ok" = passed ]
}

# need NAME COMMAND...: a stage without which nothing after it makes sense.
need() {
	stage "$@" || stages_end
}

# Tests that ctest ran count one by one, in place of the stage that ran them.
count_ctest() {
	local log=$1 line
	line=$(grep -E 'tests passed, [0-9]+ tests? failed out of [0-9]+' "$log" | tail -n 1)
	[ -n "$line" ] || return 0
	local failed total
	failed=$(sed -E 's/.*, ([0-9]+) tests? failed.*/\1/' <<<"$line")
	total=$(sed -E 's/.*out of ([0-9]+).*/\1/' <<<"$line")
	stages_passed=$((stages_passed + total - failed))
	stages_failed=$((stages_failed + failed))
	tell_skipped "$(dirname "$log")/Testing/Temporary/LastTest.log"
}

# ctest calls a program passed whose cmocka tests skip themselves: name those, with what they said.
tell_skipped() {
	local skipped
	skipped=$(grep -B1 -E '^\[  SKIPPED \] [a-z]' "$1" 2>/dev/null |
		grep -vE '^(--|\[ RUN |\[  SKIPPED \] [0-9])' | awk '!seen[$0]++')
	[ -n "$skipped" ] || return 0
	printf 'skipped:\n%s\n' "$skipped"
	stages_skipped=$((stages_skipped + $(grep -c SKIPPED <<<"$skipped")))
}

stages_end() {
	printf '\n%s\n%d passed, %d failed, %d skipped\n' "$stages_table" "$stages_passed" \
		"$stages_failed" "$stages_skipped"
	[ "$stages_failed" -eq 0 ] && [ "$stages_passed" -gt 0 ] && exit 0
	exit 1
}
