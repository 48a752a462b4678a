# SPDX-License-Identifier: GPL-2.0-or-later
# A real guest's verdict is explained, repeated by the very command that explain prints, and again in a
# run of its own with a tally; the old run stays byte for byte what it was. Changed inputs are refused.
. "$(dirname "$0")/lib.sh"

image=$($KLAB kernels pull debian-bookworm >/dev/null 2>&1
	$KLAB kernels list debian-bookworm --json | jq -r '.kernels[0].identity.image')
cp "$image" "$SCRATCH/bzImage" || complain "the pinned kernel cannot be had"
# on ours alone, unproven: what is judged is explain and again, not the engine
"$KLAB" run -k "file:$SCRATCH/bzImage,id=mine" -p text-poke --smp 2 --duration 2 --trust-engine \
	--out "$SCRATCH/run" >"$SCRATCH/out" 2>"$SCRATCH/err"
code=$?
case $code in 0 | 4) ;; *) complain "the run ended with $code" ;; esac
before=$(cd "$SCRATCH/run" && find . -type f -print0 | sort -z | xargs -0 sha256sum)

expect 0 "$KLAB" explain text-poke --run "$SCRATCH/run" --json
verdict=$(jq -r .verdict "$SCRATCH/out")
jq -e '(.how_sure | length) >= 1 and .excerpt_is == null' "$SCRATCH/out" >/dev/null ||
	complain "a clean cell is not explained"
repro=$(jq -r .repro "$SCRATCH/out")
# as the user would paste it, with klab in PATH
mkdir "$SCRATCH/bin" && ln -s "$KLAB" "$SCRATCH/bin/klab"
(PATH=$SCRATCH/bin:$PATH && eval "$repro") >"$SCRATCH/out" 2>"$SCRATCH/err"
pasted=$?
case $pasted in 0 | 4) ;; *) complain "'$repro' ended with $pasted" && cat "$SCRATCH/err" >&2 ;; esac
journal=$(sed -n 's/^journal: //p' "$SCRATCH/out")
[ -s "$journal/journal.jsonl" ] || complain "the repetition has no journal"
rm -rf "$journal"

expect $code "$KLAB" again "$SCRATCH/run" --cell text-poke -n 1 --out "$SCRATCH/again" \
	--json "$SCRATCH/tally"
says "0 of 1 affected (95 % interval of the share: 0.0 % to 97.5 %)"
jq -e '.schema == 1 and .cells[0].n == 1 and .cells[0].affected == 0 and
	.cells[0].exposure > 0' "$SCRATCH/tally" >/dev/null || complain "the tally is not as documented"
seeds=$(jq -r '.seed' "$SCRATCH"/run/jobs/*/0/spec.json "$SCRATCH"/again/jobs/*/0/spec.json | sort -u | wc -l)
[ "$seeds" -eq 2 ] || complain "the repetition has the old seed"
expect 0 "$KLAB" report "$SCRATCH/again" --format json
cmp -s "$SCRATCH/out" "$SCRATCH/again/result.json" || complain "judged again, the bytes differ"
after=$(cd "$SCRATCH/run" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
[ "$before" = "$after" ] || complain "the old run changed"
[ "$verdict" = "$("$KLAB" explain text-poke --run "$SCRATCH/run" --json | jq -r .verdict)" ] ||
	complain "the old verdict changed"

expect 2 "$KLAB" again "$SCRATCH/run" --out "$SCRATCH/again"
says "there already"
# an image is kept by its content; one that changed under its run can only be a foreign cache's
cp -r "$SCRATCH/run" "$SCRATCH/moved"
printf 'x' >>"$SCRATCH/bzImage"
jq --arg image "$SCRATCH/bzImage" '.cells[].job.kernel.image = $image' "$SCRATCH/run/run.json" \
	>"$SCRATCH/moved/run.json"
expect 2 "$KLAB" again "$SCRATCH/moved" --out "$SCRATCH/changed"
says "is not what it was"
says "--force"
[ -e "$SCRATCH/changed" ] && complain "a refused repetition leaves a folder"
finish
