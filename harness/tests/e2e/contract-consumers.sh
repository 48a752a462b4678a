#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The consumers of docs/examples, built and run with a header of the shipped declarations and with
# one that also holds recorded and made-up results. The kernel module is in contract-module.sh.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_runs.sh"
examples=$SOURCE/docs/examples
consumers=$SOURCE/harness/tests/consumers
shipped=$SCRATCH/shipped
seen=$SCRATCH/seen
# measured affected by the recorded jobs for both operations, though 6.1.192 is declared clean
evidence=(--from "$SCRATCH/result.json" --from "$consumers/result.json")
seen_release=6.1.192-klab-control
seen_version='#1 SMP 1970-01-01'

make_headers() {
	recorded_run "$SCRATCH/run" poke-oops nmi-deadlock
	expect 0 "$KLAB" report "$SCRATCH/run" --format json
	cp "$SCRATCH/out" "$SCRATCH/result.json"
	expect 0 "$KLAB" blacklist generate --out "$shipped"
	expect 0 "$KLAB" blacklist generate --out "$seen" "${evidence[@]}"
}

# --- a libbpf program -----------------------------------------------------------------------------

# sampler HEADER ARGUMENT...
sampler() {
	local header=$1
	shift
	"$header/sampler/sampler" "$@"
}

build_sampler() {
	local header
	for header in "$shipped" "$seen"; do
		cp -r "$examples/sampler" "$header/"
		expect 0 make -C "$header/sampler" HEADER_DIR="$header" CFLAGS='-O1 -Wall -Wextra -Werror'
	done
	expect 0 cc -shared -fPIC -D_GNU_SOURCE "$consumers/no_bpf.c" -o "$SCRATCH/no_bpf.so" -ldl
}

sampler_decides() {
	local degraded='plan: samples' full='plan: samples with user memory'
	expect 0 sampler "$shipped" --plan --release 6.4.0 --count f
	says "$full, calls of f"
	expect 0 sampler "$shipped" --plan --release 6.1.20 --count f
	says "$degraded, calls of f"
	says 'without user memory: nmi-user-read is affected'
	expect 0 sampler "$shipped" --plan --release 6.1.20 --force=nmi-user-read,irq-user-read
	says "$full"
	says 'forced: nmi-user-read is affected'
	expect 1 sampler "$shipped" --plan --release 5.15.0 --count f
	says 'refused: text-poke is affected'
	expect 0 sampler "$shipped" --plan --release 5.15.0
	expect 0 sampler "$shipped" --plan --release 5.15.0 --count f --force
	says 'forced: text-poke is affected'
	expect 1 sampler "$shipped" --plan --release 5.15.0 --count f --force=nmi-user-read
	# nothing is known of this build: the policy decides
	expect 0 sampler "$shipped" --plan --release 3.10.0-957.el7.x86_64 --count f
	says 'noted: text-poke is unknown'
	expect 1 sampler "$shipped" --plan --release 3.10.0-957.el7.x86_64 --count f --strict
	expect 2 sampler "$shipped" --plan --release banana
}

sampler_knows_measurements() {
	local kernel=(--plan --release "$seen_release" --version "$seen_version" --count f)
	expect 0 sampler "$shipped" "${kernel[@]}"
	expect 1 sampler "$seen" "${kernel[@]}"
	says 'refused: text-poke is affected: measured on this build'
}

# The watch is tried as well: a run that goes on must meet it.
sampler_loads_nothing_when_refused() {
	local watch=(env LD_PRELOAD="$SCRATCH/no_bpf.so" "$shipped/sampler/sampler" --count f)
	expect 1 "${watch[@]}" --release 5.15.0
	expect 99 "${watch[@]}" --release 5.15.0 --force
}

# Where this host allows BPF: a degraded sampler reads no user memory, one that may does.
sampler_samples() {
	local code
	sampler "$shipped" --release 6.1.20 --duration-ms 200 >"$SCRATCH/out" 2>"$SCRATCH/err"
	code=$?
	if [ $code -eq 3 ]; then
		echo "not run: the sampler's programs: $(tail -n 1 "$SCRATCH/err")"
		return
	fi
	[ $code -eq 0 ] || complain "the degraded sampler: exit $code"
	says 'samples, 0 with user memory'
	timeout 0.5 sh -c 'while :; do :; done' &
	expect 0 sampler "$shipped" --duration-ms 400
	wait
	if grep -q '^plan: samples with user memory' "$SCRATCH/out"; then
		grep -qE '^[0-9]+ samples, [1-9][0-9]* with user memory' "$SCRATCH/out" ||
			complain "no user memory was read: $(tail -n 1 "$SCRATCH/out")"
	fi
}

# --- a wrapper of SystemTap -----------------------------------------------------------------------

wrapper() { KLAB=$KLAB STAP=$SCRATCH/stap "$examples/stap-checked" "$@"; }

