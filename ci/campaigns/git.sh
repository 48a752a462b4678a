# SPDX-License-Identifier: GPL-2.0-or-later
# Kernels from source: a repository with three tags made of Debian's linux-source-6.1, each built
# through `source: git`, and the second and third because of what they differ in. Times are told, not
# judged. Sourced by ci/campaign.
#
# LINUX_SOURCE=FILE  a linux-source-6.1_*.deb or a tarball, instead of apt's
# BOOT=yes           also run one probe for 10 s on each

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

tag() {
	in_repo add -A -f .
	in_repo commit -q -m "$2"
	in_repo tag "$1"
}

# Three tags: the tree as it is; one .c file more; a header that half of kernel/ includes.
make_repository() {
	[ -e "$work/linux.done" ] && return
	rm -rf "$work/linux"
	unpack "$(source_package)" "$work/linux"
	in_repo init -q -b main
	tag v6.1.1-test "as Debian has it"
	sed -i 's/^SYSCALL_DEFINE0(fork)/\/* changed *\/\n&/' "$work/linux/kernel/fork.c"
	printf '\nint klab_campaign __visible;\n' >>"$work/linux/kernel/fork.c"
	tag v6.1.2-test "one file"
	sed -i 's/^#endif.*_LINUX_FREEZER_H.*\|^#endif.*FREEZER_H_INCLUDED.*/extern int klab_campaign;\n&/' \
		"$work/linux/include/linux/freezer.h"
	tag v6.1.3-test "a header"
	touch "$work/linux.done"
}

kernels_yaml() {
	echo "kernels:"
	local n
	for n in 1 2 3; do
		echo "  - {id: source-$n, source: git, remote: $PWD/$work/linux, ref: v6.1.$n-test}"
	done
	echo "default: [source-1, source-2, source-3]"
}

# pull NAME ID WHAT: a row with the seconds that it took
pull() {
	local began=$EPOCHREALTIME ended release
	klab kernels pull "$2" --config "$work/kernels.yaml" --json >"$work/$1.json" || {
		echo "pulling '$2' failed" >&2
		return 1
	}
	ended=$EPOCHREALTIME
	release=$(jq -r '.kernels[0].release' "$work/$1.json")
	awk -v a="$began" -v b="$ended" -v what="$3" -v id="$2" -v release="$release" \
		'BEGIN { printf "| %s | %s | %s | %.0f |\n", what, id, release, b - a }'
}

# Its own cache, ccache's included: nothing that was built before helps.
klab() {
	XDG_CACHE_HOME=$PWD/$work/cache build/klab "$@"
}

campaign() {
	rm -rf "$work/cache"
	make_repository
	kernels_yaml >"$work/kernels.yaml"
	cat <<MD
# Campaign: $name

Made by \`ci/campaign $name\` with $(build/klab --version), $(gcc --version | head -n 1),
$(nproc) host cores, $(date -u +%Y-%m-%d). Nothing was in any cache.

| build | kernel | release | seconds |
|---|---|---|---|
MD
	pull first source-1 "from nothing"
	pull second source-2 "one .c file later"
	pull third source-3 "one header later"
	pull back source-1 "the first again, from the cache"
	[ "${BOOT:-}" = yes ] || return 0
	klab run --config "$work/kernels.yaml" -k 'source-*' -p text-poke --duration 10 \
		--out "$work/run" >&2 || true
	echo
	echo "| kernel | probe | verdict |"
	echo "|---|---|---|"
	jq -r '.cells[] | "| \(.kernel) | \(.probe) | \(.verdict) |"' "$work/run/result.json"
}
