# SPDX-License-Identifier: GPL-2.0-or-later
# A recorded failure on a kernel that is declared clean: told by report and generate, in the header, the
# JSON twin, the page for people and the exit code of check; a measurement wins for its build alone, in whatever order the
# runs are named.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_runs.sh"

deb() { echo "#1 SMP PREEMPT_DYNAMIC Debian $1 (2023-07-14)"; }
# rebrand RUN PACKAGE [ABI]: the run's kernel was a build of Debian's. Journals stay as they were recorded.
rebrand() {
	find "$1" -name spec.json -o -name run.json | while read -r file; do
		jq --arg release "6.1.0-${3:-10}-amd64" --arg version "$(deb "$2")" --arg package "$2" '
			(.kernel?, (.cells[]?.job.kernel)) |= if . then .release = $release |
				.version = $version | .vendor = "debian" |
				.package_version = $package else empty end' \
			"$file" >"$SCRATCH/new" && mv "$SCRATCH/new" "$file"
	done
}
# judged RUN: its result.json, from the journals
judged() { "$KLAB" report "$1" --format json >"$1/result.json" 2>"$SCRATCH/told"; }
check() {
	local code=$1 abi=$2 package=$3
	shift 3
	expect "$code" "$KLAB" blacklist check --op nmi-user-read --release "6.1.0-$abi-amd64" \
		--version "$(deb "$package")" "$@"
}

# clean by declaration, until it is measured
recorded_run "$SCRATCH/a" nmi-deadlock
rebrand "$SCRATCH/a" 6.1.38-1
judged "$SCRATCH/a" || complain "no result: $(cat "$SCRATCH/told")"
grep -q '^contradiction: control-bad (6.1.0-10-amd64): nmi-user-read is measured affected .*declared clean' \
	"$SCRATCH/told" || complain "report does not tell: $(cat "$SCRATCH/told")"
check 0 10 6.1.38-1
says "nmi-user-read: clean (declared)"
check 1 10 6.1.38-1 --from "$SCRATCH/a"
says "nmi-user-read: affected (measured), evidence is contradictory"
check 1 10 6.1.38-1 --from "$SCRATCH/a" --json
jq -e '.answers[0] | .value == "affected" and .evidence == "measured" and .contradicted == true and
	.allowed == false and .hazard == "nmi-user-read-deadlock"' "$SCRATCH/out" >/dev/null ||
	complain "--json does not say it"
# for that build alone: not for another, not for another flavour, not for another operation
check 0 12 6.1.52-1 --from "$SCRATCH/a"
expect 0 "$KLAB" blacklist check --op nmi-user-read --release 6.1.0-10-cloud-amd64 \
	--version "$(deb 6.1.38-1)" --from "$SCRATCH/a"
expect 0 "$KLAB" blacklist check --op text-poke --release 6.1.0-10-amd64 \
	--version "$(deb 6.1.38-1)" --from "$SCRATCH/a"

# header and twin
expect 0 "$KLAB" blacklist generate --out "$SCRATCH/declared"
never_says 'contradiction'
expect 0 "$KLAB" blacklist generate --from "$SCRATCH/a" --out "$SCRATCH/measured"
says "contradiction: control-bad (6.1.0-10-amd64): nmi-user-read is measured affected"
jq -e '(.contradictions | length) == 1 and (.measured[0].answer | .contradicted and
	.value == "affected") and (.measured[0].journal_sha256 | length) == 1' \
	"$SCRATCH/measured/tracing_blacklist.json" >/dev/null || complain "the twin does not say it"
jq -e '.contradictions == []' "$SCRATCH/declared/tracing_blacklist.json" >/dev/null ||
	complain "the twin makes contradictions up"
sed -n '/^## Contradictions/,/^## Overview/p' "$SCRATCH/measured/tracing_blacklist.md" |
	grep -q 'control-bad (6.1.0-10-amd64): nmi-user-read is measured affected' ||
	complain "the page for people does not say it"
