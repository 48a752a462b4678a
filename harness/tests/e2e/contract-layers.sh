# SPDX-License-Identifier: GPL-2.0-or-later
# The dependency gate passes on the tree and fails on planted includes that point the wrong way.
. "$(dirname "$0")/lib.sh"

expect 0 "$SOURCE/ci/gates/layers" "$SOURCE"
plant() {
	rm -rf "$SCRATCH/tree"
	mkdir -p "$SCRATCH/tree/harness" "$SCRATCH/tree/guests" "$SCRATCH/tree/probes"
	mkdir -p "$SCRATCH/tree/$(dirname "$1")"
	echo "$2" >"$SCRATCH/tree/$1"
	expect 1 "$SOURCE/ci/gates/layers" "$SCRATCH/tree"
	says "$1:1"
}
plant harness/base/up.c '#include "run/run.h"'
plant harness/guest/side.c '#include "kernel/kernel.h"'
plant harness/judge/up.c '#include "cmd/cmd.h"'
plant harness/parse/own.c '#include "probes/lib/probe.h"'
plant harness/new/strange.c '#include "base/lab.h"'
plant guests/init/host.c '#include "base/lab.h"'
plant probes/host.c '#include "harness/base/lab.h"'
finish
