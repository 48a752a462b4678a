# SPDX-License-Identifier: GPL-2.0-or-later
# klab boot: a command's exit code and its streams, byte for byte; panics, limits, a shell on a
# terminal; no QEMU outlives its klab.
. "$(dirname "$0")/lib.sh"

# what is cached will do: a pull would ask for newer lists first
"$KLAB" kernels list --json debian-bookworm | jq -e '.kernels[0].cached' >/dev/null ||
	"$KLAB" kernels pull debian-bookworm >/dev/null 2>&1 ||
	complain "debian-bookworm cannot be had"
export KLAB_TEST=boot-$$
boot() { "$KLAB" boot debian-bookworm --smp 1 "$@"; }

# one guest: streams apart, binary both ways, the exit code, a file of the host
head -c 60000 /dev/urandom >"$SCRATCH/in"
printf '#!/bin/sh\ncat\necho err >&2\n[ "$1" = "a  b" ] && exit 42\n' >"$SCRATCH/tool"
chmod +x "$SCRATCH/tool"
boot --file "$SCRATCH/tool" -- ./tool 'a  b' <"$SCRATCH/in" >"$SCRATCH/out" 2>"$SCRATCH/err"
[ $? -eq 42 ] || complain "the exit code is not the command's"
cmp -s "$SCRATCH/in" "$SCRATCH/out" || complain "bytes were harmed"
[ "$(cat "$SCRATCH/err")" = err ] || complain "stderr is not the command's alone: $(cat "$SCRATCH/err")"

expect 127 boot -- nonsense </dev/null
says "cannot execute 'nonsense'"
expect 1 boot -- sh -c 'echo c >/proc/sysrq-trigger' </dev/null
says "the kernel failed: "
says "sysrq triggered crash"

# the time limit, beside the shell below: it only waits
boot --timeout 6 -- sleep 100 </dev/null >"$SCRATCH/limit" 2>&1 &
limited=$!

# a shell on a terminal, left by Ctrl-A X
python3 - "$KLAB" >"$SCRATCH/out" 2>"$SCRATCH/err" <<'PY'
import os, pty, select, sys, time
try:
    os.close(os.openpty()[0])
except OSError as e:
    print(f"no terminal can be had here: {e}")
    sys.exit(77)
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "boot", "debian-bookworm", "--smp", "1"])
seen, sent, end = b"", 0, time.time() + 120
while time.time() < end:
    if select.select([fd], [], [], 1)[0]:
        try:
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        seen += data
    if sent == 0 and b"# " in seen:
        sent = os.write(fd, b"test -t 0 && echo terminal$((40 + 2))\n")
    elif sent > 1 and b"terminal42" in seen:
        os.write(fd, b"\x01x")
        sent = 1
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(seen, code)
sys.exit(0 if code == 0 and b"terminal42" in seen else 1)
PY
case $? in
0) ;;
77) echo "not tested: a shell: $(cat "$SCRATCH/out")" >&2 ;;
*) complain "the shell: $(tail -n 5 "$SCRATCH/out" "$SCRATCH/err")" ;;
esac

wait $limited
[ $? -eq 124 ] || complain "no time limit: $(cat "$SCRATCH/limit")"
grep -q "the time limit is over" "$SCRATCH/limit" || complain "the time limit is not told"

# what cannot be: 125 and a sentence
expect 125 boot --busybox /nonexistent -- true
says "/nonexistent"
expect 125 boot extra
says "unexpected operand 'extra'"
expect 125 "$KLAB" boot 'debian-*' -- true
says "kernels:"
expect 125 boot --file /nonexistent -- true
says "/nonexistent"

"$KLAB" boot debian-bookworm --smp 1 -- sleep 100 </dev/null >/dev/null 2>&1 &
klab=$!
wait_for 60 guest_runs || complain "no guest was started"
kill -9 $klab
wait $klab 2>/dev/null
wait_for 10 guest_is_gone || complain "a QEMU survives its klab"
finish
