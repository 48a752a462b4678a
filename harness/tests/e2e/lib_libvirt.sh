# SPDX-License-Identifier: GPL-2.0-or-later
# A libvirtd of the test's own: on a loopback TCP port, in mount and process namespaces where it has
# its own folders, libvirt's system user, and no /dev/kvm. Nothing of it is seen by, or left on, the
# machine. Sourced.
#
#	libvirtd_can		can this host have it? Else it says why not, as a test that is skipped
#	libvirtd_up DIR [PORT]	start it; $LIBVIRT_URI is how it is reached
#	libvirtd_kill		kill -9 the daemon alone: its domains stay
#	libvirtd_again		start it again, over what it left
#	libvirtd_down		end it with everything that it started
#	libvirtd_engines	how many QEMUs run there; libvirtd_engine_pids: which

# Runs as process 1 of the namespaces.
libvirtd_init() {
	set -euo pipefail
	local dir=$1 port=$2 node
	mount --make-rprivate /
	mount -t proc none /proc
	mkdir -p "$dir"/{dev,etc,lib,cache,log,run,daemon}
	# the user that libvirt was built to know, where its package did not make it
	cp /etc/passwd /etc/group "$dir/"
	grep -q '^libvirt-qemu:' "$dir/passwd" ||
		echo 'libvirt-qemu:x:64055:64055::/:/bin/false' >>"$dir/passwd"
	grep -q '^libvirt-qemu:' "$dir/group" || echo 'libvirt-qemu:x:64055:' >>"$dir/group"
	mount --bind "$dir/passwd" /etc/passwd
	mount --bind "$dir/group" /etc/group
	# a /dev without kvm: one that is there but does not work is asked again and again
	mount -t tmpfs none "$dir/dev"
	for node in null zero full random urandom tty; do
		touch "$dir/dev/$node"
		mount --bind "/dev/$node" "$dir/dev/$node"
	done
	mkdir "$dir/dev/pts" "$dir/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 none "$dir/dev/pts"
	ln -s pts/ptmx "$dir/dev/ptmx"
	ln -s /proc/self/fd "$dir/dev/fd"
	mount -t tmpfs none "$dir/dev/shm"
	mount --rbind "$dir/dev" /dev
	libvirtd_config "$dir" "$port"
	mkdir -p /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /run/libvirt
	mount --bind "$dir/etc" /etc/libvirt
	mount --bind "$dir/lib" /var/lib/libvirt
	mount --bind "$dir/cache" /var/cache/libvirt
	mount --bind "$dir/log" /var/log/libvirt
	mount --bind "$dir/run" /run/libvirt
	set +e
	while :; do
		libvirtd --listen --config "$dir/etc/libvirtd.conf" --pid-file "$dir/run/pid" \
			>>"$dir/libvirtd.log" 2>&1 </dev/null
		read -r _ <"$dir/again" || exit
	done
}

libvirtd_config() {
	cat >"$1/etc/libvirtd.conf" <<-END
		listen_tls = 0
		listen_tcp = 1
		listen_addr = "127.0.0.1"
		tcp_port = "$2"
		auth_tcp = "none"
		auth_unix_rw = "none"
		unix_sock_dir = "$1/daemon"
	END
	cat >"$1/etc/qemu.conf" <<-END
		user = "root"
		group = "root"
		dynamic_ownership = 0
		remember_owner = 0
		stdio_handler = "file"
		security_driver = "none"
		namespaces = [ ]
		cgroup_controllers = [ ]
	END
	mkfifo "$1/again" 2>/dev/null || true
}

libvirtd_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$libvirtd_port") 2>/dev/null; }

# A port that nobody listens on; two tests at once start looking at different places.
libvirtd_choose_port() {
	libvirtd_port=$((16600 + $$ % 4000))
	while libvirtd_answers; do libvirtd_port=$((libvirtd_port + 1)); done
}

libvirtd_wait() {
	local i
	for ((i = 0; i < 300; i++)); do
		libvirtd_answers && return 0
		kill -0 "$libvirtd_holder" 2>/dev/null || break
		sleep 0.1
	done
	echo "libvirtd did not come up:" >&2
	tail -n 20 "$libvirtd_dir/libvirtd.log" >&2
	return 1
}

libvirtd_unshare() {
	libvirtd_how=(unshare -m -p --fork --kill-child)
	[ "$(id -u)" -eq 0 ] || libvirtd_how+=(-r -U)
	"${libvirtd_how[@]}" mount -t tmpfs none /mnt 2>/dev/null
}

# The form is that of cmocka's, which ci/test looks for.
libvirtd_can() {
	libvirtd_unshare && return
	printf 'not on this host: nothing may be mounted, not even in a namespace\n[  SKIPPED ] libvirtd\n'
	return 1
}

libvirtd_up() {
	libvirtd_dir=$1
	libvirtd_port=${2:-}
	libvirtd_unshare || return
	mkdir -p "$libvirtd_dir"
	[ -n "$libvirtd_port" ] || libvirtd_choose_port
	"${libvirtd_how[@]}" bash -c "$(declare -f libvirtd_init libvirtd_config)
		libvirtd_init '$libvirtd_dir' '$libvirtd_port'" >"$libvirtd_dir/libvirtd.log" 2>&1 &
	libvirtd_holder=$!
	# shellcheck disable=SC2034 # for who sources this
	LIBVIRT_URI=qemu+tcp://127.0.0.1:$libvirtd_port/system
	libvirtd_wait
}

# Seen from here, process 1 of the namespaces is the holder's only child.
libvirtd_pid() { pgrep -P "$(pgrep -P "$libvirtd_holder")" -x libvirtd; }

libvirtd_kill() { kill -9 "$(libvirtd_pid)"; }

libvirtd_again() {
	echo >"$libvirtd_dir/again"
	libvirtd_wait
}

libvirtd_engine_pids() {
	local space
	space=$(readlink "/proc/$(pgrep -P "$libvirtd_holder")/ns/pid")
	for pid in $(pgrep qemu); do
		[ "$(readlink "/proc/$pid/ns/pid" 2>/dev/null)" = "$space" ] || continue
		grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null || echo "$pid"
	done
}

libvirtd_engines() { libvirtd_engine_pids | wc -l; }

libvirtd_down() {
	[ -n "${libvirtd_holder:-}" ] || return 0
	# unshare keeps softer signals from itself, and takes its child along
	kill -9 "$libvirtd_holder" 2>/dev/null
	wait "$libvirtd_holder" 2>/dev/null
	libvirtd_holder=
}
