# SPDX-License-Identifier: GPL-2.0-or-later
# klab kernels sync against indexes made here (a suite of apt's, a Debian repository, an rpm repository,
# each signed by a test key): what is new since the last sync, what --add writes and that it can be
# named then, servers that do not answer or answer with another's key, states that are damaged, kills.
# No package is fetched and no guest runs.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_repos.sh"
export XDG_STATE_HOME=$SCRATCH/state KLAB_DOWNLOAD_TIMEOUT=2 KLAB_APT_SOURCES=$SCRATCH/apt.list
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
KEY=good
make_key good
make_key evil

# packages FOLDER NAME=VERSION[=DEPENDS]...: the packages that its pool/ would hold, as stanzas
packages() {
	local file=$1 item name version depends
	shift
	for item in "$@"; do
		IFS='=' read -r name version depends <<<"$item"
		printf 'Package: %s\nVersion: %s\nArchitecture: amd64\n%s' "$name" "$version" \
			"${depends:+Depends: $depends$'\n'}"
		printf 'Filename: pool/%s.deb\nSHA256: %s\n\n' "$name" \
			"$(printf x | sha256sum | cut -d ' ' -f 1)"
	done >"$file"
}
# suite NAME ITEM...: a signed suite of those packages
suite() {
	local dir=$REPOS/ubuntu/dists/$1 list=main/binary-amd64/Packages
	shift
	mkdir -p "$dir/main/binary-amd64"
	packages "$dir/$list" "$@"
	{
		printf 'Suite: %s\nCodename: %s\nDate: %s\nArchitectures: amd64\nComponents: main\n' \
			"${dir##*/}" "${dir##*/}" "$(date -Ru)"
		printf 'SHA256:\n %s %s %s\n' "$(sha256sum "$dir/$list" | cut -d ' ' -f 1)" \
			"$(stat -c %s "$dir/$list")" $list
	} >"$dir/Release"
	sign --clearsign -o "$dir/InRelease" "$dir/Release"
}
# rpms VERSION...: a signed repository of kernel-default in these versions
rpms() {
	local dir=$REPOS/suse/repodata v
	mkdir -p "$dir"
	{
		echo '<metadata xmlns="http://linux.duke.edu/metadata/common">'
		for v in "$@"; do
			printf '<package type="rpm"><name>kernel-default</name><arch>x86_64</arch>'
			printf '<version epoch="0" ver="%s" rel="%s"/>' "${v%-*}" "${v#*-}"
			printf '<checksum type="sha256" pkgid="YES">%s</checksum>' \
				"$(printf x | sha256sum | cut -d ' ' -f 1)"
			printf '<location href="x/kernel-default-%s.rpm"/></package>\n' "$v"
		done
		echo '</metadata>'
	} >"$dir/primary.xml"
	printf '<repomd><data type="primary"><checksum type="sha256">%s</checksum>%s</data></repomd>\n' \
		"$(sha256sum "$dir/primary.xml" | cut -d ' ' -f 1)" \
		'<location href="repodata/primary.xml"/>' >"$dir/repomd.xml"
	sign --armor --detach-sign -o "$dir/repomd.xml.asc" "$dir/repomd.xml"
}
suite old linux-image-5.4.0-1-generic=5.4.0-1.1 linux-image-generic=5.4.0.1=linux-image-5.4.0-1-generic \
	linux-image-5.4-generic=5.4.0.1=linux-image-5.4.0-1-generic \
	linux-image-unsigned-5.4.0-1-generic=5.4.0-1.1 linux-image-5.4.0-1-generic-dbg=5.4.0-1.1 bash=5.2
suite live linux-image-6.1.0-1-cloud-amd64=6.1.4-1 bash=5.2 \
	linux-image-cloud-amd64=6.1.4-1=linux-image-6.1.0-1-cloud-amd64
