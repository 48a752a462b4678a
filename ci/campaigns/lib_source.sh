# SPDX-License-Identifier: GPL-2.0-or-later
# A git repository in $work/linux out of Debian's linux-source-6.1, for campaigns that build kernels.
# Sourced by them.
#
# LINUX_SOURCE=FILE  a linux-source-6.1_*.deb or a tarball, instead of apt's

# What Debian has as the newest 6.1, by apt's own verification.
source_package() {
	[ -n "${LINUX_SOURCE:-}" ] && {
		echo "$LINUX_SOURCE"
		return
	}
	compgen -G "$work/linux-source-6.1_*.deb" >/dev/null ||
		(cd "$work" && apt-get download -q linux-source-6.1 >&2)
	compgen -G "$work/linux-source-6.1_*.deb" | sort -V | tail -n 1
}

# unpack ARCHIVE DIR: the tree itself into DIR
unpack() {
	mkdir -p "$2"
	case $1 in
	*.deb) dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' |
		tar -xJ --strip-components=1 -C "$2" ;;
	*) tar -xf "$1" --strip-components=1 -C "$2" ;;
	esac
}

in_repo() {
	git -C "$work/linux" -c user.name=campaign -c user.email=campaign@example.org \
		-c gc.auto=0 -c commit.gpgSign=false -c tag.gpgSign=false "$@"
}

