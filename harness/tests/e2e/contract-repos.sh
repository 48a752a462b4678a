# SPDX-License-Identifier: GPL-2.0-or-later
# Kernels out of repositories on the network: a real Debian kernel under Ubuntu's layout, the same as
# an .rpm under CentOS's, signed by a test key. Good ones are pulled and boot, bad ones are refused with
# nothing kept, cut ones go on where they were cut, and a server that is silent is given up.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_repos.sh"
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

KEY=good
make_key good
make_key evil
get_real_kernel
make_meta linux-image-generic "${PACKAGE%% *}"
make_dists jammy
make_dists stale "Sat, 01 Jan 2022 00:00:00 UTC"
make_rpm kernel 3.10.0 1127.el7
make_repodata
start_server
RPM_REPO=$BASE/centos/7/os/x86_64
RPM_FILE=$REPOS/centos/7/os/x86_64/Packages/kernel-3.10.0-1127.el7.x86_64.rpm

cat >"$SCRATCH/kernels.yaml" <<YAML
kernels:
  - {id: ubuntu, source: deb, repo: $BASE/ubuntu, suite: jammy, component: main, package: linux-image-generic, keyring: $SCRATCH/good.gpg, vendor: ubuntu}
  - {id: ubuntu-evil, source: deb, repo: $BASE/ubuntu, suite: jammy, package: linux-image-generic, keyring: $SCRATCH/evil.gpg, vendor: ubuntu}
  - {id: ubuntu-stale, source: deb, repo: $BASE/ubuntu, suite: stale, package: linux-image-generic, keyring: $SCRATCH/good.gpg, vendor: ubuntu}
  - {id: ubuntu-accepted, source: deb, repo: $BASE/ubuntu, suite: stale, package: linux-image-generic, keyring: $SCRATCH/good.asc, vendor: ubuntu, check-valid-until: no}
  - {id: deb-sha256, source: deb, url: "$BASE/ubuntu/pool/main/l/linux/$(basename "$DEB")", sha256: $(sha256sum "$DEB" | cut -d ' ' -f 1)}
  - {id: deb-unverified, source: deb, url: "$BASE/ubuntu/pool/main/l/linux/$(basename "$DEB")", verify: none}
  - {id: centos, source: rpm, repo: $RPM_REPO, package: kernel, version: 3.10.0-1127.el7, keyring: $SCRATCH/good.asc, vendor: rhel7}
  - {id: centos-evil, source: rpm, repo: $RPM_REPO, package: kernel, version: 3.10.0-1127.el7, keyring: $SCRATCH/evil.asc, vendor: rhel7}
  - {id: centos-sha256, source: rpm, url: "$RPM_REPO/Packages/$(basename "$RPM_FILE")", sha256: $(sha256sum "$RPM_FILE" | cut -d ' ' -f 1), vendor: rhel7}
  - {id: centos-unverified, source: rpm, url: "$RPM_REPO/Packages/$(basename "$RPM_FILE")", verify: none}
  - {id: centos-path, source: rpm, url: "$RPM_FILE", verify: none, vendor: rhel7}
default: [ubuntu, centos]
YAML
pull() { "$KLAB" kernels pull --config "$SCRATCH/kernels.yaml" "$@"; }
image() { sha256sum "$SCRATCH"/kernel/boot/vmlinuz-* | cut -d ' ' -f 1; }
# begin ID: a download that has two million bytes when its klab is killed
begin() {
	fault .rpm stall 2000000
	"$KLAB" kernels pull --config "$SCRATCH/kernels.yaml" "$1" >/dev/null 2>&1 &
	local klab=$!
	wait_for 20 half_there || complain "no download began"
	kill -9 $klab
	wait $klab 2>/dev/null
	nothing_cached || complain "half a download was cached"
	no_fault
	: >"$LOG"
}
half_there() { [ -n "$(find "$XDG_CACHE_HOME" -name '*.part' -size +1900k 2>/dev/null)" ]; }
refused() {
	says "$1"
	nothing_cached || complain "something was cached: $1"
	fresh_cache
}

