# SPDX-License-Identifier: GPL-2.0-or-later
# The judge under argument: hangs found and explained, a starved host not mistaken for one, what the
# default set's clean cells are worth, canaries, benches and long fuzzing. Sourced by ci/campaign.

# Every vCPU's sampled RIP, looked up in the build's own System.map, against what the autopsy names.
# Prints: right wrong, per journal. Text symbols only; aliases of one address all count.
check_tops() {
	local journal=$1 map=$2
	jq -r 'select(.ev == "hang") | .cpus[] | "\(.rip[1]) \(.stack[0] // "?")"' "$journal" |
		awk -v map="$map" '
			function hex(text,   i, v) {
				for (i = 1; i <= length(text); i++)
					v = v * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
				return v
			}
			BEGIN {
				while ((getline line < map) > 0) {
					split(line, f, " ")
					if (f[2] ~ /^[tTwW]$/ && f[1] ~ /^ffffffff/) {
						addr[n] = hex(substr(f[1], 9))
						name[n++] = f[3]
					}
				}
			}
			{
				# signed 64 bits; the lower 32 tell kernel text apart
				rip = ($1 % 4294967296 + 4294967296) % 4294967296; lo = 0; hi = n
				while (lo < hi) {
					mid = int((lo + hi) / 2)
					if (addr[mid] <= rip) lo = mid + 1; else hi = mid
				}
				ok = 0
				sub(/[+].*/, "", $2)
				for (i = lo - 1; i >= 0 && addr[i] == addr[lo - 1]; i--)
					if (name[i] == $2) ok = 1
				ok ? right++ : wrong++
			}
			END { print right + 0, wrong + 0 }'
}

# One row a run: verdict, title, how long after the last beat the hang was told, the top symbols.
hang_rows() {
	local prefix=$1 map=$2 seed dir journal tops
	for seed in $(seq 20); do
		dir=$work/$prefix-$seed
		journal=$(find "$dir/jobs" -path '*/0/journal.jsonl' | head -n 1)
		tops=$(check_tops "$journal" "$map")
		jq -r --arg seed "$seed" --arg tops "$tops" \
			--arg late "$(jq -s 'map(select(.ev == "hang"))[0] | if . then (.t - .since_us) / 1e6 * 100 | round / 100 else "-" end' "$journal")" \
			'.cells[0] | "| \($seed) | \(.verdict) | \(.kind) | \(.title) | \($late) | \($tops | split(" ") | "\(.[0]) right, \(.[1]) wrong") |"' \
			"$dir/result.json"
	done
}

hang_table() {
	local prefix=$1 map=$2
	echo "| seed | verdict | kind | title | told after, s | top symbols of the vCPUs |"
	echo "|---|---|---|---|---|---|"
	hang_rows "$prefix" "$map"
	echo
	jq -rs '[.[].cells[0]] | "\(map(select(.kind == "deadlock")) | length) of \(length) deadlock, \(map(select(.title | test("find_vmap_area.*nmi"))) | length) titles name find_vmap_area under an NMI."' \
		"$work/$prefix"-*/result.json
	echo
}

# Two busy loops at the lab's own priority, ended by pid; they do not outlive this script.
starve() {
	local pids=() code=0
	for _ in 1 2; do
		(while kill -0 $$ 2>/dev/null; do :; done) &
		pids+=($!)
	done
	"$@" || code=$?
	kill "${pids[@]}"
	wait "${pids[@]}" 2>/dev/null || true
	return $code
}

clean_table() {
	echo "| cell | verdict | jobs | exposure | P(missed) |"
	echo "|---|---|---|---|---|"
	jq -r '.cells[] | "| \(.kernel).\(.probe) | \(.verdict) | \(.jobs | length) | \(.exposure | to_entries | map("\(.value) \(.key)") | join(", ")) | \(.p_missed // "-") |"' "$@"
	echo
}

