# SPDX-License-Identifier: GPL-2.0-or-later
# Repositories of a real kernel, made here: Ubuntu's layout and CentOS's, signed by a key of the test,
# on a loopback server that misbehaves on demand. Sourced after lib.sh.
REPOS=$SCRATCH/repos
LOG=$SCRATCH/requests
USER_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}
export XDG_CACHE_HOME=$SCRATCH/cache
export GNUPGHOME=$SCRATCH/gnupg

fault() { printf '%s\n' "$*" >"$LOG.fault"; }
no_fault() { rm -f "$LOG.fault"; }

start_server() {
	python3 "$SOURCE/harness/tests/e2e/repo_server.py" "$REPOS" "$LOG" "$SCRATCH/port" &
	SERVER=$!
	trap 'kill "$SERVER" 2>/dev/null; rm -rf "$SCRATCH"' EXIT
	wait_for 10 test -s "$SCRATCH/port" || complain "the server does not start"
	BASE=http://127.0.0.1:$(cat "$SCRATCH/port")
}

# sent WORD: bytes of bodies that the server sent of paths with WORD
sent() { awk -v w="$1" 'index($1, w) { n += $4 } END { print n + 0 }' "$LOG"; }
requests() { wc -l <"$LOG"; }

# make_key NAME: a signing key; its public half as NAME.gpg and armored as NAME.asc
make_key() {
	mkdir -p -m 700 "$GNUPGHOME"
	gpg --batch --quiet --passphrase '' --quick-generate-key "$1 <$1@example.org>" rsa2048 sign \
		2>/dev/null || complain "no key"
	gpg --batch --export "$1@example.org" >"$SCRATCH/$1.gpg"
	gpg --batch --armor --export "$1@example.org" >"$SCRATCH/$1.asc"
}
sign() { gpg --batch --quiet --yes --local-user "$KEY@example.org" --digest-algo SHA256 "$@"; }

# The distribution's own kernel, image and config, in a package of the name, version and layout that
# its archive has, without the modules: $DEB, unpacked in $SCRATCH/kernel. It boots.
get_real_kernel() {
	local identity=$SCRATCH/real.json tree=$SCRATCH/kernel list release

	list="$KLAB kernels list --json debian-bookworm"
	XDG_CACHE_HOME=$USER_CACHE $list | jq -e '.kernels[0].identity' >"$identity" || {
		XDG_CACHE_HOME=$USER_CACHE "$KLAB" kernels pull debian-bookworm >/dev/null 2>&1
		XDG_CACHE_HOME=$USER_CACHE $list | jq -e '.kernels[0].identity' >"$identity" ||
			complain "debian-bookworm cannot be had"
	}
	PACKAGE=$(jq -r .package "$identity")
	DEB_VERSION=$(jq -r .package_version "$identity")
	release=$(jq -r .release "$identity")
	mkdir -p "$tree/boot" "$tree/DEBIAN" "$REPOS/ubuntu/pool/main/l/linux"
	cp "$(jq -r .image "$identity")" "$tree/boot/vmlinuz-$release"
	cp "$(dirname "$(jq -r .image "$identity")")/config" "$tree/boot/config-$release"
	printf 'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: N <n@example.org>\n%s\n%s\n' \
		"$PACKAGE" "$DEB_VERSION" "Depends: kmod, linux-base (>= 4.3~)" "Description: Linux" \
		>"$tree/DEBIAN/control"
	DEB=$REPOS/ubuntu/pool/main/l/linux/${PACKAGE}_${DEB_VERSION}_amd64.deb
	dpkg-deb --root-owner-group -Znone --build "$tree" "$DEB" >/dev/null ||
		complain "dpkg-deb failed"
	rm -r "$tree/DEBIAN"
}

# For guests with the test's own cache: the engine is the host's, fetched once for all.
use_engine() {
	local part

	mkdir -p "$XDG_CACHE_HOME/klab"
	for part in apt engine host initramfs; do
		mkdir -p "$USER_CACHE/klab/$part"
		ln -s "$USER_CACHE/klab/$part" "$XDG_CACHE_HOME/klab/$part"
	done
}

