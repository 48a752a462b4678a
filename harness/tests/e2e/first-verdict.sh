# SPDX-License-Identifier: GPL-2.0-or-later
# The main job on the pinned kernel: clean verdicts with exposure, result.json as documented, the same
# bytes when the journals are judged again, a header that compiles and answers.
. "$(dirname "$0")/lib.sh"

expect 0 "$KLAB" run -k debian-bookworm -p nmi-user-read -p text-poke --no-selftest --duration 6 --out "$SCRATCH/run" --json "$SCRATCH/out.json"
says "2 clean, 0 inconclusive, 0 unsupported, 0 infra"
cmp -s "$SCRATCH/run/result.json" "$SCRATCH/out.json" || complain "--json differs from result.json"
jq -e '
	.schema == 1 and .unavailable == [] and (.cells | length) == 2 and
	all(.cells[];
		(["kernel", "probe", "hazards", "verdict", "kind", "title", "confidence", "p_missed",
		  "time_to_failure_s", "exposure", "smp", "accel", "amplify", "seed", "rung",
		  "nmi_source", "findings", "jobs"] - keys) == [] and
		.verdict == "clean" and .amplify == "auto" and .smp == 4 and
		([.exposure[]] | max) > 0 and
		all(.jobs[]; (["dir", "repro", "digest"] - keys) == []))
' "$SCRATCH/out.json" >/dev/null || complain "result.json is not as documented"
"$KLAB" report "$SCRATCH/run" --format json >"$SCRATCH/again.json" || complain "klab report failed"
cmp -s "$SCRATCH/again.json" "$SCRATCH/run/result.json" || complain "judged again, the bytes differ"

expect 0 "$KLAB" blacklist generate --from "$SCRATCH/run" --out "$SCRATCH/tracing_blacklist.h" \
	--json "$SCRATCH/tracing_blacklist.json"
cat >"$SCRATCH/use.c" <<'C'
#include "tracing_blacklist.h"
int main(void)
{
	struct ktb_kernel k;

	ktb_identify(&k, "5.4.0-150-generic", "#167-Ubuntu SMP", "ID=ubuntu\n");
	return ktb_check(&k, KTB_OP_TEXT_POKE).value == KTB_AFFECTED ? 0 : 1;
}
C
expect 0 cc -std=c99 -Wall -Wextra -Werror -o "$SCRATCH/use" "$SCRATCH/use.c"
expect 0 "$SCRATCH/use"
expect 1 "$KLAB" blacklist check --release 6.1.20 --version '#1 SMP' --op nmi-user-read
expect 0 "$KLAB" blacklist check --release 5.10.200 --version '#1 SMP' --op nmi-user-read
finish
