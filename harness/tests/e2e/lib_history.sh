# SPDX-License-Identifier: GPL-2.0-or-later
# A repository with merges whose commits are numbered in a file, for tests of bisections. Sourced.

# make_history REPO COMMITS: `number` counts up on the main line; each eighth commit merges a branch of
# three. Tags: old, new, and c1, c2 ... on the main line.
make_history() {
	local repo=$1 n=$2 i
	export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@example.org
	export GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@example.org
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
	{
		printf 'commit refs/heads/main\nmark :1\ncommitter t <t@example.org> 1000000000 +0000\n'
		printf 'data 3\nold\nM 644 inline number\ndata 1\n0\n'
		for i in $(seq "$n"); do
			stream_commit "$i"
		done
	} | (git init -q -b main "$repo" && cd "$repo" && git fast-import --quiet)
	git -C "$repo" tag old "$(git -C "$repo" rev-list --max-parents=0 main)"
	git -C "$repo" tag new main
	for i in $(seq "$n"); do
		git -C "$repo" tag "c$i" "$(git -C "$repo" log --format=%H --grep "^change $i\$" main)"
	done
}

# Marks: 10 * i is commit i of the main line, + 1..3 its branch.
stream_commit() {
	local i=$1 before=$((($1 - 1) * 10)) k
	[ "$before" -gt 0 ] || before=1
	if [ $((i % 8)) -eq 0 ]; then
		for k in 1 2 3; do
			printf 'commit refs/heads/side\nmark :%d\ncommitter t <t@example.org> %d +0000\n' \
				$((i * 10 + k)) $((1000000000 + i * 10 + k))
			printf 'data 9\nside %03d\n' "$i"
			[ $k -eq 1 ] && printf 'from :%d\n' $(((i > 4 ? i - 4 : 1) * 10)) ||
				printf 'from :%d\n' $((i * 10 + k - 1))
			printf 'M 644 inline side%d\ndata 2\n%d\n\n' "$i" "$k"
		done
	fi
	printf 'commit refs/heads/main\nmark :%d\ncommitter t <t@example.org> %d +0000\n' $((i * 10)) \
		$((1000000000 + i * 10 + 9))
	printf 'data %d\nchange %d\n' $((7 + ${#i})) "$i"
	printf 'from :%d\n' "$before"
	[ $((i % 8)) -eq 0 ] && printf 'merge :%d\n' $((i * 10 + 3))
	printf 'M 644 inline number\ndata %d\n%d\n' $((1 + ${#i})) "$i"
}
