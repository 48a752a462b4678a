# SPDX-License-Identifier: GPL-2.0-or-later
# kbisect with a command of the user's: the right commit where half of the runs of a bad kernel pass;
# fixes; killed at random moments it goes on and counts nothing twice; stock git bisect goes on from its
# log, and it from git's.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_history.sh"
KBISECT=$BUILD/kbisect
repo=$SCRATCH/repo
make_history "$repo" 60
id() { git -C "$repo" rev-parse "$1^{commit}"; }

# A generator of its own, so that the test gives the same every time.
cat >"$SCRATCH/half" <<END
#!/bin/sh
# fails from change 37 on, in half of the runs
seed=\$(cat "$SCRATCH/seed" 2>/dev/null || echo 7)
seed=\$(((seed * 1103515245 + 12345) % 2147483648))
echo \$seed >"$SCRATCH/seed"
[ "\$(cat number)" -lt 37 ] || [ \$((seed / 65536 % 2)) -eq 1 ]
END
printf '#!/bin/sh\nsleep 0.02\n[ "$(cat number)" -lt 37 ]\n' >"$SCRATCH/sure"
printf '#!/bin/sh\n[ "$(cat number)" -ge 37 ]\n' >"$SCRATCH/mended"
printf '#!/bin/sh\nn=$(cat number)\n[ "$n" -lt 30 ] || [ "$n" -gt 40 ] || exit 125\n[ "$n" -lt 37 ]\n' \
	>"$SCRATCH/gap"
chmod +x "$SCRATCH"/half "$SCRATCH"/sure "$SCRATCH"/mended "$SCRATCH"/gap
bisect() { "$KBISECT" run --git "$repo" --good old --bad new "$@"; }
answer() { jq -r .change "$SCRATCH/out"; }

expect 0 bisect --cmd "$SCRATCH/half" --out "$SCRATCH/half.d" --json
[ "$(answer)" = "$(id c37)" ] || complain "half: $(cat "$SCRATCH/out")"
jq -e '.answer == "found" and .confidence >= 0.99 and (.evidence | length) > 3' "$SCRATCH/out" >/dev/null ||
	complain "half: $(cat "$SCRATCH/out")"
grep -q 'first bad: .*change 37' "$SCRATCH/half.d/report.md" || complain "the report does not say it"
grep -q '^    Author: t <t@example.org>$' "$SCRATCH/half.d/report.md" &&
	grep -q '^     1 file changed' "$SCRATCH/half.d/report.md" ||
	complain "the report does not show the change: $(cat "$SCRATCH/half.d/report.md")"
python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$SCRATCH/half.d/posterior.svg" ||
	complain "the picture is no XML"
[ "$(git -C "$repo" worktree list | wc -l)" -eq 1 ] || complain "the user's repository was touched"

# what mended it
expect 0 "$KBISECT" run --git "$repo" --broken old --fixed new --cmd "$SCRATCH/mended" \
	--out "$SCRATCH/fix.d" --json
[ "$(answer)" = "$(id c37)" ] || complain "fix: $(cat "$SCRATCH/out")"

# what cannot be tested is not told apart: 4, and the suspects
expect 4 bisect --cmd "$SCRATCH/gap" --out "$SCRATCH/gap.d" --json
jq -e --arg id "$(id c37)" '.answer == "several" and .change == null and
	(.suspects | map(.id) | index($id))' "$SCRATCH/out" >/dev/null ||
	complain "gap: $(cat "$SCRATCH/out")"

# killed twenty times, while it is at work
kills=0 round=0
until [ $kills -ge 20 ]; do
	dir=$SCRATCH/kill$round.d
	if [ -e "$dir/range.json" ]; then
		"$KBISECT" run --resume "$dir" >"$SCRATCH/log" 2>&1 &
	else
		rm -rf "$dir"
		"$KBISECT" run --git "$repo" --good old --bad new --cmd "$SCRATCH/sure" --out "$dir" \
			>"$SCRATCH/log" 2>&1 &
	fi
	sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
	kill -9 $! 2>/dev/null
	wait $! 2>/dev/null
	case $? in
	137) kills=$((kills + 1)) ;;
	0) round=$((round + 1)) ;; # it was faster: the next one
	*) complain "not by us: $(cat "$SCRATCH/log")" && break ;;
	esac
done
for dir in "$SCRATCH"/kill*.d; do
	[ -e "$dir/range.json" ] || continue
	expect 0 "$KBISECT" run --resume "$dir" --json
	[ "$(answer)" = "$(id c37)" ] || complain "killed: $(cat "$SCRATCH/out")"
	jq -es '(map(select(.ev == "end") | .test) | length == (unique | length)) and
		(map(select(.ev == "start") | .test) | . == [range(length)])' "$dir/log.jsonl" >/dev/null ||
		complain "a test counts twice: $(cat "$dir/log.jsonl")"
done

# two at once: the second one is refused
"$KBISECT" run --resume "$SCRATCH/half.d" >/dev/null 2>&1
flock "$SCRATCH/half.d/lock" sleep 5 &
sleep 0.5
expect 2 "$KBISECT" run --resume "$SCRATCH/half.d"
says "another kbisect works in"

# stock git goes on from our log ...
expect 0 "$KBISECT" status "$SCRATCH/half.d"
says "change 37"
"$KBISECT" log "$SCRATCH/half.d" >"$SCRATCH/ours"
git clone -q "$repo" "$SCRATCH/clone"
git -C "$SCRATCH/clone" bisect replay "$SCRATCH/ours" >"$SCRATCH/out" 2>&1 ||
	complain "git refuses our log: $(cat "$SCRATCH/out" "$SCRATCH/ours")"
git -C "$SCRATCH/clone" bisect run "$SCRATCH/sure" >"$SCRATCH/out" 2>&1
grep -q "^$(id c37) is the first bad commit" "$SCRATCH/out" ||
	complain "git bisect finds another one: $(tail -n 5 "$SCRATCH/out")"
# ... and its log is taken in here
git -C "$SCRATCH/clone" bisect log >"$SCRATCH/theirs"
bisect --cmd "$SCRATCH/sure" --out "$SCRATCH/back.d" --dry-run >"$SCRATCH/out" 2>&1
says "suspects"
expect 0 "$KBISECT" replay "$SCRATCH/back.d" "$SCRATCH/theirs"
says "findings taken in"
expect 0 "$KBISECT" run --resume "$SCRATCH/back.d" --json
[ "$(answer)" = "$(id c37)" ] || complain "from git's log: $(cat "$SCRATCH/out")"

# what is wrong is said
expect 2 bisect --out "$SCRATCH/x"
says "how is a kernel tested?"
expect 2 "$KBISECT" run --git "$repo" --good nothing --bad new --cmd true --out "$SCRATCH/x"
says "no tag, branch or commit 'nothing'"
expect 2 "$KBISECT" run --git "$repo" --good new --bad old --cmd true --out "$SCRATCH/x"
says "is not in the history of"
expect 2 bisect --cmd /nonexistent --out "$SCRATCH/x1"
says "cannot be executed"
expect 3 bisect --cmd 'exit 200' --out "$SCRATCH/x2"
says "the command ended with 200"
expect 4 bisect --cmd false --out "$SCRATCH/x3"
says "older than this range"
expect 2 "$KBISECT" status "$SCRATCH/nowhere"
says "no bisection's folder"
expect 2 bisect --cmd true --out "$SCRATCH/half.d"
says "is there already"
finish
