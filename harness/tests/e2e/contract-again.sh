# SPDX-License-Identifier: GPL-2.0-or-later
# klab again with an engine that dies on purpose: repetitions that say nothing on the kernel are not
# counted, --until-fail goes on to its limit, and everything lands in a run of its own.
. "$(dirname "$0")/lib.sh"

$KLAB kernels pull debian-bookworm >/dev/null 2>&1 || complain "the pinned kernel cannot be had"
chmod 755 "$SCRATCH"
cp "$BUILD/harness/tests/fake_qemu" "$SCRATCH/qemu"
echo exit >"$SCRATCH/qemu.mode"
expect 3 "$KLAB" run -k debian-bookworm -p nmi-user-read -p text-poke --amplify off --qemu "$SCRATCH/qemu" --accel tcg \
	--trust-engine --no-selftest --out "$SCRATCH/run"
cp "$SCRATCH/run/result.json" "$SCRATCH/before"

expect 3 "$KLAB" again "$SCRATCH/run" --cell nmi-user-read -n 3 -j 2 --out "$SCRATCH/three" --json -
jq -e '(.cells | length) == 1 and .cells[0].n == 0 and .cells[0].not_counted == 3 and
	.cells[0].interval == [0.0, 1.0]' "$SCRATCH/out" >/dev/null || complain "a wrong tally"
[ "$(ls "$SCRATCH/three/jobs" | wc -l)" -eq 3 ] || complain "not three repetitions"

# every cell, one at a time, until one fails: none does
expect 3 "$KLAB" again "$SCRATCH/run" --until-fail -n 2 --out "$SCRATCH/until"
says "text-poke.smp4.off: 0 of 0 affected; not counted (infra or unsupported): 2"
says "nmi-user-read.smp4.off: 0 of 0 affected; not counted (infra or unsupported): 2"
[ "$(jq '.cells | length' "$SCRATCH/until/result.json")" -eq 4 ] || complain "not four cells"
# its own result is a run like any other
expect 0 "$KLAB" report "$SCRATCH/until" --format json
cmp -s "$SCRATCH/out" "$SCRATCH/until/result.json" || complain "judged again, the bytes differ"

# A finding (its journals are made up) is repeated with the plan that found it. plan_of CELL: the
# repetition's "amplify" and plan.
expect 3 "$KLAB" run -k debian-bookworm -p text-poke --qemu "$SCRATCH/qemu" --accel tcg \
	--trust-engine --no-selftest --out "$SCRATCH/found"
jobs=$SCRATCH/found/jobs/debian-bookworm.text-poke.smp4.auto
for n in 0 1; do
	mkdir -p "$jobs/$n"
	cp -n "$jobs/0/spec.json" "$jobs/$n/"
	[ $n = 0 ] && alone=false || alone=true
	cat >"$jobs/$n/journal.jsonl" <<-END
	{"t":0,"ev":"open"}
	{"t":0,"ev":"host","when":"start","alone":$alone}
	{"t":1,"ev":"hello","taint":0}
	{"t":2,"ev":"begin","counters":["pokes"]}
	{"t":3,"ev":"result","result":"fail","reason":"lost-events: 3 of 9","exposure":{"pokes":9},"taint":0}
	{"t":4,"ev":"end","end":"done"}
	END
	: >"$jobs/$n/console.log" >"$jobs/$n/wire.log" >"$jobs/$n/status.bin"
done
plan_of() {
	jq -r '.amplify, .amplify_plan // "none"' "$1"/jobs/debian-bookworm.text-poke.smp4.auto.again1/0/spec.json
}
expect 3 "$KLAB" again "$SCRATCH/found" --out "$SCRATCH/no-plan"
says "no plan to repeat: cannot open '$jobs/0/plan.txt'"
says "amplified as before: auto"
[ "$(plan_of "$SCRATCH/no-plan" | tr '\n' ' ')" = "auto none " ] || complain "not as before"
echo "f,us=0" >"$jobs/0/plan.txt"
expect 3 "$KLAB" again "$SCRATCH/found" --out "$SCRATCH/bad-plan"
says "'$jobs/0/plan.txt': line 1: 'us=0' wants 1..5000 (microseconds)"
printf '# it\nseed=7\npoke_int3_handler,us=300,every=64\n' >"$jobs/0/plan.txt"
expect 3 "$KLAB" again "$SCRATCH/found" --out "$SCRATCH/replayed"
says "repeated with the plan that found it, '$jobs/0/plan.txt'"
plan_of "$SCRATCH/replayed" | grep -qx plan || complain "not by the plan"
plan_of "$SCRATCH/replayed" | grep -q 'poke_int3_handler,us=300,every=64' || complain "not that plan"
plan_of "$SCRATCH/replayed" | grep -q seed && complain "with an old seed"
expect 3 "$KLAB" again "$SCRATCH/found" --same-seed --out "$SCRATCH/same"
plan_of "$SCRATCH/same" | grep -qx seed=7 || complain "without its seed"
expect 3 "$KLAB" again "$SCRATCH/found" --amplify off --out "$SCRATCH/plain"
never_says "the plan that found it"
[ "$(plan_of "$SCRATCH/plain" | tr '\n' ' ')" = "off none " ] || complain "not off"
expect 2 "$KLAB" again "$SCRATCH/found" --amplify 'f_g,us=0'
says "--amplify: line 1: 'us=0' wants"

# the engine changed: refused, and told
printf '\n' >>"$SCRATCH/qemu"
expect 2 "$KLAB" again "$SCRATCH/run" --cell text-poke --out "$SCRATCH/changed"
says "engine '$SCRATCH/qemu' is not what it was"
cmp -s "$SCRATCH/run/result.json" "$SCRATCH/before" || complain "the old result changed"
finish
