# SPDX-License-Identifier: GPL-2.0-or-later
# docs/write-a-probe.md is what ships: whoever follows it gets a probe that builds, in fewer than 60
# lines, and an entry that the harness takes.
. "$(dirname "$0")/lib.sh"
page=$SOURCE/docs/write-a-probe.md
tree=$SCRATCH/tree

# block LANGUAGE: the first fenced block of the page in that language
block() {
	awk -v fence="\`\`\`$1" '$0 == fence { on = 1; next } on && $0 == "```" { exit } on' "$page"
}

for lang in c cmake yaml; do
	block $lang >"$SCRATCH/$lang"
	[ -s "$SCRATCH/$lang" ] || complain "no $lang on the page"
done
lines=$(wc -l <"$SCRATCH/c")
[ "$lines" -lt 60 ] || complain "the tutorial's probe has $lines lines"
diff -u "$SCRATCH/c" probes/uprobe_strings.c || complain "the page's probe is not the shipped one"

# A tree that never had it: the page is followed to the letter.
mkdir -p "$tree/results"
cp -r CMakeLists.txt CMakePresets.json kernels.yaml harness guests probes "$tree"
cp -r results/published "$tree/results"
rm "$tree/probes/uprobe_strings.c"
grep -vxF -f "$SCRATCH/cmake" probes/CMakeLists.txt >"$tree/probes/CMakeLists.txt"
awk '/^  - id: / { skip = /uprobe-args-overrun/ } !skip' probes/hazards.yaml >"$tree/probes/hazards.yaml"
expect 2 "$KLAB" run --hazards "$tree/probes/hazards.yaml" -k file:/dev/null
says "probe 'uprobe-strings' names the hazard 'uprobe-args-overrun'"
cp "$SCRATCH/c" "$tree/probes/uprobe_strings.c"
cat "$SCRATCH/cmake" >>"$tree/probes/CMakeLists.txt"
cat "$SCRATCH/yaml" >>"$tree/probes/hazards.yaml"

expect 0 cmake -S "$tree" -B "$SCRATCH/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug
expect 0 ninja -C "$SCRATCH/build" guest_init
expect 0 "$SCRATCH/build/embed/init" --describe
jq -e '.[-1] | .name == "uprobe-strings" and .hazards == ["uprobe-args-overrun"]' \
	"$SCRATCH/out" >/dev/null || complain "the probe is not described last"
expect 0 "$SCRATCH/build/embed/init" --selftest
expect 0 "$KLAB" hazards --hazards "$tree/probes/hazards.yaml"
says uprobe-args-overrun
finish