# make_meta NAME DEPENDS: a package without files
make_meta() {
	local tree=$SCRATCH/meta/$1

	mkdir -p "$tree/DEBIAN"
	printf 'Package: %s\nVersion: 1.2\nArchitecture: amd64\nMaintainer: N <n@example.org>\n%s\n%s\n' \
		"$1" "Depends: $2" "Description: a test" >"$tree/DEBIAN/control"
	dpkg-deb --root-owner-group --build "$tree" "$REPOS/ubuntu/pool/main/l/linux/$1_1.2_amd64.deb" \
		>/dev/null
}

# make_dists SUITE [VALID-UNTIL]: the indexes of what is in pool/, signed
make_dists() {
	local dir=$REPOS/ubuntu/dists/$1 list=main/binary-amd64/Packages f

	mkdir -p "$dir/main/binary-amd64"
	(cd "$REPOS/ubuntu" && dpkg-scanpackages -m pool 2>/dev/null) >"$dir/$list"
	xz -kf "$dir/$list"
	{
		printf 'Origin: Test\nSuite: %s\nCodename: %s\nDate: %s\n' "$1" "$1" "$(date -Ru)"
		[ -n "${2:-}" ] && printf 'Valid-Until: %s\n' "$2"
		echo "SHA256:"
		for f in $list $list.xz; do
			printf ' %s %s %s\n' "$(sha256sum "$dir/$f" | cut -d ' ' -f 1)" \
				"$(stat -c %s "$dir/$f")" "$f"
		done
	} >"$dir/Release"
	rm -f "$dir/$list"	# Release names it, the server has it not: as archives do
	sign --clearsign -o "$dir/InRelease" "$dir/Release"
	sign --armor --detach-sign -o "$dir/Release.gpg" "$dir/Release"
}

# make_rpm NAME VERSION RELEASE: the same kernel as an .rpm
make_rpm() {
	local release=$2-$3.x86_64

	cat >"$SCRATCH/$1.spec" <<SPEC
Name: $1
Version: $2
Release: $3
Summary: a test
License: GPLv2
AutoReqProv: no
%description
A test.
%install
mkdir -p %{buildroot}/boot %{buildroot}/lib/modules/$release
cp $SCRATCH/kernel/boot/vmlinuz-* %{buildroot}/boot/vmlinuz-$release
cp $SCRATCH/kernel/boot/config-* %{buildroot}/boot/config-$release
%files
/boot/vmlinuz-$release
/boot/config-$release
SPEC
	mkdir -p "$REPOS/centos/7/os/x86_64/Packages"
	rpmbuild -bb --quiet --target x86_64-linux --define "_topdir $SCRATCH/rpmbuild" \
		--define "_rpmdir $REPOS/centos/7/os/x86_64/Packages" \
		--define '_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm' \
		--define '_binary_payload w1.gzdio' --define '__os_install_post %{nil}' \
		--define 'debug_package %{nil}' --define '_build_id_links none' "$SCRATCH/$1.spec" \
		>"$SCRATCH/rpmbuild.log" 2>&1 || {
		complain "rpmbuild failed"
		tail -n 5 "$SCRATCH/rpmbuild.log" >&2
	}
}

# make_repodata: the metadata of what is in Packages/, signed
make_repodata() {
	local repo=$REPOS/centos/7/os/x86_64

	createrepo_c --quiet --no-database "$repo" >/dev/null 2>&1 || complain "createrepo_c failed"
	sign --armor --detach-sign -o "$repo/repodata/repomd.xml.asc" "$repo/repodata/repomd.xml"
}

# flip FILE OFFSET: change one byte, and no more than that
flip() {
	local byte

	byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	printf "\\x$(printf %02x $((byte ^ 1)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# nothing_cached: no kernel, and nothing that leads to one
nothing_cached() {
	[ -z "$(find "$XDG_CACHE_HOME/klab/kernels" -name bzImage -o -path '*/index/*' 2>/dev/null)" ]
}
fresh_cache() { rm -rf "$XDG_CACHE_HOME"; }
