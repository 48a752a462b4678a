#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Does docs/examples/tracing_blacklist.py find what unit/data/kernels.tsv expects?

table_answers.py READER_DIR TWIN TABLE: TWIN is made of the shipped declarations alone. Says what
differs; exit 1 if any.
"""
import codecs
import sys

reader_dir, twin, table = sys.argv[1:]
sys.dont_write_bytecode = True
sys.path.insert(0, reader_dir)
import tracing_blacklist as reader  # noqa: E402

NO_KERNEL = ("", "", "", "unknown", "unknown")


def text(field):
    """Bytes of the header's world, one character each."""
    return "" if field == "-" else codecs.decode(field, "unicode_escape")


def found(blacklist, release, version, os_release):
    k = reader.identify(release, version, os_release)
    if not k:
        return NO_KERNEL
    answers = (blacklist.check(k, op) for op in ("nmi-user-read", "text-poke"))
    return (k.vendor, k.base, k.build, *(reader.VALUES[a.value] for a in answers))


def main():
    blacklist = reader.Blacklist.load(twin)
    with open(table, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file
                if line.strip() and not line.startswith("#")]
    differ = 0
    for row in rows:
        fields = [text(field) for field in row]
        got = found(blacklist, *fields[:3])
        if got != tuple(fields[3:]):
            differ += 1
            print(f"{row}\n  reader {got}")
    print(f"{len(rows)} rows, {differ} differ")
    return 1 if differ or len(rows) < 300 else 0


sys.exit(main())
