# SPDX-License-Identifier: GPL-2.0-or-later
# --console-rules: all that is wrong with a file at once, with its place; rules that lapsed are told.
. "$(dirname "$0")/lib.sh"

cat >"$SCRATCH/bad.yaml" <<-END
	rules:
	  - {match: "*", action: allow, reason: x, expires: 2099-01-01}
	  - {match: "WARN in f", action: ignore, expires: 2099-02-30}
END
expect 2 "$KLAB" run --console-rules "$SCRATCH/bad.yaml"
says "bad.yaml:2:13: 'match' would take nearly everything"
says "bad.yaml:3:34: 'action' must be allow or deny, not 'ignore'"
says "bad.yaml:3:5: 'reason' is missing"
says "bad.yaml:3:51: 'expires' is no day"

expect 2 "$KLAB" plan --console-rules "$SCRATCH/none.yaml"
says "none.yaml"

# planning stops at a kernel that is not there, after the rules were looked at
cat >"$SCRATCH/old.yaml" <<-END
	replace: yes
	rules:
	  - {match: "WARN in f", action: allow, reason: x, expires: 2020-01-01}
	  - {match: "WARN in g", action: allow, reason: x, expires: 2099-01-01}
END
expect 2 "$KLAB" plan -k no-such-kernel --console-rules "$SCRATCH/old.yaml"
says "the console rule for 'WARN in f' expired on 2020-01-01"
never_says "WARN in g"
finish