# good: the real image, its config and its build, by both; a second pull asks nobody for a package
expect 0 pull --json
jq -e --arg v "$DEB_VERSION" --arg s "$(image)" '[.kernels[].identity |
	select(.sha256 == $s and .config)] | length == 2 and .[0].package_version == $v and
	.[1].package_version == "3.10.0-1127.el7" and .[1].package == "kernel"' \
	"$SCRATCH/out" >/dev/null || {
	complain "not what was served"
	cat "$SCRATCH/out" >&2
}
before=$(requests)
expect 0 pull
[ "$(requests)" -eq "$before" ] || complain "a second pull asks the network"

# they boot, and so does the .rpm as an import, which nobody verified
boot() { "$KLAB" boot --smp 1 --config "$SCRATCH/kernels.yaml" "$1" -- sh -c 'uname -r; uname -v' </dev/null; }
use_engine
expect 0 "$KLAB" kernels import --config "$SCRATCH/kernels.yaml" --id mine "$RPM_FILE"
says "3.10.0-1127.el7"
boot ubuntu >"$SCRATCH/boot-ubuntu" 2>"$SCRATCH/boot-ubuntu.err" &
booting=$!
boot centos >"$SCRATCH/boot-centos" 2>"$SCRATCH/boot-centos.err"
boot mine >"$SCRATCH/boot-mine" 2>"$SCRATCH/boot-mine.err"
wait $booting
for id in ubuntu centos mine; do
	[ "$(cat "$SCRATCH/boot-$id")" = "$(jq -r .release "$SCRATCH/real.json")
$(jq -r .version "$SCRATCH/real.json" | sed 's/^([^)]*) //')" ] || {
		complain "$id does not boot: $(cat "$SCRATCH/boot-$id" "$SCRATCH/boot-$id.err")"
	}
done
expect 0 "$KLAB" kernels list --config "$SCRATCH/kernels.yaml" mine
says "note: not verified: imported from '$RPM_FILE'"
fresh_cache
expect 0 pull ubuntu-accepted centos-sha256
never_says 'unavailable'
never_says 'not verified'
fresh_cache
expect 0 pull deb-unverified centos-path
[ "$(grep -c 'not verified: kernels.yaml says verify: none' "$SCRATCH/out")" -eq 2 ] ||
	complain "nobody says that they are not verified"
expect 0 "$KLAB" kernels list --config "$SCRATCH/kernels.yaml" deb-unverified
says "not verified: kernels.yaml says verify: none"
fresh_cache

# refused: another's key, an old Release
expect 3 pull ubuntu-evil
refused "is signed by none of the keyring's keys"
expect 3 pull centos-evil
refused "is signed by none of the keyring's keys"
expect 3 pull ubuntu-stale
expect 0 "$KLAB" kernels list --config "$SCRATCH/kernels.yaml" ubuntu-stale centos
says "unavailable"
says "expired on 2022-01-01"
says "not cached"
expect 0 "$KLAB" kernels list --config "$SCRATCH/kernels.yaml" --json ubuntu-stale centos
jq -e '.kernels | (.[0].unavailable.reason | contains("expired")) and .[1].unavailable == null' \
	"$SCRATCH/out" >/dev/null || complain "list --json does not tell why"
expect 3 pull ubuntu-stale
refused "expired on 2022-01-01"

# cut in the middle: the rest is asked for, and every byte comes once
: >"$LOG"
fault .deb cut 4000000
expect 0 pull ubuntu
[ "$(grep -c '\.deb bytes=' "$LOG")" -ge 1 ] || complain "nothing was resumed"
expect 0 test "$(sent "$(basename "$DEB" | cut -c 1-20)")" -eq "$(stat -c %s "$DEB")"
fresh_cache
: >"$LOG"
fault .rpm cut 3000000
expect 0 pull centos
expect 0 test "$(sent .rpm)" -eq "$(stat -c %s "$RPM_FILE")"
fresh_cache

# silent: given up, and the next call goes on from there
fault .rpm stall 2000000
began=$SECONDS
KLAB_DOWNLOAD_TIMEOUT=2 expect 3 pull centos
says "'127.0.0.1' stopped sending after 1.9 MiB (2 s without a byte)"
says "hint: run it again: it goes on where it was cut"
[ $((SECONDS - began)) -lt 10 ] || complain "a silent server costs $((SECONDS - began)) s"
nothing_cached || complain "half a download was cached"
no_fault
: >"$LOG"
expect 0 pull centos
expect 0 test "$(sent .rpm)" -eq $(($(stat -c %s "$RPM_FILE") - 2000000))
fresh_cache

