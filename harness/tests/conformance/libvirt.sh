#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The libvirt backend in both of its shapes: the driver in our process, and a daemon behind a
# network, to which kernel and initramfs are uploaded. Usage: libvirt.sh BUILD SOURCE
set -uo pipefail
. "$2/harness/tests/e2e/lib.sh"
. "$SOURCE/harness/tests/e2e/lib_libvirt.sh"
trap 'libvirtd_down; rm -rf "$SCRATCH"' EXIT
conformance=$BUILD/harness/tests/backend_conformance

conforms() {
	echo "== $1"
	"$conformance" libvirt "$1" || complain "not with $1"
}

is_empty() { [ -z "$(ls -A "$1")" ]; }

mkdir "$SCRATCH/e"
conforms "qemu:///embed?root=$SCRATCH/e"
wait_for 10 is_empty "$SCRATCH/e" || complain "the driver's folder is left"

engine_of() { pgrep -f -- "guest=klab-.*$SCRATCH/e/" >/dev/null; }
no_engine() { ! engine_of; }

echo "== killed with -9"
"$conformance" libvirt "qemu:///embed?root=$SCRATCH/e" >"$SCRATCH/killed" 2>&1 &
killed=$!
wait_for 60 engine_of || complain "no engine to be left behind"
kill -9 "$killed"
wait "$killed" 2>/dev/null
wait_for 10 no_engine || complain "an engine outlives klab"
wait_for 10 is_empty "$SCRATCH/e" || complain "the driver's folder outlives klab"

libvirtd_can || finish
libvirtd_up "$SCRATCH/host" || exit 1
# the test cannot see an engine of another host: it is told how one is killed there
export -f libvirtd_engine_pids
export libvirtd_holder
export KLAB_KILL_ENGINE="bash -c 'kill -9 \$(libvirtd_engine_pids)'"
conforms "$LIBVIRT_URI"
[ "$(libvirtd_engines)" -eq 0 ] || complain "an engine is left on the host"
finish
