# SPDX-License-Identifier: GPL-2.0-or-later
# Shared by the end-to-end and contract tests: BUILD, SOURCE, a scratch folder that goes away, checks
# that say what was wrong. Sourced with the test's arguments: BUILD SOURCE.
set -uo pipefail
BUILD=$1
SOURCE=$2
KLAB=$BUILD/klab
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
cd "$SOURCE" || exit 1
# calibrations of this machine must not sway what a test expects
export XDG_DATA_HOME=$SCRATCH/data
failures=0

complain() {
	echo "FAIL: $*" >&2
	failures=$((failures + 1))
}

# expect CODE COMMAND...: run it with stdout and stderr in $SCRATCH/out and /err, check the exit code.
expect() {
	local want=$1 got
	shift
	"$@" >"$SCRATCH/out" 2>"$SCRATCH/err"
	got=$?
	[ "$got" -eq "$want" ] && return 0
	complain "exit $got, want $want: $*"
	tail -n 20 "$SCRATCH/out" "$SCRATCH/err" >&2
	return 1
}

# says TEXT: stdout or stderr of the last command holds it.
says() {
	grep -qF -- "$1" "$SCRATCH/out" "$SCRATCH/err" || {
		complain "does not say '$1'"
		tail -n 20 "$SCRATCH/out" "$SCRATCH/err" >&2
	}
}

never_says() {
	grep -qE -- "$1" "$SCRATCH/out" && complain "says '$1'"
	return 0
}

# Our own descendants named qemu, and nobody else's: none may be left.
qemu_of() {
	pgrep -f -- "klab.nonce=" | while read -r pid; do
		tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qx "KLAB_TEST=$1" && echo "$pid"
	done
}

guest_runs() { [ -n "$(qemu_of "$KLAB_TEST")" ]; }
guest_is_gone() { ! guest_runs; }

# wait_for SECONDS COMMAND...: poll until it succeeds
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

finish() {
	[ "$failures" -eq 0 ] || exit 1
	exit 0
}
