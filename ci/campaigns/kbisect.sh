# SPDX-License-Identifier: GPL-2.0-or-later
# Are kbisect's claims true, and what do its answers cost? Part "simulated": the claim of 99 % at four
# rates, two lengths of range and two shapes of history, 400 trials each; what breaks the model; time of
# a decision. Part "real" (kbisect_real.sh): kernels that are built and booted. Sourced by ci/campaign.
. ci/campaigns/kbisect_real.sh
parts=(simulated real)

claims() {
	local p n shape
	for shape in '' --merges; do
		for n in 16 1000; do
			for p in 1 0.5 0.2 0.05; do
				echo "--p $p --n $n${shape:+ $shape}"
			done
		done
	done
}

# What the model does not know of, or what is otherwise not the plain case.
departures() {
	cat <<-'END'
		--eps 0.002
		--eps 0.005
		--drift 0.5
		--drift 1
		--spread 0.5
		--spread 1
		--untestable 0.1
		--untestable 0.3
		--fix
		--fix --merges
		--n 24 --build 5 --run 30
		--jobs 2
		--jobs 4
		--jobs 8
		--time --p 87 --boot 15
		--time --p 269 --boot 15
		--time --p 269 --boot 60
	END
}

# ARGUMENTS...: simulated once, kept by its arguments
simulated() {
	local file
	file=$work/simulate$(tr -d ' ' <<<"$*").json
	if [ ! -s "$file" ]; then
		build/kbisect simulate "$@" --json >"$file.part" || true # 1: the claim does not hold
		[ -s "$file.part" ] && mv "$file.part" "$file"
	fi
	cat "$file"
}

simulated_row() {
	simulated "$@" | jq -r --arg how "$*" '
		def places(n): if . == null then "-" else . * pow(10; n) | round / pow(10; n) end;
		(.methods | map({key: .method, value: .}) | from_entries) as $m
		| "| `\($how)` | \(.errors) of \(.trials) | \(.error_lower * 100 | places(2)) to \(.error_upper * 100 | places(2)) | \(.runs_mean | places(1)) | \(.builds_mean | places(1)) | \(.wall_s / 3600 | places(2)) | \(if .plugin_wall_s then .wall_s / .plugin_wall_s | places(2) else "-" end) | \($m["plug-in"].errors // "-") | \($m["git x10"].errors // "-") |"'
}

simulated_head() {
	echo "| kbisect simulate | wrong | 95 % limits, % | runs | builds | hours | : plug-in | plug-in wrong | git x10 wrong |"
	echo "|---|---|---|---|---|---|---|---|---|"
}

simulate_all() {
	local row
	claims | while read -r row; do
		# shellcheck disable=SC2086
		simulated $row --trials 400 >/dev/null
	done
	departures | while read -r row; do
		# shellcheck disable=SC2086
		simulated $row --trials 100 >/dev/null
	done
}

run_simulated() { simulate_all; }

table_simulated() {
	local row
	cat <<-'MD'
		## Simulated

		A build takes 300 s and a run, boot included, 60 s unless it says otherwise; a chain of 1000
		changes, p = 0.2. Asked confidence 0.99: the claim holds where the lower limit is under 1 %.
		'plug-in' is git bisect with as many repeats as five failures at the bad end ask for.

		### The claim, 400 trials each

	MD
	simulated_head
	claims | while read -r row; do
		# shellcheck disable=SC2086
		simulated_row $row --trials 400
	done
	printf '\n### Departures, 100 trials each\n\n'
	simulated_head
	departures | while read -r row; do
		# shellcheck disable=SC2086
		simulated_row $row --trials 100
	done
	printf '\n### Time of a decision\n\n'
	build/harness/tests/bench_bisect | sed 's/^/    /'
	echo
}

# The parts that were not asked for keep the tables that they have.
campaign() {
	local part
	for part in "${@:-${parts[@]}}"; do
		"run_$part"
		"table_$part" >"$work/$part.md"
	done
	echo "# Campaign: $name"
	echo
	echo "Made by \`ci/campaign $name\` with $(build/kbisect --version), $(nproc) host cores, $(date -u +%Y-%m-%d)."
	for part in "${parts[@]}"; do
		[ ! -s "$work/$part.md" ] || { echo && cat "$work/$part.md"; }
	done
}
