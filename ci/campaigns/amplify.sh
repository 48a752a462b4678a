# SPDX-License-Identifier: GPL-2.0-or-later
# What the amplifier is worth and what it costs: how much sooner a known race is found, what clean
# kernels make of it, a lost update and a deadlock of two locks on a kernel made for that, CPU time,
# and whether a plan repeats what it found. Sourced by ci/campaign, which gets the parts to run:
# detection, clean, fixtures, overhead, replay; all of them without a name.

parts=(detection clean fixtures overhead replay)
declare -A needs=([detection]=poke [clean]=clean [fixtures]=order [overhead]=cost [replay]=found)
limit_s=60 # of a run that looks for a race; who does not find it by then counts with it

# NAME: the image of a control kernel
control() {
	[ -s "$work/controls.txt" ] || build/klab calibrate --build-only >"$work/controls.txt"
	echo "file:$(awk -v id="control-$1" '$1 == id { print $NF }' "$work/controls.txt"),id=control-$1"
}

# PREFIX: the results of its runs, or nothing
results() {
	find "$work" -mindepth 2 -maxdepth 2 -path "$work/$1-*/result.json" | sort -V
}

# What the first job of each run says, as lines of JSON; repetitions answer another question. A
# failure's time counts from the probe's begin.
first_jobs() {
	local file
	results "$1" | while read -r file; do
		jq -c --argjson limit "$limit_s" '.cells[0] as $cell | $cell.jobs[0]
			| {verdict, title, excerpt, plan, dir, level: $cell.amplify,
			   unamplified: ($cell.unamplified != null),
			   seconds: (if .verdict == "affected" then $cell.time_to_failure_s else $limit end)}' "$file"
	done
}

# A run's journals: of its first job
journal_of() {
	echo "$(dirname "$1")/$(jq -r '.cells[0].jobs[0].dir' "$1")/journal.jsonl"
}

jq_stats='
def median: sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def places(n): if . == null then "-" else . * pow(10; n) | round / pow(10; n) end;
def ratio(a; b): if a and b then a / b else null end;
def found: map(select(.verdict == "affected"));'

# PREFIX LEVEL: a row of times; "> 60" is a run that found nothing
times_row() {
	first_jobs "$1" | jq -rs --arg level "$2" "$jq_stats"'
		"| \($level) | \(length) | \(found | length) | \(map(.seconds) | median | places(3)) | \(map(.seconds) | min | places(3)) to \(map(.seconds) | max | places(3)) | \(found | map(.title) | group_by(.) | map("\(.[0]) (\(length))") | join("; ")) |"'
}

# PREFIX of off, PREFIX of auto: how many times sooner, by the medians
ratio_line() {
	{ first_jobs "$1"; first_jobs "$2"; } | jq -rs "$jq_stats"'
		(map(select(.level == "off") | .seconds) | median) as $off
		| (map(select(.level == "auto") | .seconds) | median) as $auto
		| "Ratio of the medians: \(ratio($off; $auto) | places(1)). Runs that found nothing count as '"$limit_s"' s; \(map(select(.unamplified)) | length) of the amplified runs were not amplified as planned."'
	echo
}

times_table() {
	echo "| --amplify | runs | found | median, s | range, s | titles |"
	echo "|---|---|---|---|---|---|"
	times_row "$1-off" off
	times_row "$1-auto" auto
	echo
	ratio_line "$1-off" "$1-auto"
}

# --- detection: hazard B's control ---------------------------------------------------------------

run_detection() {
	local seed level bad
	bad=$(control bad)
	for seed in $(seq 20); do
		for level in auto off; do
			run_once "poke-$level-$seed" -k "$bad" -p text-poke --seed "$seed" --smp 4 \
				--duration "$limit_s" --full-duration --amplify "$level" --no-selftest
		done
	done
}

table_detection() {
	echo "## A known race: the control of hazard B, text-poke, 4 vCPUs"
	echo
	times_table poke
}

# --- clean: the default kernels, all probes ------------------------------------------------------

clean_kernels=(debian-bullseye debian-bookworm debian-backports debian-sid)

# What counts here is false alarms: no bound on what was missed is asked for, so each cell is one boot.
run_clean() {
	local seed kernel
	for seed in $(seq 20); do
		for kernel in "${clean_kernels[@]}"; do
			run_once "clean-$kernel-$seed" -k "$kernel" --seed "$seed" --smp 4 \
				--duration 4 --full-duration --confidence 0.1 --jobs 2 \
				--amplify auto --no-selftest
		done
	done
}