rpms 5.3.18-1 5.3.18-2
echo "deb [signed-by=$SCRATCH/good.asc] file:$REPOS/ubuntu live main" >"$KLAB_APT_SOURCES"
start_server
mkdir "$SCRATCH/conf"
cat >"$SCRATCH/conf/kernels.yaml" <<YAML
kernels:
  - {id: live, source: apt, suite: live, package: linux-image-cloud-amd64, vendor: debian}
  - {id: old, source: deb, repo: $BASE/ubuntu, suite: old, package: linux-image-generic, keyring: $SCRATCH/good.gpg, vendor: ubuntu}
  - {id: suse, source: rpm, repo: $BASE/suse, package: kernel-default, keyring: $SCRATCH/good.asc, vendor: sle}
  - {id: gone, source: deb, repo: "http://127.0.0.1:1/x", suite: s, package: linux-image-x, keyring: $SCRATCH/good.gpg}
  - {id: evil, source: deb, repo: $BASE/ubuntu, suite: old, package: linux-image-generic, keyring: $SCRATCH/evil.gpg}
  - {id: path, source: file, path: bzImage}
families:
  - {id: focal, source: deb, repo: $BASE/ubuntu, suite: old, package: "linux-image-{version}-generic", keyring: $SCRATCH/good.gpg, vendor: ubuntu, ids: "focal-{version}", versions: [5.4.0-1]}
  - {id: leap, source: rpm, repo: $BASE/suse, package: kernel-default, keyring: $SCRATCH/good.asc, vendor: sle, versions: [5.3.18-1]}
YAML
sync() { "$KLAB" kernels sync --config "$SCRATCH/conf/kernels.yaml" "$@"; }
# holds FILTER: what the last sync printed as JSON
holds() {
	jq -e "$1" "$SCRATCH/out" >/dev/null && return
	complain "not so: $1"
	cat "$SCRATCH/out" >&2
}
states() { find "$XDG_STATE_HOME/klab/sync" -name '*.json' | sort; }
GOOD=(live old suse focal leap)

# --- the first sync records; -n does not even do that
expect 0 sync -n --json --all
holds '.builds | map(.id) | sort == ["focal-5.4.0-1", "leap-5.3.18-1", "leap-5.3.18-2", "live-6.1.4-1"]'
holds '[.builds[] | select(.new)] == []'
[ -z "$(find "$XDG_STATE_HOME" -name '*.json')" ] || complain "--dry-run recorded"
: >"$LOG"
expect 0 sync
says "4 builds seen for the first time (--all lists them), 3 of 5 indexes read"
says "s of http://127.0.0.1:1/x unavailable: "
says "is signed by none of the keyring's keys"
[ "$(grep -c 'dists/old/InRelease' "$LOG")" -eq 2 ] || complain "an index is read once a key"
expect 0 sync --json "${GOOD[@]}"
holds '.builds == [] and (.watches | length == 5 and all(.new == 0 and .since))'

# --- what came out: of families all, of other rows the newest, told once
suite old linux-image-5.4.0-1-generic=5.4.0-1.1 linux-image-5.4.0-2-generic=5.4.0-2.2 \
	linux-image-generic=5.4.0.2=linux-image-5.4.0-2-generic bash=5.2
suite live linux-image-6.1.0-2-cloud-amd64=6.1.7-1 \
	linux-image-cloud-amd64=6.1.7-1=linux-image-6.1.0-2-cloud-amd64
rpms 5.3.18-1 5.3.18-2 5.3.18-10
expect 0 sync -n "${GOOD[@]}"
says "focal-5.4.0-2            linux-image-5.4.0-2-generic"
says "3 new since "
expect 0 sync --add --no-run --json "${GOOD[@]}"
holds '.builds | map([.id, .package, .version]) | sort ==
	[["focal-5.4.0-2", "linux-image-5.4.0-2-generic", "5.4.0-2.2"],
	 ["leap-5.3.18-10", "kernel-default", "5.3.18-10"],
	 ["live-6.1.7-1", "linux-image-6.1.0-2-cloud-amd64", "6.1.7-1"]]'
expect 0 test -f "$(jq -r .added "$SCRATCH/out")"
expect 0 sync "${GOOD[@]}"
says "0 new since "

# --- they are kernels now, by id, by release and by family, beside those of the file
for name in focal-5.4.0-2 5.4.0-2-generic leap-5.3.18-10 live-6.1.7-1; do
	expect 0 "$KLAB" kernels list --config "$SCRATCH/conf/kernels.yaml" $name --json
	[ "$(jq '.kernels | length' "$SCRATCH/out")" -eq 1 ] || complain "'$name' is not one kernel"
