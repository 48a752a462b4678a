# SPDX-License-Identifier: GPL-2.0-or-later
# Kernels from source: a repository with four tags made of Debian's linux-source-6.1, each built
# through `source: git`, all but the first because of what they differ in. Times are told, not judged.
# Sourced by ci/campaign.
#
# BOOT=yes           also boot each
# PROBE=yes          also run one probe for 10 s on each
. ci/campaigns/lib_source.sh

tag() {
	in_repo add -A -f .
	in_repo commit -q -m "$2"
	in_repo tag "$1"
}

# Four tags: the tree as it is; one .c file changed; a header that half of kernel/ includes; another .c
# file.
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
	printf '\nint klab_campaign_too __visible;\n' >>"$work/linux/mm/usercopy.c"
	tag v6.1.4-test "another file"
	touch "$work/linux.done"
}

kernels_yaml() {
	echo "kernels:"
	local n
	for n in 1 2 3 4; do
		echo "  - {id: source-$n, source: git, remote: $PWD/$work/linux, ref: v6.1.$n-test}"
	done
	echo "default: [source-1, source-2, source-3, source-4]"
}

# CPU seconds of all that runs on this host, since it was started
host_cpu() {
	awk -v hz="$(getconf CLK_TCK)" '/^cpu / { printf "%.2f", ($2 + $3 + $4 + $7 + $8) / hz }' /proc/stat
}

# pull NAME ID WHAT: a row with the seconds that it took, by the clock and of CPU, and what others took
# of the host's CPUs meanwhile. A row that is there is not made again.
pull() {
	[ -s "$work/$1.row" ] || timed_pull "$@" >"$work/$1.row.new"
	[ -s "$work/$1.row" ] || mv "$work/$1.row.new" "$work/$1.row"
	cat "$work/$1.row"
}

timed_pull() {
	local before after TIMEFORMAT='%R %U %S'
	before=$(host_cpu)
	{ time klab kernels pull "$2" --config "$work/kernels.yaml" --json >"$work/$1.json" 2>&3; } \
		3>&2 2>"$work/$1.time" || {
		echo "pulling '$2' failed" >&2
		return 1
	}
	after=$(host_cpu)
	awk -v what="$3" -v id="$2" -v before="$before" -v after="$after" \
		-v release="$(jq -er '.kernels[0].identity.release' "$work/$1.json")" '{
			others = after - before - $2 - $3
			others = others < 0 ? 0 : others
			printf "| %s | %s | %s | %.0f | %.0f | %.0f |\n", what, id, release, $1, $2 + $3, others
		}' "$work/$1.time"
}

# boot ID: a row with what the kernel calls itself
boot() {
	local want said
	want=$(klab kernels list --config "$work/kernels.yaml" --json "$1" |
		jq -er '.kernels[0].identity.release')
	said=$(klab boot "$1" --config "$work/kernels.yaml" -- uname -rv)
	[ "${said%% *}" = "$want" ] || {
		echo "'$1' calls itself '${said%% *}', not '$want'" >&2
		return 1
	}
	echo "| $1 | ${said%% *} | ${said#* } |"
}

boots() {
	echo
	echo "| kernel | \`klab boot KERNEL -- uname -r\` | and \`-v\` |"
	echo "|---|---|---|"
	boot source-1
	boot source-2
	boot source-3
	boot source-4
}

probes() {
	XDG_CACHE_HOME=$PWD/$work/cache run_once run --config "$work/kernels.yaml" -k 'source-*' \
		-p text-poke --duration 10
	echo
	echo "| kernel | probe | verdict |"
	echo "|---|---|---|"
	jq -r '.cells[] | "| \(.kernel) | \(.probe) | \(.verdict) |"' "$work/run/result.json"
}

campaign() {
	# half a build that was cut off would make the next one look fast
	[ -s "$work/first.row" ] || rm -rf "$work/cache"
	make_repository
	kernels_yaml >"$work/kernels.yaml"
	cat <<MD
# Campaign: $name

Made by \`ci/campaign $name\` with $(build/klab --version), $(gcc --version | head -n 1),
$(nproc) host cores, $(date -u +%Y-%m-%d). No kernel, no object and no ccache was there at first. CPU s are
user and system together; the last column is what others had of the host's CPUs meanwhile: where that is
not near 0, an idle host takes less time by the clock.

| build | kernel | release | seconds | CPU s | others' CPU s |
|---|---|---|---|---|---|
MD
	pull first source-1 "from nothing"
	pull second source-2 "one .c file later"
	pull third source-3 "one header later"
	pull fourth source-4 "another .c file later"
	pull back source-1 "the first again, from the cache"
	[ "${BOOT:-}" != yes ] || boots
	[ "${PROBE:-}" != yes ] || probes
}
