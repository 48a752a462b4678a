# SPDX-License-Identifier: GPL-2.0-or-later
# `klab schema --json` and klab agree: what one takes, the other takes; what is wrong is wrong for
# both. And what the user sees of a wrong file.
. "$(dirname "$0")/lib.sh"

expect 0 "$KLAB" schema --json
cp "$SCRATCH/out" "$SCRATCH/schema.json"
expect 2 "$KLAB" schema operand
says "unexpected operand 'operand'"
expect 0 "$KLAB" schema
says "check-valid-until"

# Files that klab and the schema must agree on: lines "good FILE" and "bad FILE" in $SCRATCH/files.
schema_agrees() {
	python3 - "$SCRATCH/schema.json" "$SCRATCH/files" <<'EOF' || complain "the schema disagrees"
import json, sys
import jsonschema, yaml

schema = json.load(open(sys.argv[1]))
validator = jsonschema.Draft202012Validator
validator.check_schema(schema)
disagreed = 0
for line in open(sys.argv[2]):
    want, file = line.rstrip("\n").split(" ", 1)
    # every scalar as it stands, as klab reads them
    document = yaml.load(open(file), yaml.BaseLoader)
    errors = list(validator(schema).iter_errors(document))
    if bool(errors) == (want == "good"):
        disagreed += 1
        print(f"{file} is not {want}: {document}", file=sys.stderr)
        for error in errors:
            print(f"  {error.json_path}: {error.message}", file=sys.stderr)
sys.exit(disagreed > 0)
EOF
}

echo "good $SOURCE/kernels.yaml" >"$SCRATCH/files"
expect 0 "$KLAB" kernels list -c "$SOURCE/kernels.yaml" 'mainline-*'
says "mainline-5.19"
says "mainline-6.0"

n=0
while read -r want entry; do
	n=$((n + 1))
	printf '%s\n' "$entry" >"$SCRATCH/$n.yaml"
	echo "$want $SCRATCH/$n.yaml" >>"$SCRATCH/files"
	[ "$want" = good ] && code=0 || code=2
	expect $code env XDG_CACHE_HOME="$SCRATCH/cache" "$KLAB" kernels list -c "$SCRATCH/$n.yaml"
done <<'EOF'
good kernels: [{id: a, source: apt, suite: s, package: p, check-valid-until: no}]
good kernels: [{id: a, source: apt, suites: [s, t], package: p, version: 6.1, aliases: [b, c]}]
good kernels: [{id: a, source: deb, url: ./x.deb, verify: none}]
good kernels: [{id: a, source: deb, url: https://h/x.deb, sha256: 0000000000000000000000000000000000000000000000000000000000000000}]
good kernels: [{id: a, source: rpm, repo: https://h/x, package: kernel, keyring: k}]
good kernels: [{id: a, source: git, remote: r, ref: v6.2, patches: [a.patch], compiler: gcc-10}]
good {defaults: {source: apt, package: p}, kernels: [{id: a, suite: s}, {id: b, source: dir, path: p}], default: [a]}
good families: [{id: a, source: git, remote: r, refs: {from: v5.2, to: v6.3}}]
good families: [{id: a, source: git, remote: r, refs: [v5.2, {from: v5.4, to: v5.6}, {ref: v6.2, compiler: gcc-12}]}]
good families: [{id: a, source: rpm, url: 'http://h/{version}.rpm', verify: none, versions: {b: 7, c: {version: 8, vendor: rhel7}}}]
good families: [{id: a, source: apt, suite: s, package: 'linux-{version}-x', ids: 'x-{name}', versions: [6.1]}]
good {kernels: [{id: a, source: file, path: p}], hosts: [{name: a, uri: qemu+ssh://root@h/system, pool: p, emulator: /q, max-guests: 4}, {name: b, uri: 'qemu:///embed?root=/r'}]}
bad kernels: [{id: a/b, source: file, path: p}]
bad kernels: [{id: a, source: fil, path: p}]
bad kernels: [{id: a, source: file, path: p, suite: s}]
bad kernels: [{id: a, source: file, path: p, colour: red}]
bad kernels: [{source: file, path: p}]
bad kernels: [{id: a, source: apt, suite: s, suites: [t], package: p}]
bad kernels: [{id: a, source: deb, url: u, repo: r, verify: none}]
bad kernels: [{id: a, source: deb, url: u, verify: maybe}]
bad kernels: [{id: a, source: deb, url: u, sha256: abc}]
bad kernels: [{id: a, source: rpm, repo: ftp://h/x, package: kernel, verify: none}]
bad kernels: [{id: a, source: git, remote: --exec=x, ref: v6.2}]
bad kernels: [{id: a, source: git, remote: r, ref: -x}]
bad kernels: [{id: a, source: file, path: p, vendor: debain}]
bad families: [{id: a, source: git, remote: r}]
bad families: [{id: a, source: git, remote: r, refs: [v1.0], versions: [1]}]
bad families: [{id: a, source: git, remote: r, refs: v1.0}]
bad families: [{id: a, source: rpm, repo: r, package: k, verify: none, versions: [{version: 1, source: git}]}]
bad defaults: {id: x}
bad hosts: [{name: a}]
bad hosts: [{name: a, uri: h}]
bad hosts: [{name: a, uri: xen:///}]
bad hosts: [{name: a/b, uri: qemu:///system}]
bad hosts: [{name: a, uri: qemu:///system, emulator: qemu}]
bad hosts: [{name: a, uri: qemu:///system, port: 1}]
bad kernel: []
EOF
schema_agrees

# the line and a caret, for every command that reads the file
cat >"$SCRATCH/bad.yaml" <<'EOF'
kernels:
  - {id: a, source: apt, suite: s, packge: p}
EOF
for command in "run" "kernels list"; do
	# shellcheck disable=SC2086
	expect 2 "$KLAB" $command -c "$SCRATCH/bad.yaml"
	says "bad.yaml:2:44: unknown key 'packge'; did you mean 'package'?"
	says "    2 |   - {id: a, source: apt, suite: s, packge: p}"
	says "      |                                            ^"
done
finish
