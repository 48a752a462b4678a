# SPDX-License-Identifier: GPL-2.0-or-later
# klab calibrate is never skipped silently: without a source package, tools or a usable source it says
# so in a sentence and exits 3; bad options are 2. Nothing is built here.
. "$(dirname "$0")/lib.sh"

export XDG_CACHE_HOME=$SCRATCH/cache XDG_DATA_HOME=$SCRATCH/data

expect 2 "$KLAB" calibrate --repeat -3
says "--repeat '-3'"
expect 2 "$KLAB" calibrate --smp 65
says "--smp '65'"
expect 2 "$KLAB" calibrate --amplify loud
says "--amplify 'loud'"
expect 2 "$KLAB" calibrate operand
says "'operand'"
expect 2 "$KLAB" calibrate --no-such-option
expect 0 "$KLAB" calibrate --help
says "--build-only"

# No tools: PATH holds a compiler and a shell and nothing else.
mkdir "$SCRATCH/bin"
for tool in sh gcc; do
	ln -s "$(command -v $tool)" "$SCRATCH/bin/$tool"
done
expect 3 env PATH="$SCRATCH/bin" "$KLAB" calibrate
says "needs tools of these packages: make binutils flex bison bc util-linux coccinelle"
says "hint: apt-get install"

# The rest gets as far as the source, which needs the tools.
for tool in make ld flex bison bc flock spatch; do
	command -v $tool >/dev/null || {
		echo "SKIP: '$tool' is not installed, sources are not asked for" >&2
		finish
	}
done

# No source package: apt has no suite at all, or none that is there.
: >"$SCRATCH/empty.list"
expect 3 env KLAB_APT_SOURCES="$SCRATCH/empty.list" "$KLAB" calibrate
says "control kernels: source package: suite 'bookworm'"
echo "deb [trusted=yes] file:$SCRATCH/nowhere bookworm main" >"$SCRATCH/nowhere.list"
expect 3 env KLAB_APT_SOURCES="$SCRATCH/nowhere.list" "$KLAB" calibrate --build-only
says "control kernels: source package: suite 'bookworm'"

# A source that is none.
echo "no archive" >"$SCRATCH/linux.tar"
expect 3 "$KLAB" calibrate --source "$SCRATCH/linux.tar"
says "not a whole archive"
mkdir "$SCRATCH/linux-5.10"
printf '#\nVERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = 1\n' >"$SCRATCH/linux-5.10/Makefile"
tar -C "$SCRATCH" -cf "$SCRATCH/linux-5.10.tar" linux-5.10
expect 3 "$KLAB" calibrate --source "$SCRATCH/linux-5.10.tar"
says "the source is Linux 5.10.1, the controls are made for 6.1"
[ -e "$XDG_DATA_HOME/klab/calibration.json" ] && complain "rates were kept of nothing"

finish
