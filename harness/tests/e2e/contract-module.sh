#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tracing_blacklist.h in the kernel: docs/examples/module is built by kbuild where there are headers
# of some kernel; in any case the header compiles with nothing of libc in reach.
. "$(dirname "$0")/lib.sh"
examples=$SOURCE/docs/examples
consumers=$SOURCE/harness/tests/consumers
expect 0 "$KLAB" blacklist generate --out "$SCRATCH"

# The options that the kernel is built with, its limit on a function's stack among them.
freestanding() {
	local cc wants
	for cc in gcc clang; do
		expect 0 $cc -D__KERNEL__ -std=gnu11 -O2 -ffreestanding -nostdinc -fno-strict-aliasing \
			-fno-pie -mno-sse -mcmodel=kernel -Wall -Wextra -Werror -Wdeclaration-after-statement \
			-Wframe-larger-than=2048 -I"$consumers/fake_kernel" -I"$SCRATCH" \
			-c "$consumers/plain.c" -o "$SCRATCH/plain-$cc.o"
		# compilers call these by themselves; the kernel has them
		wants=$(nm -u "$SCRATCH/plain-$cc.o" | grep -vwE 'mem(cpy|set|move|cmp)')
		[ -z "$wants" ] || complain "$cc: wants $wants"
	done
}

# A tree that modules can be built against, of whatever kernel.
headers() {
	local tree
	for tree in "/lib/modules/$(uname -r)/build" /lib/modules/*/build; do
		[ -x "$tree/scripts/mod/modpost" ] && [ -e "$tree/Module.symvers" ] && echo "$tree" && return
	done
	return 1
}

kbuild() {
	cp -r "$examples/module" "$SCRATCH/"
	expect 0 make -C "$SCRATCH/module" KDIR="$1" HEADER_DIR="$SCRATCH" KCFLAGS=-Werror
	[ -s "$SCRATCH/module/gated.ko" ] || complain 'there is no gated.ko'
	grep -q 'text-poke' "$SCRATCH/module/gated.ko" || complain 'gated.ko knows no operation'
}

freestanding
if tree=$(headers); then
	echo "kbuild: with the headers of $(basename "$(dirname "$tree")")"
	kbuild "$tree"
else
	echo 'kbuild: not run, no kernel headers here (ci/deps --controls installs them)'
fi
finish
