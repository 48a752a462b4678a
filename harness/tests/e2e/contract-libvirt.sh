# SPDX-License-Identifier: GPL-2.0-or-later
# Hosts of libvirt's without a guest: names, what is wrong with a connection in one sentence each, files
# that arrive whole or are never used.
. "$(dirname "$0")/lib.sh"
. "$SOURCE/harness/tests/e2e/lib_libvirt.sh"
servers=
# shellcheck disable=SC2154,SC2086 # libvirtd_* come from the library
trap 'libvirtd_down; kill $servers 2>/dev/null; rm -rf "$SCRATCH"' EXIT

# line MODE...: a server that misbehaves; its port is in $port
line() {
	local out
	out=$(mktemp -p "$SCRATCH")
	python3 "$SOURCE/harness/tests/e2e/line_server.py" "$@" >"$out" &
	servers+=" $!"
	wait_for 10 test -s "$out" || complain "no line server"
	port=$(cat "$out")
}

# slow NAME ARG...: doctor beside the rest; slow_says looks at what it said, in the end
slow() {
	local name=$1
	shift
	(
		"$KLAB" doctor "$@" >"$SCRATCH/$name.out" 2>&1
		echo "exit $?" >>"$SCRATCH/$name.out"
	) &
	servers+=" $!"
}

slow_says() {
	wait_for 40 grep -q '^exit' "$SCRATCH/$1.out" || complain "$1: klab does not end"
	grep -qF -- "$2" "$SCRATCH/$1.out" || {
		complain "$1: does not say '$2'"
		cat "$SCRATCH/$1.out" >&2
	}
}

libvirtd_can || finish
libvirtd_up "$SCRATCH/host" || exit 1
images=$SCRATCH/host/lib/images
mkdir "$SCRATCH/lab"
cat >"$SCRATCH/lab/kernels.yaml" <<END
hosts:
  - {name: lab1, uri: "$LIBVIRT_URI", pool: klab}
  - {name: full, uri: "$LIBVIRT_URI", pool: full}
  - {name: frozen, uri: "$LIBVIRT_URI", pool: frozen}
END
config=$SCRATCH/lab/kernels.yaml

# through PORT FILE: the same hosts, by another port
through() { sed "s|:$libvirtd_port/|:$1/|" "$config" >"$2"; }
# look HOST: its exit code is another one where the machine has a QEMU of its own
look() { "$KLAB" doctor -c "$config" --connect "$1" >"$SCRATCH/out" 2>"$SCRATCH/err"; }
volumes() { find "$images/klab" -name 'klab-*' ${1:+-name "$1"} 2>/dev/null | wc -l; }
restart() { { libvirtd_kill && libvirtd_again; } || complain "no daemon"; }

line silent
slow silent --connect "qemu+tcp://127.0.0.1:$port/system"
line freeze 700000 "$libvirtd_port"	# in the middle of a file
through "$port" "$SCRATCH/lab/freeze.yaml"
slow freeze -c "$SCRATCH/lab/freeze.yaml" --connect frozen

# --- names and URIs

for command in "run -c $config" "doctor -c $config" calibrate; do
	# shellcheck disable=SC2086
	expect 2 "$KLAB" $command --connect lab2
	says "--connect: 'lab2' is neither a URI nor the name of a host"
	says "hint: a URI as of virsh -c"
done
expect 2 "$KLAB" doctor -c "$config" --connect lab2
says "did you mean 'lab1'?"
expect 2 "$KLAB" doctor --connect xen:///system
says "of another hypervisor"
expect 2 "$KLAB" run --resume --out "$SCRATCH" --connect lab1 -c "$config"
says "--resume goes on where the run was planned to run"
expect 2 "$KLAB" doctor --clean -c "$SOURCE/kernels.yaml"
says "there are no hosts in the kernels file"
expect 2 "$KLAB" doctor --clean --engine
expect 2 "$BUILD/kbisect" run --good a --bad b --cmd true --connect qemu:///embed
says "--connect goes with --probe"
expect 125 "$KLAB" boot debian-bookworm --connect lab2
expect 2 "$KLAB" exec-job "$SCRATCH/none.json" --connect lab2