# What guests send: two targets at a time, 10 minutes each.
fuzz_table() {
	local pair target seconds=${KLAB_FUZZ_SECONDS:-600}
	cmake -S . -B build-fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DKLAB_FUZZ=ON \
		-DKLAB_SANITIZE=address,undefined >/dev/null
	ninja -C build-fuzz >/dev/null
	echo "| target | seconds | runs | finding |"
	echo "|---|---|---|---|"
	for pair in "console journal" "wire ktap"; do
		for target in $pair; do
			fuzz_target "$target" "$seconds" &
		done
		wait
	done
	for target in console wire ktap journal; do
		echo "| $target | $seconds | $(sed -nE 's/^Done ([0-9]+) runs.*/\1/p' "$work/fuzz-$target.log") | $(fuzz_finding "$work/fuzz-$target.log") |"
	done
	echo
}

# Only a run that came to its end found nothing.
fuzz_finding() {
	if grep -qaE 'SUMMARY:|Test unit written' "$1"; then
		echo yes
	elif grep -qa '^Done' "$1"; then
		echo none
	else
		echo "did not run to its end"
	fi
}

fuzz_target() {
	local name=$1 seconds=$2 corpus=$work/corpus-$1
	grep -q '^Done' "$work/fuzz-$name.log" 2>/dev/null && return
	mkdir -p "$corpus"
	[ ! -d "harness/tests/fuzz/seeds/$name" ] || cp "harness/tests/fuzz/seeds/$name"/* "$corpus/"
	(cd "$work" && nice -n 5 ../../build-fuzz/harness/tests/fuzz_"$name" -max_total_time="$seconds" \
		-timeout=10 -rss_limit_mb=2048 "corpus-$name") >"$work/fuzz-$name.log" 2>&1 || true
}

campaign() {
	local seed bad map
	build/klab calibrate --build-only >"$work/controls.txt"
	bad=$(awk '$1 == "control-bad" { print $NF }' "$work/controls.txt")
	map=${bad%.bzImage}.System.map
	for seed in $(seq 20); do
		run_once "hang4-$seed" -k "file:$bad,id=control-bad" -p nmi-user-read --seed "$seed" --smp 4
		run_once "hang1-$seed" -k "file:$bad,id=control-bad" -p nmi-user-read --seed "$seed" --smp 1
	done
	run_once default
	for seed in $(seq 10); do
		starve run_once "starved-nmi-$seed" -k debian-bookworm -p nmi-user-read --seed "$seed"
		starve run_once "starved-poke-$seed" -k debian-bookworm -p text-poke --seed "$seed"
	done
	[ -s "$work/selftest.txt" ] || build/klab selftest >"$work/selftest.txt" || true
	for bench in boot console; do
		[ -s "$work/bench-$bench.txt" ] || build/harness/tests/bench_$bench >"$work/bench-$bench.txt"
	done

	head_of_table "$work/default/result.json"
	echo "## The control of hazard A on 4 vCPUs"
	echo
	hang_table hang4 "$map"
	echo "## The same on one vCPU, where the console stays silent"
	echo
	hang_table hang1 "$map"
	echo "## A clean kernel on a starved host: two busy loops on $(nproc) cores"
	echo
	jq -rs '[.[].cells[]] | "\(length) cells in 20 runs: \(group_by(.verdict) | map("\(length) \(.[0].verdict)") | join(", ")); \(map(.jobs[]) | length) jobs."' \
		"$work"/starved-*/result.json
	echo
	echo "## The default set: what clean is worth"
	echo
	clean_table "$work/default/result.json"
	echo "## Canaries"
	echo
	sed 's/^/    /' "$work/selftest.txt"
	echo
	echo "## Benches"
	echo
	sed 's/^/    /' "$work/bench-boot.txt" "$work/bench-console.txt"
	echo
	echo "## Fuzzing"
	echo
	fuzz_table
}