table_clean() {
	local row kernel
	echo "## Distribution kernels, all probes, amplified: 20 runs each, 4 s a probe"
	echo
	echo "| kernel | release | runs | cells | clean | unsupported | affected, foretold | affected, not foretold | inconclusive | infra | delays |"
	echo "|---|---|---|---|---|---|---|---|---|---|---|"
	results clean | xargs -r jq -rs '
		[.[] | . as $doc | .cells[] | {kernel, verdict, release: $doc.kernels[0].release,
			told: (.foretold and .hazard), delays: ([.jobs[].delays.delays? // 0] | add)}]
		| group_by(.kernel)[]
		| def n(f): map(select(f)) | length;
		  "| \(.[0].kernel) | \(map(.release) | unique | join(", ")) | RUNS | \(length) | \(n(.verdict == "clean")) | \(n(.verdict == "unsupported")) | \(n(.verdict == "affected" and .told)) | \(n(.verdict == "affected" and (.told | not))) | \(n(.verdict == "inconclusive")) | \(n(.verdict == "infra")) | \(map(.delays) | add) |"' |
		while read -r row; do
			kernel=$(awk '{ print $2 }' <<<"$row")
			echo "${row/RUNS/$(results "clean-$kernel" | wc -l)}"
		done
	echo
	echo "Every cell that is neither clean nor unsupported:"
	echo
	echo "| kernel | probe | verdict | times | title or reason |"
	echo "|---|---|---|---|---|"
	results clean | xargs -r jq -rs '
		[.[].cells[] | select(.verdict != "clean" and .verdict != "unsupported")
		 | {kernel, probe, verdict: "\(.verdict)\(if .foretold and .hazard then ", foretold" else "" end)", what: (.title // .reason)}]
		| group_by([.kernel, .probe, .verdict, .what])[]
		| "| \(.[0].kernel) | \(.[0].probe) | \(.[0].verdict) | \(length) | \(.[0].what) |"'
	echo
}

# --- fixtures: a kernel made for that --------------------------------------------------------------

run_fixtures() {
	local seed races level
	races=$(control races)
	for seed in $(seq 5); do
		for level in auto off; do
			run_once "count-$level-$seed" -k "$races" -p shared-counter --seed "$seed" --smp 4 \
				--duration 10 --amplify "$level" --no-selftest
			run_once "order-$level-$seed" -k "$races" -p lock-order --seed "$seed" --smp 4 \
				--duration "$limit_s" --amplify "$level" --no-selftest
		done
	done
}

# PREFIX LEVEL: increments and losses of all jobs
losses_row() {
	results "$1" | xargs -r jq -rs --arg level "$2" "$jq_stats"'
		def percent: . * 100 | places(4);
		[.[].cells[0].exposure] | map(.lost / .increments) as $share
		| "| \($level) | \(length) | \(map(.increments) | add) | \(map(.lost) | add) | \(($share | median | percent)) | \($share | min | percent) to \($share | max | percent) |"'
}

table_fixtures() {
	echo "## A counter that loses updates: 4 vCPUs, 10 s"
	echo
	echo "| --amplify | runs | increments | lost | lost, %, median | range, % |"
	echo "|---|---|---|---|---|---|"
	losses_row count-off off
	losses_row count-auto auto
	echo
	echo "## Two locks taken crosswise: 4 vCPUs, up to $limit_s s"
	echo
	times_table order
	first_jobs order-auto | jq -rs "$jq_stats"'
		[found[].excerpt // "" | split("\n")]
		| "Of \(length) deadlocks found with delays, the autopsy shows the stacks of two vCPUs that spin on different locks in \(map(select((map(select(test("^vCPU .*spins on"))) | length) >= 2 and (map(select(test("^lock "))) | length) >= 2)) | length)."'
	echo
	echo "One of them:"
	echo
	first_jobs order-auto | jq -rs "$jq_stats"'found[0].excerpt // "none" | split("\n")[] | select(test("spins|^lock|none")) | "    " + .'
	echo
}

# --- overhead: CPU time of the vCPU threads --------------------------------------------------------

# What a boot costs tells of a plugin that is there and not armed; the probe's part, per increment,
# of sites that are armed. `idle` has one site, which nobody executes; `armed` has the heads of two
# functions that every write(2) to the counter runs through, so rare in their delays that none is made.
armed="eventfd_write,at=access,every=1000000000;vfs_write,at=access,every=1000000000"

run_overhead() {
	local seed name
	declare -A level=([off]=off [idle]="panic,every=1000000000" [armed]=$armed [auto]=auto)
	for seed in $(seq 5); do
		for name in off idle armed auto; do
			run_once "cost-$name-$seed" -k debian-bookworm -p shared-counter --seed "$seed" \
				--smp 2 --duration 10 --param shared-counter.work=1000 --amplify "${level[$name]}" \
				--no-selftest
		done
	done
}

# PREFIX: of each run, CPU seconds to the probe's begin, and microseconds an increment after it
costs() {
	local file
	results "$1" | while read -r file; do
		jq -cs '(map(select(.ev == "begin"))[0].t) as $begin
			| (map(select(.ev == "result"))[0]) as $last
			| map(select(.ev == "chunk" and .run_us)) as $read
			| ($read | map(select(.t <= $begin)) | last.run_us) as $boot
			| ($read | map(select(.t <= $last.t)) | last.run_us) as $whole
			| {boot: ($boot / 1e6), each: (($whole - $boot) / $last.exposure.increments)}' "$(journal_of "$file")"
	done
}

table_overhead() {
	echo "## CPU time of the vCPUs: debian-bookworm, 2 vCPUs, medians of $(results cost-off | wc -l) runs in turns"
	echo
	echo "| plugin | boot to the probe's begin, s | ratio | an increment of shared-counter (work=1000), us | ratio |"
	echo "|---|---|---|---|---|"
	local name
	for name in off idle armed auto; do
		costs "cost-$name" | jq -cs --arg name "$name" "$jq_stats"'{name: $name, boot: (map(.boot) | median), each: (map(.each) | median)}'
	done | jq -rs "$jq_stats"'.[0] as $off | .[]
		| "| \(.name) | \(.boot | places(2)) | \(ratio(.boot; $off.boot) | places(3)) | \(.each | places(2)) | \(ratio(.each; $off.each) | places(3)) |"'
	echo
	echo "*idle*: loaded, one site that nobody executes. *armed*: the heads of eventfd_write and vfs_write,"
	echo "which each increment runs through, at every access to memory, and no delay. *auto*: as it is used,"
	echo "a second of profiling and the delays (which take no CPU time) included."
	echo
}

# --- replay: the same plan and seed, twice 20 times ------------------------------------------------

# Short, so that a plan may miss.
run_replay() {
	local seed races of
	races=$(control races)
	for seed in $(seq 10); do
		of=$work/found-$seed
		run_once "found-$seed" -k "$races" -p lock-order --seed "$seed" --smp 4 --duration 4 \
			--amplify auto --no-selftest
		[ "$(jq -r '.cells[0].jobs[0].verdict' "$of/result.json")" != affected ] || break
	done
	for half in 1 2; do
		[ ! -s "$work/again-$half.json" ] || continue
		rm -rf "$work/again-$half"
		build/klab again "$of" --same-seed -n 20 --out "$work/again-$half" \
			--json "$work/again-$half.json.new" >/dev/null || true
		mv "$work/again-$half.json.new" "$work/again-$half.json"
	done
}

table_replay() {
	echo "## One finding's plan, same seed: lock-order for 4 s, two times 20 repetitions"
	echo
	echo "| half | affected | of | 95 % interval |"
	echo "|---|---|---|---|"
	local half
	for half in 1 2; do
		[ ! -s "$work/again-$half.json" ] || jq -r --arg half "$half" '.cells[0]
			| "| \($half) | \(.affected) | \(.n) | \(.interval | map(. * 1000 | round / 1000) | join(" to ")) |"' \
			"$work/again-$half.json"
	done
	echo
	[ ! -s "$work/again-2.json" ] || python3 - "$work"/again-[12].json <<'PY'
import json, math, sys

(a, n), (c, m) = [(x["affected"], x["n"]) for x in
                  (json.load(open(path))["cells"][0] for path in sys.argv[1:])]
total = math.comb(n + m, a + c)
ways = [math.comb(n, k) * math.comb(m, a + c - k) for k in range(a + c + 1)]
p = sum(w for w in ways if w <= ways[a]) / total
print(f"Fisher's exact test, two-sided: p = {p:.3g}.\n")
PY
	echo "The plan:"
	echo
	sed 's/^/    /' "$(plan_found)" || echo "    none"
	echo
}

# The plan of the last run that was looked at for one
plan_found() {
	local file
	file=$(results found | tail -n 1)
	echo "$(dirname "$file")/$(jq -r '.cells[0].jobs[0].dir' "$file")/plan.txt"
}

# -----------------------------------------------------------------------------------------------------

campaign() {
	local part
	for part in "${@:-${parts[@]}}"; do
		"run_$part"
	done
	head_of_table "$(find "$work" -mindepth 2 -maxdepth 2 -name result.json | head -n 1)"
	for part in "${parts[@]}"; do
		[ -z "$(results "${needs[$part]}")" ] || "table_$part"
	done
}