# --- connections that do not come about

expect 3 "$KLAB" doctor --connect test:///default
says "runs no QEMU guests"
expect 3 "$KLAB" doctor --connect qemu+tcp://127.0.0.1:1/system
says "Connection refused"
says "hint: nothing listens there"
line close
expect 3 "$KLAB" doctor --connect "qemu+tcp://127.0.0.1:$port/system"
says "cannot connect to libvirt at 'qemu+tcp://127.0.0.1:$port/system'"

# --- files

"$KLAB" doctor --connect "$LIBVIRT_URI" >"$SCRATCH/out" 2>"$SCRATCH/err"
says "the host has no storage pool 'default'"
says "hint: virsh -c URI pool-create-as default dir"

look lab1
says "'klab' takes files, as '/var/lib/libvirt/images/klab/klab-"
[ "$(volumes)" -eq 2 ] || complain "not a file and its mark: $(ls "$images/klab")"
look "$LIBVIRT_URI"	# a URI that a host has is that host
says "'klab' takes files"
[ "$(volumes)" -eq 2 ] || complain "sent again: $(ls "$images/klab")"
whole=$(find "$images/klab" -name 'klab-*' ! -name '*.ok')
sum=$(basename "$whole" | cut -d- -f2)
[ "$(sha256sum "$whole" | cut -d' ' -f1)" = "$sum" ] || complain "'$whole' is not what its name says"

# one that lost its end on the host is not used any more
truncate -s 1000 "$whole"
look lab1
says "'klab' takes files"
never_says "$(basename "$whole")'"
[ "$(volumes)" -eq 4 ] || complain "half a file was used: $(ls "$images/klab")"

# a cut upload leaves no mark, and what the dead left goes
rm -f "$images"/klab/*
restart
line cut 700000 "$libvirtd_port"
through "$port" "$SCRATCH/lab/cut.yaml"
"$KLAB" doctor -c "$SCRATCH/lab/cut.yaml" --connect lab1 >"$SCRATCH/out" 2>"$SCRATCH/err"
says "' was cut: "
[ "$(volumes '*.ok')" -eq 0 ] || complain "half a file has a mark"
[ "$(volumes)" -eq 1 ] || complain "nothing was cut: $(ls "$images/klab")"
expect 0 "$KLAB" doctor --clean -c "$config" --connect lab1
says "1 files removed, 0 kept"
[ "$(volumes)" -eq 0 ] || complain "half a file stays: $(ls "$images/klab")"

# a week after its last use a file goes, and not before
look lab1
touch -d '6 days ago' "$images"/klab/*
expect 0 "$KLAB" doctor --clean -c "$config" --connect lab1
says "0 files removed, 1 kept"
look lab1	# a use, which is noted
[ -n "$(find "$images/klab" -name '*.ok' -mmin -5)" ] || complain "its use was not noted"
touch -d '8 days ago' "$images"/klab/*
expect 0 "$KLAB" doctor --clean -c "$config"
says "'lab1': 0 domains removed, 0 of running klabs; 1 files removed, 0 kept"
[ "$(volumes)" -eq 0 ] || complain "an old file stays: $(ls "$images/klab")"

# a disk that is full
inside=(nsenter -t "$(pgrep -P "$libvirtd_holder")" -m -r) # its root, too: that of a chroot
[ "$(id -u)" -eq 0 ] || inside+=(-U --preserve-credentials)
"${inside[@]}" mkdir -p /var/lib/libvirt/images/full
"${inside[@]}" mount -t tmpfs -o size=1m none /var/lib/libvirt/images/full
look full
says "pool 'full' has no room for '"
[ "$("${inside[@]}" find /var/lib/libvirt/images/full -name 'klab-*' | wc -l)" -eq 0 ] ||
	complain "what did not fit stays"

slow_says silent "did not answer within"
slow_says silent "exit 3"
slow_says freeze "' was cut: the connection to the host was lost"
slow_says freeze "exit 3"
finish
