# SPDX-License-Identifier: GPL-2.0-or-later
# ci/kernel-update against a recorded index: nothing new at first, then one kernel more (a real one),
# which is pulled, run in a guest of a few seconds and told in a report; a published blacklist that says
# something else of it makes the script fail; killed in the middle of the run it goes on. A server that
# is away is told, and what it has waits.
real=${XDG_CACHE_HOME:-$HOME/.cache}/klab
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_repos.sh"
export XDG_STATE_HOME=$SCRATCH/state KLAB KLAB_DOWNLOAD_TIMEOUT=2 KLAB_TEST=update-$$
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY GITHUB_STEP_SUMMARY
# kernels come from here alone; the engine and what it proved are the host's
mkdir -p "$XDG_CACHE_HOME/klab"
for part in apt engine engine-proof host initramfs plugins; do
	mkdir -p "$real/$part"
	ln -s "$real/$part" "$XDG_CACHE_HOME/klab/$part"
done

KEY=good
make_key good
get_real_kernel
release=${PACKAGE#linux-image-}
# empty_package RELEASE VERSION: another one of the family, without a kernel in it
empty_package() {
	local tree=$SCRATCH/empty
	mkdir -p "$tree/DEBIAN"
	printf 'Package: linux-image-%s-cloud-amd64\nVersion: %s\nArchitecture: amd64\n%s\n%s\n' "$1" "$2" \
		'Maintainer: N <n@example.org>' 'Description: a test' >"$tree/DEBIAN/control"
	dpkg-deb --root-owner-group --build "$tree" "$(dirname "$DEB")/empty_$2_amd64.deb" >/dev/null
}
mv "$DEB" "$SCRATCH/new.deb"
empty_package 6.1.0-1 6.1.4-1
make_dists live
start_server
mkdir "$SCRATCH/conf" "$SCRATCH/published"
cat >"$SCRATCH/conf/kernels.yaml" <<YAML
kernels:
  - {id: gone, source: deb, repo: "http://127.0.0.1:1/x", suite: s, package: linux-image-x, keyring: $SCRATCH/good.gpg}
families:
  - {id: test, source: deb, repo: $BASE/ubuntu, suite: live, package: "linux-image-{version}-cloud-amd64", keyring: $SCRATCH/good.gpg, vendor: debian, versions: [6.1.0-1]}
default: [gone]
YAML
id=test-${release%-cloud-amd64}

# the published blacklist: somebody saw this very build fail
mkdir "$SCRATCH/by-hand"
jq -n --arg release "$release" --arg package "$DEB_VERSION" --arg x "$(printf x | sha256sum | cut -c1-64)" '
	{schema: 1, generator: "klab 0", started: "2026-01-02T03:04:05Z", asked_confidence: 0.99,
	 engine: {version: "10", sha256: $x},
	 kernels: [{id: "k", release: $release, vendor: "debian", package_version: $package, sha256: $x,
		version: "(debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC Debian \($package) (2026-01-01)"}],
	 cells: [{kernel: "k", probe: "text-poke", verdict: "affected", kind: "oops",
		title: "oops: NULL pointer dereference in poke_int3_handler", p_missed: null,
		jobs: [{dir: "jobs/a/0", digest: $x}]}]}' >"$SCRATCH/by-hand/result.json"
"$KLAB" blacklist generate --from "$SCRATCH/by-hand" --out "$SCRATCH/published" 2>/dev/null
rm "$SCRATCH"/published/*.evidence.json

update() {
	"$SOURCE/ci/kernel-update" --config "$SCRATCH/conf/kernels.yaml" --out "$SCRATCH/out.d" \
		--published "$SCRATCH/published" "$@" -- -p text-poke --confidence 0.5 --duration 4 --smp 2
}
run_began() { [ -n "$(find "$SCRATCH/out.d" -name run.json 2>/dev/null)" ] && guest_runs; }

# --- what there is; nothing new
expect 0 update
says "1 builds recorded by a first sync; 0 new"
says "not read: s of http://127.0.0.1:1/x"
expect 0 update
says "nothing new"
[ ! -e "$SCRATCH/out.d/report.md" ] || complain "a report on nothing"

# --- one kernel more: told without a trace; its repository falls silent; it waits
mv "$SCRATCH/new.deb" "$DEB"
make_dists live
expect 0 update --dry-run
says "$id  $PACKAGE $DEB_VERSION  live of $BASE/ubuntu"
[ ! -d "$SCRATCH/conf/kernels.d" ] || complain "--dry-run added"
fault linux-image 404
expect 3 update
says "1 new kernels could not be had"
grep -q "| $id | .*HTTP 404" "$SCRATCH/out.d/report.md" || complain "the reason is not in the report"
no_fault

# --- it is there: pulled and run; killed in the middle; the next call goes on with that run
setsid "$SOURCE/ci/kernel-update" --config "$SCRATCH/conf/kernels.yaml" --out "$SCRATCH/out.d" \
	--published "$SCRATCH/published" -- -p text-poke --confidence 0.5 --duration 4 --smp 2 \
	>"$SCRATCH/killed" 2>&1 &
killed=$!
wait_for 120 run_began || { complain "no run began" && tail "$SCRATCH/killed" >&2; }
expect 3 update
says "another kernel-update works in"
kill -9 -- -$killed
wait $killed 2>/dev/null
wait_for 10 guest_is_gone || complain "a guest outlives what started it"
summary=$SCRATCH/summary
: >"$summary"
GITHUB_STEP_SUMMARY=$summary expect 1 update
says "going on with $SCRATCH/out.d/run-"
says "a verdict changed: $SCRATCH/out.d/report.md"
report=$SCRATCH/out.d/report.md
for text in '**A verdict changed.**' "| $release | text-poke | affected | " "| $id | $PACKAGE | $DEB_VERSION |" \
	"| $id | text-poke | **clean** |"; do
	grep -qF -- "$text" "$report" || {
		complain "the report does not say '$text'"
		cat "$report" >&2
	}
done
journal=$(sed -nE 's/.*\[journals\]\(([^)]*)\).*/\1/p' "$report" | head -n 1)
[ -d "$SCRATCH/out.d/$journal" ] || complain "the report leads to no journal: '$journal'"
cmp -s "$report" "$summary" || complain "the step's summary is not the report"
expect 0 "$KLAB" blacklist verify "$SCRATCH/out.d/blacklist"

# --- once
before=$(requests)
expect 0 update
says "nothing new"
awk -v n="$before" 'NR > n && /linux-image/' "$LOG" | grep -q . && complain "it was fetched again"

# --- killed right after the sync had told what is new: it waits; until its row is removed
empty_package 6.1.0-2 6.1.7-1
make_dists live
"$KLAB" kernels sync --config "$SCRATCH/conf/kernels.yaml" --add --no-run --json \
	>"$SCRATCH/out.d/sync.part" 2>/dev/null
expect 3 update
grep -q '| test-6.1.0-2 | .*holds no kernel image' "$report" || complain "what a killed call had found is lost"
sed -i '/test-6.1.0-2/d' "$SCRATCH"/conf/kernels.d/*.yaml
expect 0 update
says "nothing new"

# --- a state that was damaged is told; what it knew is no news
find "$XDG_STATE_HOME" -name '*.json' -exec truncate -s 20 {} +
expect 0 update
says "is damaged"
says "nothing new"
expect 2 update --nonsense

# --- the pipelines can be read, and call it by options that there are
python3 -c 'import sys, yaml; [yaml.safe_load(open(f)) for f in sys.argv[1:]]' ci/examples/*.yml ||
	complain "an example is no YAML"
for file in ci/examples/{github.yml,gitlab-ci.yml,kernel-update.service,crontab}; do
	call=$(grep -oE 'ci/kernel-update( .*)?$' "$file" | grep -v '^ci/kernel-update$' | head -n 1)
	[ -n "$call" ] || complain "$file does not call ci/kernel-update"
	for option in $(grep -oE -- '--[a-z-]+' <<<"$call"); do
		ci/kernel-update --help | grep -q -- "^  $option " || complain "$file: no option $option"
	done
done
kill "$SERVER"
expect 3 update
says "no index could be read"
finish
