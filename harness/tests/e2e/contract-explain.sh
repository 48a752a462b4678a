# SPDX-License-Identifier: GPL-2.0-or-later
# klab explain on recorded jobs: verdict, evidence, autopsy, how sure, how to repeat, where it lies; cells
# by id, part, glob and folder; typos get a suggestion and exit 2.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_runs.sh"

recorded_run "$SCRATCH/run" nmi-deadlock poke-oops
hang=control-bad.nmi-user-read.smp4.auto
oops=control-bad.text-poke.smp4.auto

expect 0 "$KLAB" explain $hang --run "$SCRATCH/run"
head -n 1 "$SCRATCH/out" | grep -q 'affected: deadlock: find_vmap_area' || complain "no verdict in line 1"
for words in "heartbeats of vCPUs" "vCPU 3:" "lower 95 % limit" "recorded, 5 of 5 runs failed" \
	"klab exec-job $SCRATCH/run/jobs/$hang/0/spec.json" "console.log" "$SCRATCH/run/jobs/$hang/0"; do
	says "$words"
done
# found with delays: what that means is said in one sentence
says "reachable schedule: found with injected delays"
why=$(sed -n '/^why$/,/^$/p' "$SCRATCH/out" | grep -c '^  ')
{ [ "$why" -ge 3 ] && [ "$why" -le 10 ]; } || complain "$why lines of evidence"

expect 0 "$KLAB" explain $oops --run "$SCRATCH/run" --json
jq -e '.schema == 1 and .verdict == "affected" and .kind == "oops" and (.why | length) <= 10 and
	.excerpt_is == "console" and (.excerpt | any(test("NULL pointer dereference"))) and
	.rate_lower == 0.01 and .schedule == "reachable" and (.repro | startswith("klab exec-job /"))' "$SCRATCH/out" >/dev/null ||
	complain "--json is not as documented"

# by part, by glob, by folder; all the same
mv "$SCRATCH/out" "$SCRATCH/first"
for name in text-poke '*text-poke*'; do
	expect 0 "$KLAB" explain "$name" --run "$SCRATCH/run" --json
	cmp -s "$SCRATCH/out" "$SCRATCH/first" || complain "'$name' is another cell"
done
expect 0 "$KLAB" explain "$SCRATCH/run/jobs/$oops/0" --json
cmp -s "$SCRATCH/out" "$SCRATCH/first" || complain "the job's folder is another cell"

# a job's folder alone, without its run
cp -r "$SCRATCH/run/jobs/$oops/0" "$SCRATCH/alone"
expect 0 "$KLAB" explain "$SCRATCH/alone"
says "oops: NULL pointer dereference in poke_int3_handler"
says "klab exec-job $SCRATCH/alone/spec.json"

# the newest run below results/
mkdir -p "$SCRATCH/here/results"
recorded_run "$SCRATCH/here/results/run-old" poke-oops
recorded_run "$SCRATCH/here/results/run-new" nmi-deadlock
sed -i 's/2026-01-02T/2026-01-03T/' "$SCRATCH/here/results/run-new/run.json"
(cd "$SCRATCH/here" && "$KLAB" explain nmi-user-read >"$SCRATCH/out" 2>"$SCRATCH/err") ||
	complain "the newest run is not found"
says "results/run-new/jobs"

expect 2 "$KLAB" explain control-bad.text-pike.smp4.auto --run "$SCRATCH/run"
says "did you mean '$oops'"
expect 2 "$KLAB" explain control-bad --run "$SCRATCH/run"
says "fits 2 cells"
expect 2 "$KLAB" explain "$SCRATCH/run"
says "2 cells"
expect 2 "$KLAB" explain
expect 2 "$KLAB" explain x --run "$SCRATCH/nowhere"
mkdir "$SCRATCH/empty"
expect 2 "$KLAB" explain "$SCRATCH/empty"
expect 2 "$KLAB" again "$SCRATCH/run" --cell no-such-cell
expect 2 "$KLAB" again "$SCRATCH/run" -n 0x
expect 2 "$KLAB" again "$SCRATCH/run" -n -1
# what was recorded on another machine is not repeated under other inputs unasked
expect 2 "$KLAB" again "$SCRATCH/run" --cell text-poke
says "--force"
finish
