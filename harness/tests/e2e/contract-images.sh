# SPDX-License-Identifier: GPL-2.0-or-later
# A bad image: on the command line a clear sentence and exit 2, in a matrix `unavailable`; never clean.
. "$(dirname "$0")/lib.sh"

$KLAB kernels pull debian-bookworm >/dev/null 2>&1 || complain "the pinned kernel cannot be had"
good=$($KLAB kernels list debian-bookworm --json | sed -nE 's/.*"image": "([^"]+)".*/\1/p' | head -n 1)
[ -f "$good" ] || complain "no image path in 'kernels list --json'"
: >"$SCRATCH/empty"
head -c 100000 "$good" >"$SCRATCH/truncated"
head -c 5000000 /dev/zero >"$SCRATCH/zeros"
echo "hello" >"$SCRATCH/text"

for image in empty truncated zeros text missing; do
	expect 2 "$KLAB" run -k "file:$SCRATCH/$image,id=bad" --out "$SCRATCH/run-$image"
	says "bad"
	never_says '[1-9][0-9]* clean'
	[ -e "$SCRATCH/run-$image/run.json" ] && complain "$image: a run was planned"
done
expect 2 "$KLAB" run -k "file:$SCRATCH/truncated,id=bad" --out "$SCRATCH/run-t2"
says "truncated"

cat >"$SCRATCH/matrix.yaml" <<YAML
kernels:
  - {id: bad, source: file, path: $SCRATCH/truncated}
default: [bad]
YAML
expect 4 "$KLAB" run -c "$SCRATCH/matrix.yaml" --out "$SCRATCH/run-matrix"
says "unavailable: bad"
never_says '[1-9][0-9]* clean'
finish
