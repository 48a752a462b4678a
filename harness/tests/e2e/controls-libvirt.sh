# SPDX-License-Identifier: GPL-2.0-or-later
# Guests through libvirt, by its driver in our process and by a daemon behind a network: the verdicts of
# a QEMU that klab starts itself, also of the control kernels; and what becomes of them when the daemon,
# or klab, is killed.
. "$(dirname "$0")/lib.sh"
. "$SOURCE/harness/tests/e2e/lib_libvirt.sh"
trap 'libvirtd_down; rm -rf "$SCRATCH"' EXIT

job=(-k debian-bookworm -p nmi-user-read --duration 3 --full-duration --no-selftest)
what() { jq -c '[.cells[] | [.kernel, .probe, .verdict, .kind, .title, .smp, .amplify]]' "$1/result.json"; }

expect 0 "$KLAB" run "${job[@]}" --out "$SCRATCH/qemu"
expect 0 "$KLAB" run "${job[@]}" --out "$SCRATCH/embed" --connect qemu:///embed
says "host: "
says "(qemu:///embed)"
[ "$(what "$SCRATCH/embed")" = "$(what "$SCRATCH/qemu")" ] ||
	complain "embed: $(what "$SCRATCH/embed"), by klab itself: $(what "$SCRATCH/qemu")"
jq -e '.connect | .uri == "qemu:///embed" and .remote == false' "$SCRATCH/embed/result.json" \
	>/dev/null || complain "result.json does not say where"

# --- the control kernels: the same verdicts of the same hazards, and hazard B under delays of the plugin
# that <qemu:commandline> brings in

expect 0 "$KLAB" calibrate --build-only
control=$(awk '$1 == "control-bad" { print $NF }' "$SCRATCH/out")
bad=(-k "file:$control" -p text-poke -p nmi-user-read --duration 15 --no-selftest)
found() {
	jq -c '[.cells[] | {probe, verdict, kind, hazards, at: (.title | split(" <- ")[0])}]' "$1/result.json"
}
expect 1 "$KLAB" run "${bad[@]}" --out "$SCRATCH/bad.qemu"
expect 1 "$KLAB" run "${bad[@]}" --out "$SCRATCH/bad.embed" --connect qemu:///embed
[ "$(found "$SCRATCH/bad.embed")" = "$(found "$SCRATCH/bad.qemu")" ] ||
	complain "embed: $(found "$SCRATCH/bad.embed"), by klab itself: $(found "$SCRATCH/bad.qemu")"
jq -e '[.cells[].verdict] == ["affected", "affected"]' "$SCRATCH/bad.embed/result.json" >/dev/null ||
	complain "the control is not affected"
jq -es 'map(select(.ev == "amplified")) | length == 1 and .[0].delays > 0' \
	"$SCRATCH"/bad.embed/jobs/*text-poke*/0/journal.jsonl >/dev/null ||
	complain "no delays came to hazard B through libvirt"

# --- a host behind a network, with the QEMU of this one

libvirtd_can || finish
libvirtd_up "$SCRATCH/host" || exit 1
engine=$SCRATCH/engine
{
	echo '#!/bin/sh'
	jq -r '.engine | (.env[] | "export " + @sh), "exec " + ([.binary] + .args | @sh) + " \"$@\""' \
		"$SCRATCH"/qemu/jobs/*/0/spec.json
} >"$engine"
chmod 755 "$engine" "$SCRATCH"
cat >"$SCRATCH/hosts.yaml" <<END
kernels:
  - {id: same, source: file, path: "$(jq -r .kernel.image "$SCRATCH"/qemu/jobs/*/0/spec.json)"}
hosts:
  - {name: lab, uri: "$LIBVIRT_URI", pool: klab, emulator: "$engine", max-guests: 1}
END
there=(-c "$SCRATCH/hosts.yaml" --connect lab)
remote=(-k same -p nmi-user-read --full-duration --no-selftest --trust-engine "${there[@]}")
none_runs() { [ "$(libvirtd_engines)" -eq 0 ]; }
one_runs() { [ "$(libvirtd_engines)" -eq 1 ]; }
has_begun() { grep -qs '"ev":"begin"' "$1"/jobs/*/0/journal.jsonl; }

expect 0 "$KLAB" doctor "${there[@]}"
says "QEMU $(jq -r .engine.version "$SCRATCH/qemu/result.json"), '$engine'"
says "QEMU takes TCG plugins"
says "runs 64-bit code"
expect 0 "$KLAB" run "${remote[@]}" --duration 3 --out "$SCRATCH/tcp" -j 2
what_is() { jq -c '[.cells[] | [.verdict, .kind, .title]]' "$1/result.json"; }
[ "$(what_is "$SCRATCH/tcp")" = "$(what_is "$SCRATCH/qemu")" ] ||
	complain "tcp: $(what_is "$SCRATCH/tcp"), by klab itself: $(what_is "$SCRATCH/qemu")"
jq -e '.connect | .name == "lab" and .remote' "$SCRATCH/tcp/result.json" >/dev/null ||
	complain "result.json does not say where"
expect 0 "$KLAB" report "$SCRATCH/tcp" --format json
jq -e '.connect.name == "lab"' "$SCRATCH/out" >/dev/null || complain "judged again, the place is lost"
none_runs || complain "a guest is left"
expect 0 "$KLAB" boot same "${there[@]}" -- cat /proc/version
says "Linux version $(jq -r .kernels[0].release "$SCRATCH/tcp/result.json")"

# --- the daemon is killed: klab ends in time, and what its return brings back goes

"$KLAB" run "${remote[@]}" --duration 60 --out "$SCRATCH/lost" >"$SCRATCH/lost.out" 2>&1 &
klab=$!
wait_for 60 has_begun "$SCRATCH/lost" || complain "the guest does not start"
libvirtd_kill
began=$SECONDS
wait $klab
code=$?
[ $code -eq 3 ] || complain "the daemon is killed: exit $code: $(tail -n 5 "$SCRATCH/lost.out")"
[ $((SECONDS - began)) -le 30 ] || complain "klab took $((SECONDS - began)) s to end"
jq -e '.cells[0] | .verdict == "infra" and (.reason | test("connection to libvirt .* was lost"))' \
	"$SCRATCH/lost/result.json" >/dev/null || complain "$(jq .cells "$SCRATCH/lost/result.json")"
libvirtd_again || complain "the daemon does not come back"
one_runs || complain "nothing came back with the daemon: this tests nothing"
expect 0 "$KLAB" doctor --clean "${there[@]}"
says "removed 'klab-"
wait_for 10 none_runs || complain "the guest of a dead klab runs on"

# --- it is back at once, as under systemd: klab ends the guest itself

"$KLAB" run "${remote[@]}" --duration 60 --out "$SCRATCH/back" >"$SCRATCH/back.out" 2>&1 &
klab=$!
wait_for 60 has_begun "$SCRATCH/back" || complain "the guest does not start"
libvirtd_kill
libvirtd_again || complain "the daemon does not come back"
wait $klab
code=$?
[ $code -eq 3 ] || complain "the daemon was away: exit $code: $(tail -n 5 "$SCRATCH/back.out")"
wait_for 10 none_runs || complain "the guest of a lost connection runs on"

# --- klab is killed: the daemon ends its guest

"$KLAB" run "${remote[@]}" --duration 60 --out "$SCRATCH/killed" >/dev/null 2>&1 &
klab=$!
wait_for 60 has_begun "$SCRATCH/killed" || complain "the guest does not start"
kill -9 $klab
wait $klab 2>/dev/null
wait_for 20 none_runs || complain "a guest outlives its klab"
finish
