# SPDX-License-Identifier: GPL-2.0-or-later
# Kernels of one's own: import, list, forget, gc; kill -9 in the middle of each leaves nothing that is
# half. No guest, no network: the images are a few KiB.
. "$(dirname "$0")/lib.sh"

export XDG_CACHE_HOME=$SCRATCH/cache
cache=$XDG_CACHE_HOME/klab/kernels

# images FILE RELEASE...: minimal bzImages
images() {
	python3 - "$@" <<'PY'
import gzip, struct, sys
for path, release in zip(sys.argv[1::2], sys.argv[2::2]):
    payload = gzip.compress(("vmlinux " + release).encode() * 999)
    setup = bytearray(2048)
    setup[0x1f1] = 3
    body = (len(payload) + 15) // 16 * 16
    struct.pack_into("<I", setup, 0x1f4, body // 16)
    setup[0x1fe:0x200] = b"\x55\xaa"
    setup[0x202:0x208] = b"HdrS\x0f\x02"
    setup[0x20e:0x210] = b"\x00\x02"
    setup[0x236] = 1
    struct.pack_into("<II", setup, 0x248, 0, len(payload))
    version = (release + " (b@h) #1 SMP").encode()
    setup[0x400:0x400 + len(version)] = version
    open(path, "wb").write(bytes(setup) + payload.ljust(body, b"\0"))
PY
}

mkdir -p "$SCRATCH/boot"
images "$SCRATCH/boot/vmlinuz-5.4.0-150-generic" 5.4.0-150-generic "$SCRATCH/bzImage" 6.2.0 \
	"$SCRATCH/loose" 6.9.9 $(for i in $(seq 12); do echo "$SCRATCH/k$i 6.3.$i"; done)
echo '# Linux/x86 5.4.233 Kernel Configuration
CONFIG_KPROBES=y' >"$SCRATCH/boot/config-5.4.0-150-generic"
tar -C "$SCRATCH" -cJf "$SCRATCH/linux.tar.xz" boot

expect 0 "$KLAB" kernels import "$SCRATCH/linux.tar.xz" "$SCRATCH/bzImage"
says "5.4.0-150-generic"
rm -r "$SCRATCH/boot" "$SCRATCH/bzImage"
expect 0 "$KLAB" kernels list 5.4.0-150-generic --json
jq -e '.kernels[0] | .source == "import" and .identity.release == "5.4.0-150-generic" and
	.identity.build.vendor == "ubuntu" and .identity.build.branch == "5.4.y" and
	.identity.build.options.CONFIG_KPROBES == "y" and
	.identity.build.options.CONFIG_UPROBES == "n" and
	(.identity.note | startswith("not verified"))' "$SCRATCH/out" >/dev/null ||
	complain "list --json does not tell the build"
expect 0 "$KLAB" kernels pull 6.2.0
says "6.2.0"

# gc: imports stay, what nobody names goes; dry runs change nothing
expect 0 "$KLAB" kernels import "$SCRATCH/loose"
expect 0 "$KLAB" kernels forget 6.9.9
expect 2 "$KLAB" kernels forget 6.9.9
says "there is no import '6.9.9'"
expect 0 "$KLAB" kernels gc --max-size 0 --dry-run
says "would go"
expect 0 "$KLAB" kernels gc --max-size 0 --json
jq -e '[.images[] | select(.removed) | .release] == ["6.9.9"] and (.images | length) == 3' \
	"$SCRATCH/out" >/dev/null || complain "gc took something else"
expect 0 "$KLAB" kernels gc --max-size 0
expect 0 "$KLAB" kernels gc --keep-days 1 --all
says "recently used"
expect 2 "$KLAB" kernels gc --max-size lots
says "'lots' is no size"

# killed at any moment: each image that is left is whole, and the next import just works
for i in $(seq 12); do
	"$KLAB" kernels import "$SCRATCH/k$i" >/dev/null 2>&1 &
	klab=$!
	sleep "0.0$(printf %02d $((i * 4)))"
	kill -9 $klab 2>/dev/null
	wait $klab 2>/dev/null
done
for dir in "$cache"/????????????????????????????????????????????????????????????????; do
	[ "$(sha256sum <"$dir/bzImage" | cut -d' ' -f1)" = "${dir##*/}" ] || complain "half: $dir"
done
for i in $(seq 12); do
	expect 0 "$KLAB" kernels import "$SCRATCH/k$i"
done
"$KLAB" kernels gc --max-size 0 --all >/dev/null 2>&1 &
klab=$!
sleep 0.02
kill -9 $klab 2>/dev/null
wait $klab 2>/dev/null
expect 0 "$KLAB" kernels gc --max-size 0 --all
expect 0 "$KLAB" kernels list --json
jq -e '[.kernels[] | select(.cached)] | length == 0' "$SCRATCH/out" >/dev/null ||
	complain "gc --all left something"
[ -z "$(ls "$cache" | grep -E '^[0-9a-f]{64}$')" ] || complain "gc --all left an image"
finish
