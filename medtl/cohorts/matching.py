"""Runs a file-name pattern over names, as a program of its own, so that a pattern without end can be stopped.

Standard library only, started by `patients` with a time limit. In: {"pattern", "names"}; out: one patient or null each.
"""

import json
import re
import sys


def patient_in(pattern: "re.Pattern[str]", name: str) -> str | None:
    """The group called `patient`, else the groups that took part joined with "-", else the whole match."""
    match = pattern.search(name)
    if match is None:
        return None
    if "patient" in pattern.groupindex and match["patient"]:
        return match["patient"]
    return "-".join(group for group in match.groups() if group) or match[0] or None


def main() -> None:
    asked = json.load(sys.stdin)
    pattern = re.compile(asked["pattern"])
    json.dump([patient_in(pattern, name) for name in asked["names"]], sys.stdout)


if __name__ == "__main__":
    main()
