# SPDX-License-Identifier: GPL-2.0-or-later
# What kbisect foretells and shows: no bisection in which each run fails takes more tests than the plan
# said; a status at work, stopped and done; a board on a terminal and nowhere else, gone when it is
# interrupted.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_history.sh"
KBISECT=$BUILD/kbisect
repo=$SCRATCH/repo
make_history "$repo" 40
bisect() { "$KBISECT" run --git "$repo" --good old --bad new "$@"; }
from() { echo "[ \"\$(cat number)\" -lt $1 ]"; }

# --- the plan

expect 0 bisect --cmd "$(from 9)" --out "$SCRATCH/plan.d" --dry-run
says "each run"
says "1 run of 5"
says "To go on: kbisect run --resume $SCRATCH/plan.d"
[ "$(wc -l <"$SCRATCH/plan.d/log.jsonl")" -eq 1 ] || complain "a plan has run something"
expect 0 bisect --cmd "$(from 9)" --out "$SCRATCH/json.d" --dry-run --json
jq -e '.plan.rows | length == 3 and (.[0] | .p == 1 and .each_change) and
	all(.tests.mean <= .tests.p95 and .tests.p95 <= .tests.max and .trials >= 20)' \
	"$SCRATCH/out" >/dev/null || complain "the plan: $(cat "$SCRATCH/out")"
tests_max=$(jq '.plan.rows[0].tests.max' "$SCRATCH/out")
kernels_max=$(jq '.plan.rows[0].kernels.max' "$SCRATCH/out")

for culprit in 1 9 22 40; do
	if [ $culprit -eq 9 ]; then
		expect 0 "$KBISECT" run --resume "$SCRATCH/plan.d" --json
	else
		expect 0 bisect --cmd "$(from $culprit)" --seed $culprit --out "$SCRATCH/$culprit.d" --json
	fi
	jq -e --argjson tests "$tests_max" --argjson kernels "$kernels_max" '.answer == "found" and
		.tests <= $tests and (.evidence | length) <= $kernels' "$SCRATCH/out" >/dev/null ||
		complain "culprit $culprit: more than $tests_max tests or $kernels_max commits: $(jq \
			'[.answer, .tests, (.evidence | length)]' -c "$SCRATCH/out")"
done

# --- status

"$KBISECT" run --git "$repo" --good old --bad new --cmd "sleep 0.3; $(from 30)" --out "$SCRATCH/slow.d" \
	>"$SCRATCH/slow.log" 2>&1 &
pid=$!
at_work() { "$KBISECT" status "$SCRATCH/slow.d" --json 2>/dev/null | jq -e '.tests > 6 and .now' >/dev/null; }
wait_for 30 at_work || complain "no test under way: $(cat "$SCRATCH/slow.log")"
expect 0 "$KBISECT" status "$SCRATCH/slow.d" --json
jq -e '.state == "running" and .eta_s > 1 and .eta_s < 60 and (.now.id | length) == 40' \
	"$SCRATCH/out" >/dev/null || complain "at work: $(cat "$SCRATCH/out")"
expect 0 env LC_ALL=C "$KBISECT" status "$SCRATCH/slow.d"
says "at work: "
says "to go: about "
says "SUSPECTS"
says "HAS IT"
grep -q '^\[[ .:=+*#@-]*\]$' "$SCRATCH/out" || complain "no posterior in ASCII: $(cat "$SCRATCH/out")"
expect 0 env LC_ALL=C.UTF-8 "$KBISECT" status "$SCRATCH/slow.d"
grep -q '^\[.*[▁▂▃▄▅▆▇█]' "$SCRATCH/out" || complain "no posterior in blocks: $(cat "$SCRATCH/out")"
kill $pid
wait $pid 2>/dev/null
expect 0 "$KBISECT" status "$SCRATCH/slow.d"
says "stopped: kbisect run --resume $SCRATCH/slow.d goes on"
expect 0 "$KBISECT" run --resume "$SCRATCH/slow.d" --dry-run
says "of runs, as seen"
expect 0 "$KBISECT" status "$SCRATCH/plan.d" --json
jq -e '.state == "done" and .eta_s == 0' "$SCRATCH/out" >/dev/null || complain "done: $(cat "$SCRATCH/out")"
grep -q 'about [0-9.]* s to go' "$SCRATCH/slow.log" || complain "no time to go: $(cat "$SCRATCH/slow.log")"
grep -q "$(printf '\033')" "$SCRATCH/slow.log" && complain "escapes where there is no terminal"

# --- the board

# on_terminal SECONDS COMMAND...: with a terminal of 80 columns; SIGINT after SECONDS
cat >"$SCRATCH/terminal" <<'END'
import fcntl, os, pty, select, signal, struct, sys, termios, time
pid, fd = pty.fork()
if not pid:
	fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
	os.execvp(sys.argv[2], sys.argv[2:])
end, said = time.monotonic() + float(sys.argv[1]), b''
while True:
	if select.select([fd], [], [], 0.1)[0]:
		try:
			said += os.read(fd, 65536)
		except OSError:
			break
	if end and time.monotonic() > end:
		end = 0
		os.kill(pid, signal.SIGINT)
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
END
on_terminal() { python3 "$SCRATCH/terminal" "$@"; }

expect 254 env TERM=xterm LC_ALL=C.UTF-8 python3 "$SCRATCH/terminal" 2 "$KBISECT" run --git "$repo" \
	--good old --bad new --cmd "sleep 0.4; $(from 30)" --out "$SCRATCH/board.d"
python3 - "$SCRATCH/out" <<'END' || complain "the board: $(cat -v "$SCRATCH/out")"
import re, sys
said = open(sys.argv[1], encoding='utf-8', newline='').read()
wipe = '\r\033[K\033[A\033[K'
assert said.endswith(wipe), 'interrupted, it leaves something behind'
frames = [f.replace('\r\n', '\n') for f in said.split(wipe)]
board = re.compile(r'(calibrate|search) +[0-9a-f]{12}  [0-9]+ s.*  \| .* suspects?\n\[[ ▁▂▃▄▅▆▇█]{40}\]')
assert sum(bool(board.search(f)) for f in frames) >= 3, 'no board'
assert any('to go' in f.split('\n')[-1] for f in frames), 'no time to go'
assert all(len(l) < 80 for f in frames for l in f.split('\n')[-2:]), 'too wide'
END
"$KBISECT" status "$SCRATCH/board.d" >/dev/null || complain "interrupted, it cannot be read"

TERM=dumb LC_ALL=C on_terminal 1 "$KBISECT" run --resume "$SCRATCH/board.d" >"$SCRATCH/out"
grep -q "$(printf '\033')" "$SCRATCH/out" && complain "escapes on a dumb terminal"
TERM=xterm LC_ALL=C on_terminal 2 "$KBISECT" run --resume "$SCRATCH/board.d" >"$SCRATCH/out"
LC_ALL=C grep -q '[^[:cntrl:][:print:]]' "$SCRATCH/out" && complain "more than ASCII: $(cat -v "$SCRATCH/out")"
grep -q '^\[[ .:=+*#@-]*\]' "$SCRATCH/out" || complain "no board in ASCII: $(cat -v "$SCRATCH/out")"
finish
