#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tracing_blacklist.h goes into whatever product there is: every standard that gcc and clang know, C++,
# freestanding and 32-bit code, kernel code, BPF programs; included twice, and in two translation units
# of one program.
. "$(dirname "$0")/lib.sh"

consumers=$SOURCE/harness/tests/consumers
strict=(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror "-I$SCRATCH")
tried=0

# compiles COMPILER FLAGS...: without a word
compiles() {
	"$@" "${strict[@]}" >"$SCRATCH/said" 2>&1 && [ ! -s "$SCRATCH/said" ] || {
		complain "$*"
		head -n 20 "$SCRATCH/said" >&2
	}
	tried=$((tried + 1))
}

# knows COMPILER FLAGS...: an empty program, as standards and targets come and go
knows() { "$@" -fsyntax-only -x c /dev/null 2>/dev/null; }
knows_cxx() { "$@" -fsyntax-only -x c++ /dev/null 2>/dev/null; }

expect 0 "$KLAB" blacklist generate --out "$SCRATCH/tracing_blacklist.h"

# included twice, used once; the other half of a program uses it as well
printf '#include "tracing_blacklist.h"\n' | cat - "$consumers/plain.c" >"$SCRATCH/twice.c"
sed 's/product_may/other_may/g' "$consumers/plain.c" >"$SCRATCH/other.c"
cat >"$SCRATCH/main.c" <<'END'
int product_may(const char *release, const char *version, const char *op);
int other_may(const char *release, const char *version, const char *op);

int main(void)
{
	return product_may("6.1.20", 0, "nmi-user-read") || !other_may("6.4.0", 0, "nmi-user-read");
}
END

for cc in gcc clang; do
	for std in c99 c11 c17 c2x; do
		knows $cc -std=$std || { complain "$cc does not know $std"; continue; }
		compiles $cc -std=$std -fsyntax-only "$SCRATCH/twice.c"
	done
	compiles $cc -std=c99 -ffreestanding -nostdlib -fsyntax-only "$SCRATCH/twice.c"
	# headers of a 32-bit C library are not needed, as none are included
	if knows $cc -m32 -ffreestanding; then
		compiles $cc -std=c99 -m32 -O2 -ffreestanding -nostdlib -c -o "$SCRATCH/m32.o" \
			"$SCRATCH/twice.c"
	fi
	compiles $cc -std=c99 -O2 -o "$SCRATCH/two" "$SCRATCH"/{twice,other,main}.c
	expect 0 "$SCRATCH/two"
	compiles $cc -std=gnu11 -D__KERNEL__ -ffreestanding -nostdinc -fsyntax-only \
		"-I$consumers/fake_kernel" "$SCRATCH/twice.c"
done
for cxx in g++ clang++; do
	for std in c++11 c++14 c++17 c++20 c++2b; do
		knows_cxx $cxx -std=$std || {
			[ $std = c++2b ] || complain "$cxx does not know $std"
			continue
		}
		compiles $cxx -std=$std -fsyntax-only -x c++ "$SCRATCH/twice.c"
	done
	compiles $cxx -std=c++11 -ffreestanding -nostdlib -fsyntax-only -x c++ "$SCRATCH/twice.c"
done

# A BPF program has 512 bytes of stack and a verifier: it takes the constants and the names of the
# tables, and what it may do is decided by its loader.
cat >"$SCRATCH/object.bpf.c" <<'END'
#include "tracing_blacklist.h"

const volatile int may_read_user = 0;
const char digest[] = KTB_EVIDENCE_DIGEST;
const char op[] = KTB_OP_NMI_USER_READ;

__attribute__((section("perf_event"), used)) int on_nmi(void *ctx);
int on_nmi(void *ctx)
{
	return ctx && may_read_user ? (int)KTB_CLEAN : (int)KTB_AFFECTED;
}

char _license[] __attribute__((section("license"), used)) = "GPL";
END
knows clang -target bpf || complain "clang has no BPF target"
compiles clang -target bpf -O2 -g -std=gnu11 -c -o "$SCRATCH/object.bpf.o" "$SCRATCH/object.bpf.c"
# nothing of the look-up may be left over in the object: only the program's own section has code
readelf -SW "$SCRATCH/object.bpf.o" 2>/dev/null | grep -E ' \.text ' | grep -vqE ' 0{6} ' &&
	complain "code of the look-up went into the BPF object"
echo "$tried compilations"
finish
