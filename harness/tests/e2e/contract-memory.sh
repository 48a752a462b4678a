# SPDX-License-Identifier: GPL-2.0-or-later
# A guest too small for its kernel and its initramfs: a sentence with numbers, exit 3, infra, at once and
# without a boot; never a word on the kernel.
. "$(dirname "$0")/lib.sh"

$KLAB kernels pull debian-bookworm >/dev/null 2>&1 || complain "the pinned kernel cannot be had"
start=$SECONDS
expect 3 "$KLAB" run -k debian-bookworm -p text-poke --trust-engine --memory 64 --out "$SCRATCH/run"
says "the guest's 64 MiB of memory cannot hold its kernel and initramfs"
never_says '[1-9][0-9]* (clean|affected)'
jq -e '.cells[0] | .verdict == "infra" and (.reason | test("at least [0-9]+ MiB"))' \
	"$SCRATCH/run/result.json" >/dev/null || complain "the verdict does not say why"
[ $((SECONDS - start)) -le 30 ] || complain "it took $((SECONDS - start)) s to see that"
expect 0 "$KLAB" explain text-poke --run "$SCRATCH/run"
says "--memory"
finish
