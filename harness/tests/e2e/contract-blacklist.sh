#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# klab blacklist, hazards and probes as a user calls them: exit codes, streams, files.
set -u
klab=$1/klab
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

# expect CODE TEXT COMMAND...: the exit code, and a text that stdout or stderr must hold
expect() {
	local code=$1 text=$2 got
	shift 2
	timeout 60 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	if [ $got -ne "$code" ] || ! cat "$tmp/out" "$tmp/err" | grep -qF -- "$text"; then
		echo "FAIL: $*: exit $got, expected $code with '$text'"
		cat "$tmp/out" "$tmp/err"
		failed=1
	fi
}

check="$klab blacklist check"
deb27='#1 SMP PREEMPT_DYNAMIC Debian 6.1.27-1 (2023-05-08)'
deb38='#1 SMP PREEMPT_DYNAMIC Debian 6.1.38-1 (2023-07-14)'
expect 1 'nmi-user-read: affected (declared)' $check --release 6.1.0-9-amd64 --version "$deb27"
expect 0 'text-poke: clean' $check --release 6.1.0-9-amd64 --version "$deb27" --op text-poke
expect 0 'nmi-user-read: clean (declared)' $check --op nmi-user-read --release 6.1.0-10-amd64 --version "$deb38"
expect 4 'nmi-user-read: unknown' $check --release 6.1.0-9-amd64 --op nmi-user-read
expect 1 'unknown taken for affected' $check --release 6.1.0-9-amd64 --strict
expect 0 'FORCED to pass' $check --release 6.1.20 --force
# who reads the exit code alone is not the only one to know: stderr says what was passed, stdout the rest
grep -q '^warning: nmi-user-read is affected and FORCED to pass: 6.1.20 lies in' "$tmp/err" || {
	echo "FAIL: no warning of --force on stderr"
	failed=1
}
expect 0 '"forced": true' $check --release 6.1.20 --op nmi-user-read --force --json
grep -q FORCED "$tmp/err" || { echo "FAIL: no warning of --force --json on stderr"; failed=1; }
expect 0 'nmi-user-read: clean' $check --release 6.1.40 --op nmi-user-read --force
[ -s "$tmp/err" ] && { echo "FAIL: --force warns of what is clean"; failed=1; }
# unknown: 4, strict 1, forced 0, strict and forced 0
expect 4 'unknown' $check --op text-poke --release 3.10.0-957.el7.x86_64
expect 1 'unknown taken for affected' $check --op text-poke --release 3.10.0-957.el7.x86_64 --strict
expect 0 'FORCED to pass' $check --op text-poke --release 3.10.0-957.el7.x86_64 --force
expect 0 'FORCED to pass' $check --op text-poke --release 3.10.0-957.el7.x86_64 --strict --force
# of several operations the worst: clean and unknown, unknown and affected
expect 4 'nmi-user-read: clean' $check --op nmi-user-read --op text-poke --release 3.10.0-957.el7.x86_64
expect 1 'nmi-user-read: affected' $check --op nmi-user-read --op text-poke --release 5.14.0-300.el9.x86_64
expect 1 '"value": "affected"' $check --release 6.1.20 --json
expect 2 "did you mean 'text-poke'?" $check --release 6.1.20 --op text-pok
expect 2 'is no kernel release' $check --release banana
expect 2 'need --release' $check --version "$deb27"
expect 2 "there is no '$tmp/none'" $check --release 6.1.20 --os-release "$tmp/none"
expect 2 "there is no '$tmp/none'" $check --release 6.1.20 --hazards "$tmp/none"
# without --release it is this host that is asked about
timeout 60 $check >"$tmp/out"
grep -q "^kernel $(uname -r):" "$tmp/out" || { echo "FAIL: not about this host"; failed=1; }
# the vendor of an explicit release comes from its texts alone, never from this host's os-release
printf 'ID=ubuntu\n' >"$tmp/os"
expect 4 'vendor ubuntu' $check --release 6.2.0-36-kvm --os-release "$tmp/os" --op nmi-user-read
expect 1 'vendor other' $check --release 6.2.0-36-kvm --op text-poke --op nmi-user-read

