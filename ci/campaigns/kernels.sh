# SPDX-License-Identifier: GPL-2.0-or-later
# The catalogue's Debian kernels: all are pulled into an empty cache, then pulled again without a
# network, then each is booted with 4 vCPUs. Sourced by ci/campaign.
#
# KERNELS=GLOB        others than debian-*
# BOOT_WITH=COMMAND   what a boot is started by, e.g. "flock FILE": one guest at a time

# Its own cache: nothing that was fetched before helps.
klab() {
	XDG_CACHE_HOME=$PWD/$work/cache ${before:-} build/klab "$@"
}

pull() {
	local began=$EPOCHREALTIME
	klab kernels pull "$kernels" --json >"$work/$1.json.new" || return
	awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.0f\n", b - a }' >"$work/$1.seconds"
	mv "$work/$1.json.new" "$work/$1.json"
}

traced="strace -f -qq -e trace=network,execve -e signal=none -o"
calls() { grep -cv execve "$1" || true; }
programs() { grep -c 'execve.* = 0' "$1"; }

# Within the hour, as lists are fresh for so long: no call of klab's, apt's or any other child's, and
# nothing is missed in a network namespace that has no interface.
pull_again() {
	local empty="unshare -n"
	[ "$(id -u)" -eq 0 ] || empty="unshare -rn"
	before="$traced $work/strace" pull again
	before=$empty pull offline
}

# That strace would have seen them: lists that are asked for anew.
count_refresh() {
	[ -s "$work/strace-refresh" ] ||
		before="$traced $work/strace-refresh" klab kernels pull --refresh \
			"$(jq -r '.kernels[0].id' "$work/pull.json")" >/dev/null
}

# said NAME: what a pull led to
said() {
	jq -S '[.kernels[] | {id, sha256: .identity.sha256}], [.unavailable[].kernel]' "$work/$1.json"
}

# timed FILE COMMAND...: its exit code, and into FILE its seconds, without the wait of BOOT_WITH
timed() {
	${BOOT_WITH:-} bash -c 'began=$EPOCHREALTIME; "${@:2}"; code=$?
		echo "$began $EPOCHREALTIME" >"$1"; exit $code' timed "$@"
}

boot() {
	local file=$work/boot-$1 code=0
	[ -s "$file.json" ] && return
	timed "$file.time" env XDG_CACHE_HOME="$PWD/$work/cache" build/klab boot --smp 4 --timeout 300 \
		"$1" -- sh -c 'uname -r; nproc' >"$file.out" 2>"$file.err" </dev/null || code=$?
	jq -n --arg id "$1" --argjson code "$code" --rawfile out "$file.out" --rawfile time "$file.time" \
		'($out | split("\n")) as $words | ($time | split(" ") | map(tonumber)) as [$a, $b]
		| {id: $id, code: $code, release: $words[0], nproc: $words[1], seconds: ($b - $a)}' \
		>"$file.json.new"
	mv "$file.json.new" "$file.json"
}

table_of_boots() {
	echo "| id | package | version | release | sha256 | boots | seconds | nproc |"
	echo "|---|---|---|---|---|---|---|---|"
	jq -r --slurpfile boots <(cat "$work"/boot-*.json) '.kernels[]
		| . as $k | ($boots[] | select(.id == $k.id)) as $b | .identity
		| "| \($k.id) | \(.package) | \(.package_version) | \(.release) | \(.sha256[:12]) | "
		+ (if $b.code == 0 and $b.release == .release and $b.nproc == "4" then "yes"
		   else "NO, exit \($b.code)" end)
		+ " | \($b.seconds * 10 | round / 10) | \($b.nproc) |"' "$work/pull.json"
}

campaign() {
	local kernels=${KERNELS:-debian-*} before="" id n
	if [ ! -s "$work/pull.json" ]; then
		rm -rf "$work/cache" "$work"/boot-*
		pull pull
		pull_again
	fi
	for id in $(jq -r '.kernels[].id' "$work/pull.json"); do
		# the engine is fetched before times are taken
		[ -s "$work/warm" ] || klab boot --smp 1 "$id" -- echo warm >"$work/warm" </dev/null
		boot "$id"
	done
	n=$(jq '[.kernels[].identity.sha256] | unique | length' "$work/pull.json")
	count_refresh
	cat <<MD
# Campaign: $name

Made by \`ci/campaign $name\` with $(build/klab --version), $(nproc) host cores, $(date -u +%Y-%m-%d).

- \`klab kernels pull '$kernels'\` into an empty cache: $(jq '.kernels | length' "$work/pull.json") kernels, $n different builds, in
  $(cat "$work/pull.seconds") s; $(jq '.unavailable | length' "$work/pull.json") could not be had.
- The same again: $(cat "$work/again.seconds") s, $(calls "$work/strace") network calls, $(programs "$work/strace") program started (\`strace -f -e trace=network\`;
  with \`--refresh\` one kernel alone makes $(calls "$work/strace-refresh") calls in $(programs "$work/strace-refresh") programs).
- The same without any network (\`unshare -n\`): $([ "$(said pull)" = "$(said again)" ] && [ "$(said pull)" = "$(said offline)" ] && echo "the same images" || echo "OTHER IMAGES").
- Each was booted by \`klab boot --smp 4 KERNEL -- sh -c 'uname -r; nproc'\`: "boots" says whether that
  ended with 0, the release of the image and 4. Seconds are of the whole command, by the clock.

MD
	table_of_boots
	jq -r '.unavailable[] | "\nUnavailable: \(.kernel): \(.reason | split("\n")[0])"' "$work/pull.json"
}
