#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Do docs/examples/tracing_blacklist.py and 'klab blacklist check' agree?

same_answers.py KLAB READER_DIR TWIN KERNELS RESULT...: for each kernel of KERNELS (TSV) the
identity, and for each operation the value, evidence and flags. TWIN was made from the RESULTs.
Says what differs; exit 1 if any.
"""
import json
import subprocess
import sys
import tempfile

klab, reader_dir, twin, kernels, *results = sys.argv[1:]
sys.dont_write_bytecode = True
sys.path.insert(0, reader_dir)
import tracing_blacklist as reader  # noqa: E402

FLAGS = ("allowed", "forced", "strict", "contradicted")
POLICIES = ({}, {"strict": True}, {"force": ("all",)}, {"strict": True, "force": ("all",)})


def asked(release, version, os_release, policy):
    """What klab says, or None where it finds no kernel."""
    argv = [klab, "blacklist", "check", "--json", "--release", release]
    argv += [f"--from={result}" for result in results]
    argv += ["--version", version] if version else []
    argv += ["--strict"] if policy.get("strict") else []
    argv += ["--force"] if policy.get("force") else []
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(os_release)
        file.flush()
        argv += ["--os-release", file.name] if os_release else []
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return None if done.returncode == 2 else json.loads(done.stdout)


def klab_says(document):
    if document is None:
        return {"kernel": None}
    k = document["kernel"]
    said = {"kernel": (k["vendor"], k["build"], k["upstream"], k["upstream_exact"])}
    for a in document["answers"]:
        said[a["op"]] = (a["value"], a["evidence"], *(a[f] for f in FLAGS))
    return said


def reader_says(blacklist, texts, policy):
    k = reader.identify(*texts)
    if not k:
        return {"kernel": None}
    said = {"kernel": (k.vendor, k.build, k.base, k.base_exact)}
    for op in blacklist.ops:
        a = blacklist.check(k, op, **policy)
        said[op] = (reader.VALUES[a.value], reader.EVIDENCE[a.evidence],
                    *(getattr(a, f) for f in FLAGS))
    return said


def main():
    blacklist = reader.Blacklist.load(twin)
    with open(kernels, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]
    answers = differ = 0
    for i, row in enumerate(rows):
        release, version, os_id = (row + ["", ""])[:3]
        texts = (release, version, f"ID={os_id}\n" if os_id else "")
        # The policies by turns: none hides what is known of a kernel.
        policy = POLICIES[i % len(POLICIES)]
        ours, theirs = klab_says(asked(*texts, policy)), reader_says(blacklist, texts, policy)
        answers += len(ours) - 1
        for key in sorted(ours.keys() | theirs.keys()):
            if ours.get(key) != theirs.get(key):
                differ += 1
                print(f"{row} {policy} {key}:\n  klab   {ours.get(key)}\n"
                      f"  reader {theirs.get(key)}")
    print(f"{len(rows)} kernels, {answers} answers, {differ} differ")
    return 1 if differ or len(rows) < 50 or not answers else 0


sys.exit(main())