# killed: the next call goes on, also with a server that knows no ranges and starts over
begin centos
cp -r "$XDG_CACHE_HOME" "$SCRATCH/half"
expect 0 pull centos
expect 0 grep -q '\.rpm bytes=2000000- 206' "$LOG"
fresh_cache
mv "$SCRATCH/half" "$XDG_CACHE_HOME"
fault .rpm norange
: >"$LOG"
expect 0 pull centos
expect 0 grep -q "\.rpm bytes=2000000- 200 $(stat -c %s "$RPM_FILE")" "$LOG"
no_fault
fresh_cache

# gc tells what was begun, and takes it once it is old
begin centos
expect 0 "$KLAB" kernels gc --config "$SCRATCH/kernels.yaml" --dry-run --json
jq -e '[.others[] | select(.kind == "unfinished" and .removed == false)] | length > 0' \
	"$SCRATCH/out" >/dev/null || complain "gc does not tell what was begun"
find "$XDG_CACHE_HOME/klab/downloads" "$XDG_CACHE_HOME/klab/kernels" -exec touch -d '2 hours ago' {} +
expect 0 "$KLAB" kernels gc --config "$SCRATCH/kernels.yaml"
says "$RPM_REPO/Packages/$(basename "$RPM_FILE")"
half_there && complain "gc leaves what was begun"
fresh_cache

# the file changed between the halves: nothing of the old one is used
begin centos-unverified
flip "$RPM_FILE" 20
expect 0 pull centos-unverified
expect 0 grep -q "\.rpm bytes=2000000- 200 $(stat -c %s "$RPM_FILE")" "$LOG"
flip "$RPM_FILE" 20
fresh_cache

# not there, not reachable, round in circles
fault .deb 404
expect 3 pull ubuntu
refused "HTTP 404"
fault InRelease loop
expect 3 pull ubuntu
refused "redirects"
no_fault

# InRelease missing: Release and its detached signature; a forged one is refused
rm "$REPOS/ubuntu/dists/jammy/InRelease"
expect 0 pull ubuntu
fresh_cache
flip "$REPOS/ubuntu/dists/jammy/Release" 10
expect 3 pull ubuntu
refused "bad signature"

# one byte changed in a package: refused, and nothing of it stays
flip "$DEB" 5000000
expect 3 pull deb-sha256
refused "is not what it should be: its sha256 is"
[ -z "$(find "$XDG_CACHE_HOME" -name '*.part' 2>/dev/null)" ] || complain "bad bytes were kept"
flip "$RPM_FILE" 5000000
for id in centos centos-sha256; do
	expect 3 pull $id
	refused "is not what it should be: its sha256 is"
done

# a repository that signs no metadata, like CentOS's vault: the package's own signature counts
rm "$REPOS"/centos/7/os/x86_64/repodata/repomd.xml.asc
flip "$RPM_FILE" 5000000
expect 3 pull centos
refused "carries no signature that covers all of it"
for how in "" --rpmv3; do # of the header, which has the sha256 of the rest; of all of it
	rpmsign --delsign "$RPM_FILE" >/dev/null 2>&1
	rpmsign --addsign $how --define "__gpg $(command -v gpg)" --define "_gpg_path $GNUPGHOME" \
		--define "_gpg_name good@example.org" "$RPM_FILE" >"$SCRATCH/rpmsign.log" 2>&1 ||
		complain "rpmsign failed: $(tail -n 2 "$SCRATCH/rpmsign.log")"
	createrepo_c --quiet --no-database "$REPOS/centos/7/os/x86_64" >/dev/null 2>&1
	expect 0 pull centos
	fresh_cache
	expect 3 pull centos-evil
	refused "is signed by none of the keyring's keys"
	flip "$RPM_FILE" 5000000
	createrepo_c --quiet --no-database "$REPOS/centos/7/os/x86_64" >/dev/null 2>&1
	expect 3 pull centos
	refused "$([ -z "$how" ] && echo "is damaged: the sha256 of its archive" || echo "bad signature")"
	flip "$RPM_FILE" 5000000
done
finish