wrapper_follows_exit_codes() {
	printf '#!/bin/sh\necho "ran stap $*"\n' >"$SCRATCH/stap"
	chmod +x "$SCRATCH/stap"
	expect 0 wrapper --release 6.4.0 x.stp 7
	says 'ran stap -r 6.4.0 -p 4 x.stp 7'
	[ ! -s "$SCRATCH/err" ] || complain "the wrapper warns of nothing: $(cat "$SCRATCH/err")"
	expect 0 wrapper --release 6.1.20 x.stp
	says 'ran stap -r 6.1.20 -p 4 -G user_memory=0 x.stp'
	says 'without user memory'
	expect 1 wrapper --release 5.15.0 x.stp
	says 'refused'
	never_says 'ran stap'
	expect 0 wrapper --release 3.10.0-957.el7.x86_64 x.stp
	says 'not all is known'
	expect 1 wrapper --release 3.10.0-957.el7.x86_64 --strict x.stp
	never_says 'ran stap'
	expect 3 wrapper --release banana x.stp
	never_says 'ran stap'
	expect 2 wrapper --release
	# without --release this host is asked about
	STAP=$SCRATCH/stap KLAB=$KLAB "$examples/stap-checked" --force x.stp >"$SCRATCH/out" 2>&1
	says 'ran stap x.stp'
}

warned() { grep -qiE "$1" "$SCRATCH/err" || complain "no '$1' on stderr: $(cat "$SCRATCH/err")"; }

# What the wrapper relies on: --force turns 1 into 0, and says so on stderr; it is silent otherwise.
force_is_told() {
	local check=("$KLAB" blacklist check --op text-poke --release)
	expect 1 "${check[@]}" 5.15.0
	expect 0 "${check[@]}" 5.15.0 --force
	warned 'text-poke.*forced|forced.*text-poke'
	expect 0 "${check[@]}" 6.4.0 --force
	[ ! -s "$SCRATCH/err" ] || complain "forced nothing, yet warned: $(cat "$SCRATCH/err")"
	expect 0 wrapper --release 5.15.0 --force x.stp
	says 'ran stap'
	warned 'text-poke.*forced|forced.*text-poke'
}

# --- C++ ------------------------------------------------------------------------------------------

gate_answers_as_klab() {
	local cxx kernel
	for cxx in g++ clang++; do
		expect 0 $cxx -std=c++17 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror \
			-I"$seen" "$examples/gate.cpp" -o "$SCRATCH/gate-$cxx"
	done
	for kernel in 6.1.20 5.4.0-216-generic 5.14.0-300.el9.x86_64 $seen_release; do
		"$KLAB" blacklist check --json "${evidence[@]}" --release "$kernel" \
			--version "$seen_version" | jq -r '.answers[] | "\(.op) \(.value) \(.evidence)"' \
			>"$SCRATCH/klab"
		for cxx in g++ clang++; do
			"$SCRATCH/gate-$cxx" "$kernel" "$seen_version" | cut -d' ' -f1-3 >"$SCRATCH/gate"
			cmp -s "$SCRATCH/klab" "$SCRATCH/gate" && [ -s "$SCRATCH/gate" ] ||
				complain "$cxx: $kernel: $(diff "$SCRATCH/klab" "$SCRATCH/gate")"
		done
	done
	expect 1 "$SCRATCH/gate-g++" 5.15.0
	expect 0 "$SCRATCH/gate-g++" --force all 5.15.0
	says 'text-poke affected declared forced'
	expect 1 "$SCRATCH/gate-g++" --strict --force text-poke 3.10.0-957.el7.x86_64
	expect 2 "$SCRATCH/gate-g++" banana
}

# --- Python ---------------------------------------------------------------------------------------

reader_answers_as_klab() {
	local twin=$seen/tracing_blacklist.json kernel
	expect 0 python3 "$consumers/same_answers.py" "$KLAB" "$examples" "$twin" \
		"$consumers/kernels.tsv" "$SCRATCH/result.json" "$consumers/result.json"
	cat "$SCRATCH/out"
	expect 0 python3 "$consumers/table_answers.py" "$examples" "$shipped/tracing_blacklist.json" \
		"$SOURCE/harness/tests/unit/data/kernels.tsv"
	cat "$SCRATCH/out"
	local reader=(python3 "$examples/tracing_blacklist.py")
	expect 1 "${reader[@]}" "$twin" --op text-poke $seen_release "$seen_version"
	says 'text-poke: affected (measured)'
	expect 0 "${reader[@]}" "$twin" --force --op text-poke 5.15.0
	warned 'text-poke is affected, and forced to pass'
	expect 4 "${reader[@]}" "$twin" --op text-poke 3.10.0-957.el7.x86_64
	expect 1 "${reader[@]}" "$twin" --op text-poke --strict 3.10.0-957.el7.x86_64
	expect 2 "${reader[@]}" "$twin" banana
	expect 2 "${reader[@]}" "$twin" --op text-pok 6.1.20
	jq '.schema = 2' "$twin" >"$SCRATCH/newer.json"
	expect 2 "${reader[@]}" "$SCRATCH/newer.json" 6.1.20
	says 'schema 2: this reader knows 1'
}

make_headers
build_sampler
sampler_decides
sampler_knows_measurements
sampler_loads_nothing_when_refused
sampler_samples
wrapper_follows_exit_codes
force_is_told
gate_answers_as_klab
reader_answers_as_klab
finish
