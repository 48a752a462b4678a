#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 'klab blacklist check --release' is about the kernel that is named: it asks nothing of this host, and
# so says the same everywhere. Seen by a library that is loaded before the program.
. "$(dirname "$0")/lib.sh"

asked=$SCRATCH/asked
watch=$BUILD/harness/tests/watch_files.so

# asks CODE ARGUMENTS...: 'klab blacklist check' with what it asks its host in $asked
asks() {
	rm -f "$asked"
	expect "$1" env KLAB_TEST_ASKED="$asked" LD_PRELOAD="$watch" "$KLAB" blacklist check "${@:2}"
	touch "$asked"
}

# host_was_asked: about its kernel or its distribution. What libvirt brings along (libnuma, libcap-ng) counts
# the host's memory and capabilities when it is loaded, for itself.
host_was_asked() {
	grep -vE ' (/sys/devices/system/node/node[0-9]+/meminfo|/proc/sys/kernel/cap_last_cap)$' "$asked" |
		grep -E '^uname|os-release|lsb|_version$|/proc/(version|sys/kernel|config)|/sys/|/boot/|/lib/modules'
}

deb27='#1 SMP PREEMPT_DYNAMIC Debian 6.1.27-1 (2023-05-08)'
for arguments in '--release 6.1.20' '--release 6.2.0-36-kvm' '--release 5.14.0-300.el9.x86_64 --json' \
	'--release 6.1.20 --strict'; do
	# shellcheck disable=SC2086 # words
	asks 1 --op nmi-user-read --op text-poke $arguments
	host_was_asked && complain "'$arguments' looked at the host"
done
asks 1 --op nmi-user-read --release 6.1.0-9-amd64 --version "$deb27"
host_was_asked && complain "--version looked at the host"
# a file that is named is read, and it alone
printf 'ID=ubuntu\n' >"$SCRATCH/the-os"
asks 4 --op nmi-user-read --release 6.2.0-36-kvm --os-release "$SCRATCH/the-os"
grep -qF "open $SCRATCH/the-os" "$asked" || complain "the named file was not read"
host_was_asked && complain "--os-release looked at the host"

# that the watch sees what is there to see: without --release it is this host
rm -f "$asked"
KLAB_TEST_ASKED=$asked LD_PRELOAD=$watch "$KLAB" blacklist check >"$SCRATCH/out" 2>&1
grep -q '^uname' "$asked" || complain "the watch does not see uname()"
[ ! -e /etc/os-release ] || grep -q 'open /etc/os-release' "$asked" ||
	complain "the watch does not see /etc/os-release"
finish
