# SPDX-License-Identifier: GPL-2.0-or-later
# Same journal, same bytes: recorded jobs are judged in processes that differ in everything but the
# journals (language, time zone, umask, working folder, home, environment, place of the run).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_runs.sh"

mapfile -t cases < <(recorded_cases)
[ ${#cases[@]} -ge 2 ] || complain "no recorded jobs"
mkdir -p "$SCRATCH/home" "$SCRATCH/a b/elsewhere"
recorded_run "$SCRATCH/run" "${cases[@]}"
cp -r "$SCRATCH/run" "$SCRATCH/a b/elsewhere/copy"
chmod -R a-w "$SCRATCH/a b/elsewhere/copy"

# here RUN COMMAND...: as it comes
here() { "$KLAB" "$@"; }
# there COMMAND...: as differently as can be
there() {
	(
		umask 077
		cd "$SCRATCH/home" || exit 1
		printf 'kernels: [' >kernels.yaml # what lies in the working folder must not matter
		env -i PATH="$PATH" HOME="$SCRATCH/home" LANG=tr_TR.UTF-8 LC_ALL=tr_TR.UTF-8 \
			LC_NUMERIC=de_DE.UTF-8 TZ=Asia/Kathmandu XDG_CACHE_HOME="$SCRATCH/home/cache" \
			XDG_DATA_HOME="$SCRATCH/home/data" NO_COLOR=1 COLUMNS=40 "$KLAB" "$@"
	)
}

expect 0 here report "$SCRATCH/run" --format json
mv "$SCRATCH/out" "$SCRATCH/first"
jq -e --argjson n ${#cases[@]} '(.cells | length) == $n and all(.cells[]; .verdict != "infra")' \
	"$SCRATCH/first" >/dev/null || complain "the recorded jobs are not judged"
for where in here there; do
	for run in "$SCRATCH/run" "$SCRATCH/run/" "$SCRATCH/a b/elsewhere/copy"; do
		expect 0 $where report "$run" --format json
		cmp "$SCRATCH/first" "$SCRATCH/out" >&2 || complain "$where, '$run': other bytes"
	done
done

# explain says the same too, but for where the journal lies
for cell in $(jq -r '.cells[].id' "$SCRATCH/first"); do
	expect 0 here explain "$cell" --run "$SCRATCH/run" --json
	jq 'del(.journal, .repro, .again)' "$SCRATCH/out" >"$SCRATCH/explained"
	expect 0 there explain "$cell" --run "$SCRATCH/a b/elsewhere/copy" --json
	jq 'del(.journal, .repro, .again)' "$SCRATCH/out" | cmp "$SCRATCH/explained" - >&2 ||
		complain "$cell: explained differently"
done
chmod -R u+w "$SCRATCH/a b"
finish