cat >"$tmp/result.json" <<'END'
{"schema":1,"kernels":[{"id":"k","release":"6.1.0-10-amd64","version":"(a@b) #1 SMP PREEMPT_DYNAMIC Debian 6.1.38-1 (2023-07-14)","vendor":"debian","package_version":"6.1.38-1","sha256":"ab"}],
 "cells":[{"kernel":"k","probe":"nmi-user-read","hazards":[],"verdict":"affected","kind":"deadlock","title":"deadlock: x","p_missed":null,"jobs":[]}]}
END
expect 1 'measured on this build: probe nmi-user-read: deadlock: x' $check --from "$tmp" \
	--release 6.1.0-10-amd64 --version "$deb38"
expect 0 'contradiction: k' "$klab" blacklist generate --from "$tmp/result.json" --out "$tmp/inc"
[ -s "$tmp/inc/tracing_blacklist.h" ] && [ -s "$tmp/inc/tracing_blacklist.json" ] || {
	echo "FAIL: header or JSON twin is missing"
	failed=1
}
expect 0 '' "$klab" blacklist generate --from "$tmp" --out "$tmp/again.h" --json "$tmp/again.json"
cmp "$tmp/inc/tracing_blacklist.h" "$tmp/again.h" &&
	cmp "$tmp/inc/tracing_blacklist.json" "$tmp/again.json" || failed=1
expect 0 '#define KTB_API' "$klab" blacklist generate --out -
echo '{}' >"$tmp/bad.json"
expect 2 'no result of schema 1' "$klab" blacklist generate --from "$tmp/bad.json" --out "$tmp/x.h"
[ ! -e "$tmp/x.h" ] || { echo "FAIL: a header came out of bad evidence"; failed=1; }
expect 2 'name the same file' "$klab" blacklist generate --out "$tmp/y.h" --json "$tmp/y.h"
printf 'surveyed: "7"\nhazards: [{id: x}]\n' >"$tmp/h.yaml"
expect 2 "$tmp/h.yaml:2:11: 'op' is missing" "$klab" hazards --hazards "$tmp/h.yaml"
expect 0 '"hazards"' "$klab" hazards --json
expect 0 '"probes"' "$klab" probes --json
expect 2 'no command' "$klab" blacklist frobnicate

explain="$klab blacklist explain"
expect 0 'decided by   nmi-user-read-deadlock' $explain --release 6.1.0-9-amd64 --version "$deb27" --op nmi-user-read
expect 0 'later        debian 6.1.37-1: clean (declared)' $explain --release 6.1.0-9-amd64 --version "$deb27" --op nmi-user-read
expect 0 'source       seen: Debian: 5.19.6-1 to 6.1.27-1' $explain --release 6.1.0-9-amd64 --version "$deb27" --op nmi-user-read
expect 0 "would change the build: it is only in 'uname -v'" $explain --release 6.1.0-9-amd64 --op nmi-user-read
expect 0 'measured     debian 6.1.38-1 by nmi-user-read: affected, deadlock: x' $explain --from "$tmp" \
	--release 6.1.0-10-amd64 --version "$deb38" --hazard nmi-user-read-deadlock
expect 0 'nearby       debian 6.1.38-1 by nmi-user-read: affected' $explain --from "$tmp" \
	--release 6.1.0-9-amd64 --version "$deb27" --op nmi-user-read
expect 0 'interval     rhel8 clean: all that are known' $explain --hazard nmi-user-read-deadlock
expect 0 'probe        klab run -p text-poke' $explain --hazard text-poke-race
expect 0 '"would_change"' $explain --release 6.1.20 --json
expect 2 "did you mean 'text-poke-race'?" $explain --hazard text-poke-rac
expect 2 "is of operation 'text-poke', which --op does not name" $explain --release 6.1 --hazard text-poke-race --op nmi-user-read
timeout 60 $explain >"$tmp/out"
grep -q "^kernel $(uname -r):" "$tmp/out" || { echo "FAIL: explain is not about this host"; failed=1; }

for command in 'blacklist generate' 'blacklist check' 'blacklist explain' 'blacklist diff' \
	'blacklist verify' blacklist hazards probes; do
	expect 0 'Usage:' "$klab" $command --help
done
exit $failed
