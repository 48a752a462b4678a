# SPDX-License-Identifier: GPL-2.0-or-later
# Real bisections: histories that kbisect_history makes of Linux 6.1, built and booted; and builds of
# Debian with kernels of such a history behind them. Sourced by ci/campaigns/kbisect.sh.
. ci/campaigns/lib_source.sh

poke=guests/controls/text-poke-race.cocci
user_read=guests/controls/nmi-user-read-deadlock.cocci

make_repository() {
	[ -e "$work/linux.done" ] && return
	rm -rf "$work/linux"
	unpack "$(source_package)" "$work/linux"
	in_repo init -q -b main
	in_repo add -A -f .
	in_repo commit -q -m "as Debian has it"
	touch "$work/linux.done"
}

# history SEED PATCH FILE [fix]: the commit that is looked for, in $work/history-SEED[-fix]
history() {
	local file=$work/history-$1${4:+-$4}
	[ -s "$file" ] && return
	ci/campaigns/kbisect_history "$work/linux" main "$@" >"$file.new"
	mv "$file.new" "$file"
}

# bisect NAME ARGUMENTS...: in $work/NAME, the answer in $work/NAME.json; goes on where it was
bisect() {
	local name=$1
	shift
	[ -s "$work/$name.json" ] && return
	if [ -e "$work/$name/range.json" ]; then
		build/kbisect run --resume "$work/$name" --json >"$work/$name.json.new" || true
	else
		rm -rf "${work:?}/$name"
		build/kbisect run "$@" -o "$work/$name" --json >"$work/$name.json.new" || true
	fi
	[ -s "$work/$name.json.new" ] && mv "$work/$name.json.new" "$work/$name.json"
}

# killed NAME TIMES ARGUMENTS...: the same, killed that often on the way, 30 to 90 s after each start
killed() {
	local name=$1 times=$2
	shift 2
	while [ ! -s "$work/$name.json" ] && [ "$(kills "$name")" -lt "$times" ]; do
		if [ -e "$work/$name/range.json" ]; then
			build/kbisect run --resume "$work/$name" >/dev/null &
		else
			rm -rf "${work:?}/$name"
			build/kbisect run "$@" -o "$work/$name" >/dev/null &
		fi
		sleep $((30 + RANDOM % 61))
		kill -9 $! 2>/dev/null && echo killed >>"$work/$name.kills"
		wait $! 2>/dev/null || true
	done
	bisect "$name" "$@"
}
kills() { cat "$work/$1.kills" 2>/dev/null | wc -l; }

of_history() { # SEED: arguments for what broke it
	echo "--git $work/linux --good kbisect-$1-old --bad kbisect-$1-new --probe text-poke --kconfig guests/config/control.config"
}
of_fix() {
	echo "--git $work/linux --broken kbisect-$1-fix-old --fixed kbisect-$1-fix-new --probe nmi-user-read --kconfig guests/config/control.config"
}

# No test counts twice, and each that ended had begun.
counted_once() {
	jq -es 'map(select(.ev == "end") | .test) | length == (unique | length)' \
		"$work/$1/log.jsonl" >/dev/null && echo yes || echo NO
}

# row NAME WHAT CULPRIT
bisected_row() {
	jq -r --arg what "$2" --arg want "$3" --arg kills "$(kills "$1")" --arg once "$(counted_once "$1")" \
		--arg range "$(jq '.changes | length - 1' "$work/$1/range.json")" '
		def min: . / 60 | round;
		"| \($what) | \($range) | \(.answer), \(if .change == $want then "right" else "WRONG" end) | \(.confidence * 1e4 | floor / 100) | \(.tests) (\(.failed)) | \(.kernels) | \(.tests_s | min) | \(.kernels_s | min) | \($kills) | \($once) |"
		' "$work/$1.json"
}

# Kernels of the first history that failed, in its order: what stands behind the builds of Debian.
bad_images() {
	jq -rs --slurpfile range "$work/B-1/range.json" --slurpfile answer "$work/B-1.json" '
		[$answer[0].evidence[] | select(.fails > 0) | .id] as $bad |
		[.[] | select(.ev == "image") | {node, sha256, id: $range[0].changes[.node].id}] |
		map(select(.id as $id | $bad | index($id))) | sort_by(.node) | .[].sha256' \
		"$work/B-1/log.jsonl" | head -n 5
}

# The store's copies are the catalogue's: these are of the campaign.
package_list() {
	local sha n=0
	build/klab kernels list 'debian-5.10.*' 'debian-6.1.*' 'debian-6.12.*' --json | jq -r '.kernels[].id'
	for sha in $(bad_images); do
		n=$((n + 1))
		cp "$(find "${XDG_CACHE_HOME:-$HOME/.cache}/klab" -path "*$sha*" -name 'bzImage*' | head -n 1)" \
			"$work/spliced-$n"
		echo "file:$PWD/$work/spliced-$n"
	done
}

packages() { # NAME ARGUMENTS...
	local name=$1
	shift
	[ -s "$work/list" ] || { package_list >"$work/list.new" && mv "$work/list.new" "$work/list"; }
	if [ ! -s "$work/$name.plan" ]; then
		build/kbisect run --list "$work/list" --probe text-poke --dry-run --json -o "$work/$name" \
			"$@" >"$work/$name.plan.new"
		mv "$work/$name.plan.new" "$work/$name.plan"
	fi
	bisect "$name"
}

run_real() {
	local seed
	make_repository
	for seed in 1 2 3; do
		history $seed $poke arch/x86/kernel/alternative.c
	done
	for seed in 1 2; do
		history $seed $user_read mm/usercopy.c fix
	done
	# shellcheck disable=SC2046
	{
		bisect B-1 $(of_history 1)
		bisect B-2 $(of_history 2)
		killed B-3 3 $(of_history 3)
		bisect A-1 $(of_fix 1)
		bisect A-2 $(of_fix 2)
	}
	packages packages
}

table_real() {
	local seed
	cat <<-'MD'
		## Real bisections

		Histories that `ci/campaigns/kbisect_history` makes of Linux 6.1: side branches, a span that does
		not build, a span that panics at boot, commits that change nothing, and one that puts hazard B
		(breakpoint patching that races) back, or takes hazard A (user reads in NMI) out, at a place that
		the seed draws. The first row pays for the first build of the tree. The last row is builds of Debian's 5.10, 6.1 and 6.12, in order, with kernels of the first
		history behind them.

	MD
	echo "| bisection | changes | answer | confidence, % | tests (failed) | kernels | tests, min | building, min | killed -9 | each test counts once |"
	echo "|---|---|---|---|---|---|---|---|---|---|"
	for seed in 1 2 3; do
		bisected_row B-$seed "B, seed $seed" "$(cat "$work/history-$seed")"
	done
	for seed in 1 2; do
		bisected_row A-$seed "fix of A, seed $seed" "$(cat "$work/history-$seed-fix")"
	done
	bisected_row packages "packages" "$(grep -m 1 ^file: "$work/list")"
	jq -r --slurpfile got "$work/packages.json" '.plan.rows[0] |
		"\nThe plan (`--dry-run`) foretold \(.tests.mean * 10 | round / 10) tests and \(.kernels.mean * 10 | round / 10) kernels for the packages, at most \(.tests.max) and \(.kernels.max), if each run fails; it took \($got[0].tests) and \($got[0].kernels).\n"' "$work/packages.plan"
}
