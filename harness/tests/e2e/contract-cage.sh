# SPDX-License-Identifier: GPL-2.0-or-later
# What a guest that broke out of QEMU would find: QEMU's seccomp filter, no new privileges, no root, no
# capability, and nothing that it can write to. And for all that it dies with its klab.
. "$(dirname "$0")/lib.sh"

$KLAB kernels pull debian-bookworm >/dev/null 2>&1 || complain "the pinned kernel cannot be had"
export KLAB_TEST=cage-$$
# then the engine is past its start, where it puts its filter on
said_hello() { grep -qs '"ev":"hello"' "$SCRATCH"/run/jobs/*/0/journal.jsonl; }
field() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }

# may_write UID PATH: as that user, outside of any group
may_write() {
	setpriv --reuid "$1" --regid "$1" --clear-groups sh -c 'test -w "$1"' sh "$2" 2>/dev/null
}

"$KLAB" run -k debian-bookworm -p text-poke --trust-engine --duration 60 --out "$SCRATCH/run" \
	>"$SCRATCH/out" 2>"$SCRATCH/err" &
klab=$!
if wait_for 120 guest_runs; then
	qemu=$(qemu_of "$KLAB_TEST" | head -n 1)
	wait_for 120 said_hello || complain "the guest never said hello"
	[ "$(field "$qemu" Seccomp)" = 2 ] || complain "no seccomp filter: $(field "$qemu" Seccomp)"
	[ "$(field "$qemu" NoNewPrivs)" = 1 ] || complain "it can gain privileges"
	[ "$(field "$qemu" CapEff)" = 0000000000000000 ] || complain "it has capabilities"
	read -r uid _ <<<"$(field "$qemu" Uid)"
	[ "$uid" != 0 ] || complain "it runs as root"
	[ -z "$(getent passwd "$uid")" ] || [ "$(id -u)" != 0 ] || complain "user $uid is somebody's"
	for thing in "$SCRATCH/run" "$SCRATCH"/run/jobs/*/0 "$SCRATCH"/run/jobs/*/0/journal.jsonl \
		"${XDG_CACHE_HOME:-$HOME/.cache}/klab" "${XDG_CACHE_HOME:-$HOME/.cache}/klab/initramfs"; do
		[ "$(id -u)" = 0 ] && may_write "$uid" "$thing" && complain "it can write to '$thing'"
	done
	# what it has open to write is sockets, its own memory file and its event descriptors
	for fd in "/proc/$qemu/fd/"*; do
		case "$(readlink "$fd")" in
		/dev/* | /memfd:* | socket:* | anon_inode:* | pipe:*) ;;
		*) [ $((0$(sed -n 's/^flags:[[:space:]]*//p' "/proc/$qemu/fdinfo/${fd##*/}") & 3)) -eq 0 ] ||
			complain "it writes to '$(readlink "$fd")'" ;;
		esac
	done
	grep -q '"ev":"cage","is":"seccomp' "$SCRATCH"/run/jobs/*/0/journal.jsonl ||
		complain "the journal does not tell of the cage"
else
	complain "no guest was started"
	tail -n 5 "$SCRATCH/err" >&2
fi
kill -9 $klab
wait $klab 2>/dev/null
wait_for 10 guest_is_gone || complain "a caged QEMU survives its klab"
finish