grep -q 'measured affected' "$SCRATCH/declared/tracing_blacklist.md" &&
	complain "the page for people makes contradictions up"
cat >"$SCRATCH/ask.c" <<'END'
#include "tracing_blacklist.h"
#include <stdio.h>
int main(int argc, char **argv)
{
	struct ktb_kernel kernel;
	struct ktb_answer a;

	ktb_identify(&kernel, argv[1], argv[argc - 1], NULL);
	a = ktb_check(&kernel, KTB_OP_NMI_USER_READ);
	printf("%s %s %d %d\n", ktb_value_name(a.value), ktb_evidence_name(a.evidence), a.allowed,
	       a.contradicted);
	return 0;
}
END
# answer FOLDER ABI PACKAGE WANT: what a product gets from the header there
answer() {
	local got
	got=$("$SCRATCH/$1/ask" "6.1.0-$2-amd64" "$(deb "$3")")
	[ "$got" = "$4" ] || complain "$1, $3: '$got', want '$4'"
}
for folder in declared measured; do
	cc -std=c99 -Wall -Werror -I "$SCRATCH/$folder" "$SCRATCH/ask.c" -o "$SCRATCH/$folder/ask" ||
		complain "the header in $folder does not compile"
done
answer declared 10 6.1.38-1 "clean declared 1 0"
answer measured 10 6.1.38-1 "affected measured 0 1"
answer measured 12 6.1.52-1 "clean declared 1 0"

# a half-done backport: affected on both sides of a build, where all are declared clean
recorded_run "$SCRATCH/b" nmi-deadlock
rebrand "$SCRATCH/b" 6.1.90-1 21
judged "$SCRATCH/b" || complain "no second result"
check 1 12 6.1.52-1 --from "$SCRATCH/a" --from "$SCRATCH/b"
says "nmi-user-read: affected (extrapolated), evidence is contradictory"
says "lies between two builds that were measured affected [debian 6.1.38-1..6.1.90-1]"
check 0 22 6.1.94-1 --from "$SCRATCH/a" --from "$SCRATCH/b"

# two measurements that differ: the worse answers, both are told
jq '.cells[0] += {verdict: "clean", p_missed: 1e-6, hazard: null, kind: null, title: null}' \
	"$SCRATCH/a/result.json" >"$SCRATCH/clean.json"
check 1 10 6.1.38-1 --from "$SCRATCH/clean.json" --from "$SCRATCH/a"
says "evidence is contradictory"
expect 0 "$KLAB" blacklist generate --from "$SCRATCH/clean.json" --from "$SCRATCH/a" --out "$SCRATCH/1"
says ") and clean (probe nmi-user-read: clean, P(missed) <= 1e-06)"
# the reverse of the first: declared affected, measured clean
jq '.kernels[0] += {version: "#1 SMP Debian 6.1.27-1 (2023)", package_version: "6.1.27-1"}' \
	"$SCRATCH/clean.json" >"$SCRATCH/old.json"
check 1 10 6.1.27-1
check 0 10 6.1.27-1 --from "$SCRATCH/old.json"
says "nmi-user-read: clean (measured), evidence is contradictory"
# without a bound it lifts nothing, it only takes away what was known
jq '.cells[0].p_missed = null' "$SCRATCH/old.json" >"$SCRATCH/weak.json"
check 4 10 6.1.27-1 --from "$SCRATCH/weak.json"
says "declared affected, yet measured on this build"

# the order of runs does not matter
expect 0 "$KLAB" blacklist generate --from "$SCRATCH/a" --from "$SCRATCH/b" \
	--from "$SCRATCH/clean.json" --from "$SCRATCH/old.json" --out "$SCRATCH/2"
expect 0 "$KLAB" blacklist generate --from "$SCRATCH/old.json" --from "$SCRATCH/clean.json" \
	--from "$SCRATCH/b" --from "$SCRATCH/a" --out "$SCRATCH/3"
diff -r "$SCRATCH/2" "$SCRATCH/3" >&2 || complain "another order, other bytes"
finish
