# SPDX-License-Identifier: GPL-2.0-or-later
# kbisect: the answer checked by the bad end without it (a fix: the broken end with it), what cannot be
# checked and why, killed meanwhile; ends that are not one behind the other.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_history.sh"
KBISECT=$BUILD/kbisect
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@example.org
export GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@example.org
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
repo=$SCRATCH/repo
id() { git -C "$repo" rev-parse "$1^{commit}"; }

# files REPO BRANCH FROM NAME...: a commit for each name, which adds a file of that name; tags cNAME
files() {
	local repo=$1 branch=$2 name from=$3 mark=0
	shift 3
	for name; do
		mark=$((mark + 1))
		printf 'commit refs/heads/%s\nmark :%d\ncommitter t <t@example.org> 1000000000 +0000\n' \
			"$branch" $mark
		printf 'data %d\nadd %s\nfrom %s\nM 644 inline %s\ndata 2\nx\n\n' $((4 + ${#name})) "$name" \
			"$from" "$name"
		printf 'reset refs/tags/c%s\nfrom :%d\n\n' "$name" $mark
		from=:$mark
	done | git -C "$repo" fast-import --quiet --force
}
git init -q -b main "$repo"
printf 'commit refs/heads/main\ncommitter t <t@example.org> 1000000000 +0000\ndata 4\nroot\n' |
	git -C "$repo" fast-import --quiet
git -C "$repo" tag old main
files "$repo" main refs/heads/main^0 $(seq 1 32)
git -C "$repo" tag new main

bisect() { "$KBISECT" run --git "$repo" --good old --bad new --json "$@"; }
is() { jq -e "$@" "$SCRATCH/out" >/dev/null || complain "not $*: $(cat "$SCRATCH/out")"; }

# found, not verified; what was asked of it later is done without another test of the search
expect 0 bisect --cmd '[ ! -e 17 ]' --out "$SCRATCH/later"
is --arg id "$(id c17)" '.change == $id and .verify == null'
grep -q 'not verified; kbisect run --resume DIR --verify' "$SCRATCH/later/report.md" ||
	complain "the report does not say how to verify"
searched=$(jq .tests "$SCRATCH/out")
expect 0 "$KBISECT" run --resume "$SCRATCH/later" --verify --json
is --argjson before "$searched" '.verify.verdict == "confirmed" and .verify.fails == 0 and
	.verify.chance <= 0.01 and .tests == $before + .verify.tests'
jq -es 'map(select(.ev == "start" and (.patched | not))) | length' "$SCRATCH/later/log.jsonl" |
	grep -qx "$searched" || complain "the search went on"
grep -q 'verified: confirmed' "$SCRATCH/later/report.md" || complain "the report does not say it"
expect 0 "$KBISECT" run --resume "$SCRATCH/later" --verify --json
is --argjson before "$searched" '.tests == $before + .verify.tests'
expect 0 "$KBISECT" status "$SCRATCH/later"
says "verified: confirmed"

# half of the runs pass: more of them are needed
cat >"$SCRATCH/half" <<END
seed=\$(cat "$SCRATCH/seed" 2>/dev/null || echo 7)
seed=\$(((seed * 1103515245 + 12345) % 2147483648))
echo \$seed >"$SCRATCH/seed"
[ ! -e 9 ] || [ \$((seed / 65536 % 2)) -eq 1 ]
END
expect 0 bisect --verify --cmd "sh $SCRATCH/half" --out "$SCRATCH/half.d"
is --arg id "$(id c9)" '.change == $id and .verify.verdict == "confirmed" and .verify.tests > 6'

# something else breaks it, too: the first one is found, and is not the whole truth
expect 4 bisect --verify --cmd '[ ! -e 17 ] && [ ! -e 25 ]' --out "$SCRATCH/two"
is --arg id "$(id c17)" '.answer == "found" and .change == $id and .verify.verdict == "refuted"'
grep -q 'verified: refuted' "$SCRATCH/two/report.md" || complain "the report does not say: refuted"
expect 4 "$KBISECT" run --resume "$SCRATCH/two"

# what cannot be checked is said, and is no failure
expect 0 bisect --verify --cmd '[ ! -e 32 ]' --out "$SCRATCH/end"
is '.answer == "found" and .verify.verdict == "not possible" and (.verify.why | contains("bad end itself"))'
make_history "$SCRATCH/lines" 24
expect 0 "$KBISECT" run --git "$SCRATCH/lines" --good old --bad new --verify --json --out "$SCRATCH/lines.d" \
	--cmd '[ "$(cat number)" -lt 13 ]'
is '.answer == "found" and .verify.verdict == "not possible" and (.verify.why | contains("later changes"))'
expect 0 bisect --verify --cmd '[ ! -e 17 ] || { [ -z "${KBISECT_PATCH:-}" ] && exit 1; exit 125; }' \
	--out "$SCRATCH/untestable"
is '.answer == "found"'
expect 0 bisect --verify --cmd '[ -z "${KBISECT_PATCH:-}" ] || exit 125; [ ! -e 17 ]' --out "$SCRATCH/skip"
is '.verify.verdict == "not possible" and (.verify.why | contains("125"))'
git -C "$repo" branch -q side c5
files "$repo" side refs/heads/side^0 s1 s2
git -C "$repo" checkout -q -B merged c8
git -C "$repo" merge -q --no-ff -m "merge side" side
git -C "$repo" tag merge
files "$repo" merged refs/heads/merged^0 m1 m2
expect 0 "$KBISECT" run --git "$repo" --good c5 --bad merged --verify --json --out "$SCRATCH/merge" \
	--cmd '[ ! -e s2 ] || [ ! -e 8 ]'
is --arg id "$(id merge)" '.change == $id and (.verify.why | contains("merge"))'
expect 0 "$KBISECT" run --git "$repo" --good c5 --bad merged --first-parent --verify --json \
	--out "$SCRATCH/first" --cmd '[ ! -e s2 ]'
is --arg id "$(id merge)" '.change == $id and .verify.verdict == "confirmed"'

# a fix is put into the broken end
expect 0 "$KBISECT" run --git "$repo" --broken old --fixed new --verify --json --out "$SCRATCH/fix" \
	--cmd '[ -e 17 ]'
is --arg id "$(id c17)" '.change == $id and .verify.verdict == "confirmed"'
expect 0 "$KBISECT" run --git "$repo" --broken old --fixed new --verify --json --out "$SCRATCH/fix1" \
	--cmd '[ -e 1 ]'
is --arg id "$(id c1)" '.change == $id and (.verify.why | contains("right on the broken end"))'

# killed at random moments of the check
expect 0 bisect --cmd 'sleep 0.05; [ ! -e 17 ]' --out "$SCRATCH/kill"
for _ in 1 2 3 4 5 6; do
	"$KBISECT" run --resume "$SCRATCH/kill" --verify >"$SCRATCH/log" 2>&1 &
	sleep "0.0$((RANDOM % 10))"
	sleep "0.$((RANDOM % 2))"
	kill -9 $! 2>/dev/null
	wait $! 2>/dev/null
done
expect 0 "$KBISECT" run --resume "$SCRATCH/kill" --verify --json
is '.verify.verdict == "confirmed" and .verify.chance <= 0.01'
jq -es '(map(select(.ev == "end") | .test) | length == (unique | length)) and
	(map(select(.ev == "start") | .test) | . == [range(length)])' "$SCRATCH/kill/log.jsonl" >/dev/null ||
	complain "a test counts twice: $(cat "$SCRATCH/kill/log.jsonl")"

# two stable branches: they parted at c10
git -C "$repo" branch -q one c10
git -C "$repo" branch -q two c10
files "$repo" one refs/heads/one^0 a1 a2 a3
files "$repo" two refs/heads/two^0 b1 b2 b3 b4
branches() { "$KBISECT" run --git "$repo" --json "$@"; }
expect 0 branches --good one --bad two --cmd '[ ! -e b3 ]' --out "$SCRATCH/parted"
says "is not in the history of"
is --arg id "$(id cb3)" --arg good "$(id one)" '.change == $id and .beside == $good'
jq -es --arg base "$(id c10)" '.[0].changes | length == 5 and .[4].id == $base' "$SCRATCH/parted/range.json" \
	>/dev/null || complain "the range does not begin where they parted"
jq -es 'map(select(.ev == "start" and .node == 4)) | length > 0' "$SCRATCH/parted/log.jsonl" >/dev/null ||
	complain "the merge base is not tested"
# it was there where they parted, and is mended on the good side
expect 4 branches --good one --bad two --cmd '[ -e a2 ]' --out "$SCRATCH/mended"
is '.answer == "older"'
base=$(id c10) good=$(id one)
grep -q -- "--broken ${base:0:12} --fixed ${good:0:12}" "$SCRATCH/mended/report.md" ||
	complain "it does not say how to look for the fix: $(cat "$SCRATCH/mended/report.md")"
expect 0 branches --broken "$base" --fixed "$good" --cmd '[ -e a2 ]' --out "$SCRATCH/fixed"
is --arg id "$(id ca2)" '.change == $id'
# mirrored
expect 0 branches --broken one --fixed two --cmd '[ -e b2 ]' --out "$SCRATCH/mirror"
is --arg id "$(id cb2)" '.change == $id'
expect 4 branches --broken one --fixed two --cmd '[ ! -e a1 ]' --out "$SCRATCH/came"
is '.answer == "too-rare" and .tests <= 120'
broken=$(id one)
grep -q -- "--good ${base:0:12} --bad ${broken:0:12}" "$SCRATCH/came/report.md" ||
	complain "it does not say how to look for the change: $(cat "$SCRATCH/came/report.md")"

# merged crosswise: there are two places where they parted, the range begins below both
git -C "$repo" checkout -q -B left c3
git -C "$repo" checkout -q -B right c3
files "$repo" left refs/heads/left^0 l1
files "$repo" right refs/heads/right^0 r1
git -C "$repo" checkout -q -f left && git -C "$repo" merge -q -m x cr1
git -C "$repo" checkout -q -f right && git -C "$repo" merge -q -m y cl1
files "$repo" left refs/heads/left^0 l2
files "$repo" right refs/heads/right^0 r2 r3
expect 0 branches --good left --bad right --cmd '[ ! -e r2 ]' --out "$SCRATCH/cross"
is --arg id "$(id cr2)" '.change == $id'
jq -es --arg base "$(id c3)" '.[0].changes[-1].id == $base' "$SCRATCH/cross/range.json" >/dev/null ||
	complain "crosswise: $(cat "$SCRATCH/cross/range.json")"

# what is wrong is said
expect 2 branches --good old --bad old --cmd true --out "$SCRATCH/x"
says "are the same commit"
git -C "$repo" checkout -q --orphan alone && git -C "$repo" commit -q --allow-empty -m alone
expect 2 branches --good alone --bad new --cmd true --out "$SCRATCH/x"
says "have no commit in common"
expect 2 "$KBISECT" run --list /dev/null --probe text-poke --verify --out "$SCRATCH/x"
says "there is none without --git"
finish
