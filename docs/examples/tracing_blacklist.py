#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Answers of tracing_blacklist.json: is an operation safe on a kernel?

    blacklist = Blacklist.load("tracing_blacklist.json")
    kernel = identify(os.uname().release, os.uname().version)
    answer = blacklist.check(kernel, "text-poke")
    if not answer.allowed: ...

As a program: tracing_blacklist.py FILE [--op OP] [--strict] [--force] [RELEASE [VERSION]]; exit
codes are those of 'klab blacklist check': 0 clean or forced, 1 affected, 2 usage, 4 unknown.

The rules are those of tracing_blacklist.h, function by function; the header is the one that decides
where the two differ. Standard library only.
"""
import argparse
import json
import os
import re
import sys
from dataclasses import dataclass
from itertools import zip_longest

SCHEMA = 1
CLEAN, UNKNOWN, AFFECTED = 0, 1, 2
VALUES = ("clean", "unknown", "affected")
NONE, EXTRAPOLATED, DECLARED, MEASURED = 0, 1, 2, 3
EVIDENCE = ("none", "extrapolated", "declared", "measured")


# --- version orders, in full width ----------------------------------------------------------------


def _weight(char):
    return -1 if char == "~" else ord(char) if re.match("[A-Za-z]", char) else ord(char) + 256


def _dpkg_key(text):
    """Text and number by turns; every text ends in 0, so that '~' comes before the end."""
    return [([_weight(c) for c in word] + [0], int(number or 0))
            for word, number in re.findall(r"([^0-9]*)([0-9]*)", text)]


def _rpm_key(text):
    rank = {"~": (0,), "^": (2,)}
    return [rank.get(t) or ((4, int(t)) if t[0].isdigit() else (3, t))
            for t in re.findall(r"~|\^|[0-9]+|[A-Za-z]+", text)]


# The key of a piece, and what an end is as good as.
ORDERS = {"dpkg": (_dpkg_key, ([0], 0)), "rpm": (_rpm_key, (1,))}


def compare(order, a, b):
    """Negative, 0 or positive as version a is older than b, equal, newer."""
    key, end = ORDERS[order]

    def split(text):
        epoch, rest = re.match(r"(?:([0-9]*):)?(.*)", text, re.S).groups()
        version, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
        return epoch or "0", version, revision

    for x, y in zip(split(a), split(b)):
        for left, right in zip_longest(key(x), key(y), fillvalue=end):
            if left != right:
                return -1 if left < right else 1
    return 0


def branch(version):
    """X.Y as numbers."""
    return tuple(int(n or 0) for n in re.match(r"([0-9]*)\.?([0-9]*)", version).groups())


# --- which kernel is this? ------------------------------------------------------------------------

EXACT, BRANCH, FROZEN = "exact", "branch", "frozen"
VENDORS = {
    "mainline": ("dpkg", EXACT), "debian": ("dpkg", EXACT), "ubuntu": ("dpkg", BRANCH),
    "ubuntu-derived": ("dpkg", BRANCH), "rhel7": ("rpm", FROZEN), "rhel8": ("rpm", FROZEN),
    "rhel9": ("rpm", FROZEN), "rhel10": ("rpm", FROZEN), "rhel-derived": ("rpm", FROZEN),
    "suse": ("rpm", FROZEN), "sle": ("rpm", FROZEN), "amazon": ("rpm", EXACT),
    "fedora": ("rpm", EXACT), "other": ("dpkg", EXACT),
}


@dataclass
class Kernel:
    release: str
    version: str  # uname -v, from its '#' on
    vendor: str = ""
    build: str = ""
    base: str = ""
    base_exact: bool = False

    @property
    def order(self):
        return VENDORS[self.vendor][0]

    @property
    def trust(self):
        return VENDORS[self.vendor][1]

    @property
    def position(self):
        """What orders it among others of its series."""
        return self.base if self.vendor == "mainline" else self.build


def parse_base(text):
    """'6.2-rc3-rest' -> ('6.2.0~rc3', '-rest'), or None."""
    m = re.match(r"([0-9]+\.[0-9]+)(\.[0-9]+)?(?:[-~]rc([0-9]+))?", text)
    return m and (m[1] + (m[2] or ".0") + (f"~rc{m[3]}" if m[3] else ""), text[m.end():])


def _debian(k):
    m = re.match(r"[0-9][^ )]*", k.version.partition("Debian ")[2])
    if not m:
        return False
    k.build, k.base_exact = m[0], True
    epoch, colon, version = k.build.partition(":")
    k.base = (parse_base(version if colon else epoch) or [k.base])[0]
    k.vendor = "other" if colon else "debian"
    if colon:
        return True
    head, dash, revision = k.build.rpartition("-")
    k.build = head + dash + revision.partition("~")[0]
    return True


def _debian_release(k, rest):
    flavours = "amd64|arm64|686-pae|armmp|powerpc64le|s390x|riscv64"
    if not re.fullmatch(rf"(\+deb|-[0-9]).*-({flavours})", rest, re.S):
        return False
    k.vendor, k.base_exact = "debian", rest.startswith("+deb")
    return True


def _proxmox(k, rest):
    if not rest.endswith("-pve"):
        return False
    k.vendor, k.build = "ubuntu-derived", k.release[:-4]
    return True


def _ubuntu(k, rest, os_id):
    m = re.match(r"-([0-9]+)(.*)", rest, re.S)
    told = "-Ubuntu" in k.version
    if not m or not (told or (os_id == "ubuntu" and not k.version)
                     or m[2].endswith(("-generic", "-lowlatency"))):
        return False
    if len(m[1]) == 6 and m[1][0] == "0":
        k.vendor, k.base_exact = "other", True
        rc = re.match(r"rc([0-9]*)", m[2])
        k.base += f"~rc{rc[1]}" if rc else ""
        return True
    k.vendor = "ubuntu-derived" if len(m[1]) > 3 else "ubuntu"
    k.build = k.release[:len(k.release) - len(m[2])]
    if told:
        k.build += "." + re.match(r"#([0-9]*)", k.version)[1]
    return True


def _rhel(k):
    if re.search(r"\.vz[789]\.", k.build):
        k.vendor = "rhel-derived"
        return True
    at = k.build.find(".el")
    m = re.compile(r"\.el([0-9]+)[_0-9]*").match(k.build, max(at, 0))
    if not m:
        return False
    k.vendor = "rhel-derived"
    if "elrepo" in k.build:
        k.vendor, k.base_exact = "other", True
    elif ".lve" not in k.build and m[1] in ("7", "8", "9", "10") \
            and k.build[m.end():][:1] in ("", "+"):
        k.vendor = "rhel" + m[1]
    return True


def _suse(k, rest, os_id):
    leap = rest.startswith("-lp15")
    sle = rest.startswith("-150") or os_id.startswith("sle") or os_id == "opensuse-leap" \
        or re.match(r"-([0-9]{2,}|[0-9]\.(?!g)).*-(default|preempt)\Z", rest, re.S)
    if not rest or not (leap or sle):
        return False
    k.vendor = "suse" if leap else "sle"
    k.build = re.sub(r"-[A-Za-z][^-]*\Z", "", k.release)
    return True


def _rpm(k, rest, os_id):
    k.build = re.split(r"\.(?:x86_64|aarch64|ppc64le|s390x|i686)", k.release)[0]
    if _rhel(k):
        return True
    for mark, vendor in ((".amzn", "amazon"), (".fc", "fedora")):
        if mark in k.build:
            k.vendor, k.base_exact = vendor, True
            rc = re.match(r"-0\.rc([0-9]*)", rest)
            k.base += f"~rc{rc[1]}" if rc and vendor == "fedora" else ""
            return True
    k.build = ""
    return _suse(k, rest, os_id)


def identify(release, version="", os_release=""):
    """The texts of 'uname -r', 'uname -v' and /etc/os-release; None if that is no release."""
    at = (version or "").find("#")
    k = Kernel(release, version[at:][:191] if at >= 0 else "")
    os_id = re.search(r"^ID=[\"']?([^\"'\n]*)", os_release or "", re.M)
    os_id = os_id[1] if os_id else ""
    parsed = parse_base(k.release)
    if not parsed or len(release) > 95:
        return None
    k.base, rest = parsed
    if _proxmox(k, rest) or _debian(k) or _debian_release(k, rest) or _ubuntu(k, rest, os_id) \
            or _rpm(k, rest, os_id):
        return k
    k.vendor = "other" if rest else "mainline"
    k.base_exact = not k.base.endswith(".0") or rest in ("", "+", "-dirty") \
        or rest.startswith("-g")
    return k


# --- ranges ---------------------------------------------------------------------------------------

BELOW, INSIDE, GAP, ABOVE, UNSURE = range(5)


def _extends(text, prefix):
    return text.startswith(prefix) and text[len(prefix):len(prefix) + 1] in (".", "_")


def _branch_start(version):
    return re.match(r"[0-9]*(\.[0-9]*)?(\.0)?\Z", version) is not None


@dataclass
class Range:
    vendor: str
    kind: str
    lo: str
    last: str
    hi: str

    @property
    def open(self):
        return self.hi == "unknown"

    @property
    def eol(self):
        return len(self.hi) > 4 and self.hi.endswith("-eol")

    @property
    def end_seen(self):
        return self.last or self.lo

    def place(self, order, version):
        if compare(order, version, self.lo) < 0:
            return UNSURE if _extends(self.lo, version) else BELOW
        if self.open or self.last:
            if compare(order, version, self.end_seen) <= 0 or _extends(version, self.end_seen):
                return INSIDE
            if self.open:
                return GAP
        if self.eol:
            if branch(version) > branch(self.hi):
                return ABOVE
        elif _extends(self.hi, version):
            return UNSURE
        elif compare(order, version, self.hi) >= 0:
            return ABOVE
        return GAP if self.last else INSIDE

    def is_past_branch(self, base):
        return self.vendor != "mainline" and branch(base) > branch(self.end_seen)

    def branch_share(self, base):
        """How much of the branch of `base`: 0 nothing, 1 some or not known, 2 all."""
        here, start = branch(base), branch(self.lo)
        if here < start:
            return 0
        if not self.open:
            end = branch(self.hi)
            if here > end or (here == end and not self.eol and _branch_start(self.hi)):
                return 0
            if here == end and not self.eol:
                return 1
        elif self.is_past_branch(base):
            return 0
        if (self.open or self.last) and here >= branch(self.end_seen):
            return 1
        return 2 if here > start or _branch_start(self.lo) else 1


def _same_series(trust, a, b):
    """Are these builds of one line of development, so that what holds for both may hold between?"""
    if trust != FROZEN:
        return branch(a) == branch(b)
    a, b = (re.match(r"([^-]*-[^.]*)(\..+)", text) for text in (a, b))
    return bool(a and b and (a[1] == b[1] or (a[2].startswith(".el") and b[2].startswith(".el"))))


# --- answers --------------------------------------------------------------------------------------


@dataclass
class Answer:
    value: int
    evidence: int
    hazard: dict = None
    allowed: bool = True
    forced: bool = False
    strict: bool = False
    contradicted: bool = False


def _branch_state(ranges, vendor, base):
    states = [min(r.branch_share(base), 1 if r.kind == "unknown" else 2) for r in ranges
              if r.vendor == vendor and r.kind in ("affected", "unknown")]
    return max(states, default=0)


FIRST_BEFORE = {(3, 0): "2.6.39", (4, 0): "3.19.0", (5, 0): "4.20.0", (6, 0): "5.19.0",
                (7, 0): "6.19.0"}


def _mainline(ranges, base):
    """Among the mainline ranges: inside one, in a gap, are there any, newer than all."""
    places = [r.place("dpkg", base) for r in ranges
              if r.kind == "affected" and r.vendor == "mainline"]
    return INSIDE in places, GAP in places, bool(places), all(p == ABOVE for p in places)


def _release(ranges, base, evidence):
    """What an exactly known upstream release says; an -rc is as its neighbours, if they agree."""
    name, is_rc, _ = base.partition("~rc")
    names = [name]
    if is_rc:
        x, y = branch(name)
        before = FIRST_BEFORE.get((x, y)) or (f"{x}.{y - 1}.0" if y else None)
        if not before:
            return Answer(UNKNOWN, NONE)
        names.append(before)
    found = [_mainline(ranges, n) for n in names]
    if not is_rc and found[0][0]:
        return Answer(AFFECTED, evidence)
    if any(gap for _, gap, _, _ in found) or len({inside for inside, *_ in found}) > 1:
        return Answer(UNKNOWN, NONE)
    return Answer(AFFECTED if found[0][0] else CLEAN, evidence)


def _base(surveyed, ranges, k):
    _, _, listed, past_all = _mainline(ranges, k.base)
    if not listed:
        return Answer(UNKNOWN, NONE)
    evidence = EXTRAPOLATED
    if k.vendor == "mainline" and branch(k.base) <= branch(surveyed):
        evidence = DECLARED
    if k.trust == FROZEN:
        return Answer(CLEAN, evidence) if past_all else Answer(UNKNOWN, NONE)
    if k.base_exact and k.trust == EXACT:
        return _release(ranges, k.base, evidence)
    state = _branch_state(ranges, "mainline", k.base)
    return Answer(UNKNOWN, NONE) if state == 1 else Answer(AFFECTED if state else CLEAN, evidence)


def _branch_alone(surveyed, ranges, k, vendor):
    state = _branch_state(ranges, vendor, k.base)
    if state == 2:
        return Answer(AFFECTED, DECLARED)
    if state == 1 and not (k.base_exact and k.trust == EXACT):
        return Answer(UNKNOWN, NONE)
    return _base(surveyed, ranges, k)


def _places(ranges, k):
    """The names of what holds for this build among the ranges of its vendor."""
    found = set()
    for r in (r for r in ranges if r.vendor == k.vendor):
        if r.kind == "clean-all-known":
            found.add("all-clean")
        elif r.kind == "clean-build":
            if not compare(k.order, k.build, r.lo) or re.match(re.escape(r.lo) + r"\.el", k.build):
                found.add("clean")
            elif _extends(k.build, r.lo):
                found.add("made-of")
        else:
            found.add(_place(r, k))
    return found


def _place(r, k):
    place = r.place(k.order, k.build)
    if r.kind == "clean":
        return "clean" if place == INSIDE else None
    if r.kind == "unknown":
        unsure = place in (INSIDE, UNSURE) or (place == GAP and not r.is_past_branch(k.base))
        return "unsure" if unsure else None
    if place == GAP:
        if r.open:
            return None if r.is_past_branch(k.base) else "open-gap"
        return "gap"
    if place == ABOVE:
        return "above" if not r.eol and branch(k.base) == branch(r.hi) else None
    if place == BELOW:
        return "below" if branch(k.base) == branch(r.lo) else None
    return "inside" if place == INSIDE else "unsure"


def _build(surveyed, ranges, k):
    found = _places(ranges, k)
    if "inside" in found:
        return Answer(AFFECTED, DECLARED)
    if "clean" in found:
        return Answer(CLEAN, DECLARED)
    if "made-of" in found:
        return Answer(CLEAN, EXTRAPOLATED)
    if found & {"unsure", "open-gap"} or ("gap" in found and k.trust != EXACT):
        return Answer(UNKNOWN, NONE)
    if "above" in found:
        return Answer(CLEAN, DECLARED)
    if "all-clean" in found:
        return Answer(CLEAN, EXTRAPOLATED)
    base = _base(surveyed, ranges, k)
    if "below" in found and base.value != AFFECTED:
        return Answer(CLEAN, DECLARED)
    return base


class Blacklist:
    def __init__(self, document):
        if document.get("schema") != SCHEMA:
            raise ValueError(f"schema {document.get('schema')!r}: this reader knows {SCHEMA}")
        self.digest = document["digest"]
        self.ops = document["ops"]
        self.surveyed = document["surveyed"]
        self.hazards = document["hazards"]
        self.measured = document["measured"]
        self.spans = document["extrapolated"]
        self._ranges = {
            h["id"]: [Range(r["vendor"], r["kind"], r["from"] or "", r["last_seen"] or "",
                            r["to"] or "") for r in h["ranges"]]
            for h in self.hazards
        }

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls(json.load(file))

    def _declared(self, hazard, k):
        ranges = self._ranges[hazard["id"]]
        if k.vendor == "ubuntu-derived":
            a = _branch_alone(self.surveyed, ranges, k, "ubuntu")
        elif k.vendor in ("mainline", "other"):
            a = _base(self.surveyed, ranges, k)
        elif not k.build:
            a = _branch_alone(self.surveyed, ranges, k, k.vendor)
        else:
            a = _build(self.surveyed, ranges, k)
        a.hazard = hazard
        return a

    def _apply_span(self, k, op, a):
        """Two measured builds speak for those between them, where declarations do not."""
        at = k.position
        # They come in the order of their versions; the last that begins here or before counts.
        spans = [s for s in self.spans if at and s["op"] == op and s["vendor"] == k.vendor
                 and compare(k.order, s["from"], at) <= 0][-1:]
        for s in spans:
            value = VALUES.index(s["value"])
            if compare(k.order, at, s["to"]) > 0 or _extends(s["to"], at) \
                    or not _same_series(k.trust, at, s["from"]) \
                    or not _same_series(k.trust, at, s["to"]):
                return
            if a.value == AFFECTED or (a.value == value and a.evidence > EXTRAPOLATED):
                return
            a.contradicted = value == AFFECTED and a.value == CLEAN
            a.value, a.evidence = value, EXTRAPOLATED

    def _apply_measured(self, k, op, a):
        """What was measured on this very build decides, or else its neighbours."""
        rows = [m for m in self.measured if m["op"] == op and m["release"] == k.release
                and ((m["version"] and m["version"] == k.version)
                     or (m["build"] and m["build"] == k.build))]
        if not rows:
            self._apply_span(k, op, a)
            return
        affected = any(m["verdict"] == "affected" for m in rows)
        calibrated = any(m["p_missed"] is not None for m in rows)
        value = AFFECTED if affected else CLEAN
        a.contradicted = len({m["verdict"] for m in rows}) > 1 or a.value not in (UNKNOWN, value)
        if not affected and not calibrated and a.value == AFFECTED:
            value = UNKNOWN
        a.value, a.evidence = value, MEASURED

    def check(self, kernel, op, strict=False, force=()):
        """The answer for an operation: the worst of its hazards, unless this build was measured."""
        answers = [self._declared(h, kernel) for h in self.hazards if h["op"] == op]
        # Among equals the best founded "affected", the weakest of the others.
        answer = max(answers or [Answer(UNKNOWN, NONE)], key=lambda a: (
            a.value, a.evidence if a.value == AFFECTED else -a.evidence))
        self._apply_measured(kernel, op, answer)
        if strict and answer.value == UNKNOWN:
            answer.value, answer.strict = AFFECTED, True
        answer.allowed = answer.value != AFFECTED
        if answer.value != CLEAN and ("all" in force or op in force):
            answer.allowed = answer.forced = True
        return answer


# --- as a program ---------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description="Is an operation safe on a kernel?")
    parser.add_argument("file", help="tracing_blacklist.json")
    parser.add_argument("release", nargs="?", default=os.uname().release)
    parser.add_argument("version", nargs="?")
    parser.add_argument("--op", action="append", help="operation; repeatable (default: all)")
    parser.add_argument("--strict", action="store_true", help="take unknown for affected")
    parser.add_argument("--force", action="store_true", help="let everything pass, and say so")
    args = parser.parse_intermixed_args()
    try:
        blacklist = Blacklist.load(args.file)
    except (OSError, ValueError, KeyError) as error:
        parser.error(f"{args.file}: {error}")
    if args.version is None and args.release == os.uname().release:
        args.version = os.uname().version
    kernel = identify(args.release, args.version or "")
    if not kernel:
        parser.error(f"'{args.release}' is no kernel release")
    for op in args.op or []:
        if op not in blacklist.ops:
            parser.error(f"no operation is called '{op}': there are: {', '.join(blacklist.ops)}")
    codes = []
    for op in args.op or blacklist.ops:
        a = blacklist.check(kernel, op, args.strict, ("all",) if args.force else ())
        codes.append(0 if a.forced else {CLEAN: 0, AFFECTED: 1, UNKNOWN: 4}[a.value])
        print(f"{op}: {VALUES[a.value]} ({EVIDENCE[a.evidence]}){', FORCED' * a.forced}")
        if a.forced:
            print(f"warning: {op} is {VALUES[a.value]}, and forced to pass", file=sys.stderr)
    return 1 if 1 in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main())