done
expect 0 "$KLAB" kernels list --config "$SCRATCH/conf/kernels.yaml" focal --json
holds '.kernels | map(.id) | sort == ["focal-5.4.0-1", "focal-5.4.0-2"]'
expect 0 sync --all --json "${GOOD[@]}"
holds '[.builds[] | select(.named | not)] | map(.id) == ["leap-5.3.18-2"]'

# --- --add alone runs them as well: here the packages are not there, which the run tells
suite old linux-image-5.4.0-1-generic=5.4.0-1.1 linux-image-5.4.0-2-generic=5.4.0-2.2 \
	linux-image-5.4.0-9-generic=5.4.0-9.9
cd "$SCRATCH" || exit 1
expect 4 sync --add --json focal
holds '[.builds[].id] == ["focal-5.4.0-9"]'
cd "$SOURCE" || exit 1
says "focal-5.4.0-9"
[ "$(jq -r '.unavailable[].kernel' "$SCRATCH"/results/run-*/result.json)" = focal-5.4.0-9 ] ||
	complain "--add did not run it"
rm "$(jq -r .added "$SCRATCH/out")"

# --- a drop-in of one's own: the file's ids come first, errors name it
drop=$SCRATCH/conf/kernels.d
printf 'kernels: [{id: live, source: file, path: other}, {id: mine, source: file, path: x}]\n' >"$drop/a.yaml"
expect 0 "$KLAB" kernels list --config "$SCRATCH/conf/kernels.yaml" --json live mine
holds '.kernels | map(.source) == ["apt", "file"]'
printf 'kernels: [{id: bad, source: file, paht: x}]\n' >"$drop/a.yaml"
expect 2 "$KLAB" kernels list --config "$SCRATCH/conf/kernels.yaml"
says "kernels.d/a.yaml:1:41: unknown key 'paht'; did you mean 'path'?"
rm "$drop/a.yaml"

# --- a repository that is away has no news, and none when it is back; a damaged state is a first sync
fault old/InRelease 404
suite old linux-image-5.4.0-1-generic=5.4.0-1.1 linux-image-5.4.0-2-generic=5.4.0-2.2 \
	linux-image-5.4.0-3-generic=5.4.0-3.3
rm "$REPOS/ubuntu/dists/old/Release"
expect 0 sync focal live
says "old of $BASE/ubuntu unavailable: "
expect 3 sync focal
says "0 of 1 indexes read"
mv "$REPOS/ubuntu/dists/live" "$SCRATCH/away"	# apt has lists, but none of today
expect 3 sync live
says "live                     unavailable: suite 'live': "
mv "$SCRATCH/away" "$REPOS/ubuntu/dists/live"
no_fault
expect 0 sync -n --json focal
holds '[.builds[].id] == ["focal-5.4.0-3"]'
for damage in '{"schema":1,' '{"schema":1,"synced":"now","builds":{},"indexes":[]}' '[]' '' \
	'{"schema":1,"synced":"2026-01-02T03:04:05Z","builds":{"a 1":7},"indexes":[]}'; do
	states | while read -r file; do printf '%s' "$damage" >"$file"; done
	expect 0 sync -n focal
	says "is damaged"
	says "3 builds seen for the first time"
done
expect 0 sync --json focal
holds '[.builds[] | select(.new)] == []'
expect 0 sync focal
never_says damaged

# --- killed at any moment: what is new is told by this call or the next, and no state is half
suite old linux-image-5.4.0-4-generic=5.4.0-4.4
for delay in 0.01 0.05 0.1 0.2 0.4; do
	"$KLAB" kernels sync --config "$SCRATCH/conf/kernels.yaml" focal >"$SCRATCH/killed" 2>/dev/null &
	sleep $delay
	kill -9 $! 2>/dev/null
	wait $! 2>/dev/null
	states | while read -r file; do jq -e .schema "$file" >/dev/null || complain "half a state"; done
	grep -q focal-5.4.0-4 "$SCRATCH/killed" && told=yes
done
sync focal >"$SCRATCH/killed" 2>/dev/null
grep -q focal-5.4.0-4 "$SCRATCH/killed" && told=yes
[ "${told:-}" = yes ] || complain "a killed sync lost what was new"

# --- usage
expect 2 sync path
says "none of these kernels comes out of an index of packages"
expect 2 sync nosuch
expect 2 sync --no-run
finish
