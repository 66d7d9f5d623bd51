"""Counts the tests of a meson testlog.json and prints, as its last line,
"N passed, N failed, N skipped". A program that speaks TAP counts by its
subtests; one that ends badly counts as one failure more. Exits 1 if there is
a failure, or nothing ran at all."""

import json
import re
import sys

TAP_LINE = re.compile(r"^(ok|not ok)\b(.*)$")
DIRECTIVE = re.compile(r"#\s*(skip|todo)\b", re.IGNORECASE)


def count_tap(text):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for line in text.splitlines():
        match = TAP_LINE.match(line)
        if match is None:
            continue
        if DIRECTIVE.search(match.group(2)):
            counts["skipped"] += 1
        elif match.group(1) == "ok":
            counts["passed"] += 1
        else:
            counts["failed"] += 1
    return counts


def count_test(test):
    """Returns counts, and whether the program as a whole failed."""
    counts = count_tap(test.get("stdout") or "")
    ended_well = test["result"] in ("OK", "EXPECTEDFAIL", "SKIP")
    if not ended_well and counts["failed"] == 0:
        counts["failed"] = 1
    if ended_well and sum(counts.values()) == 0:
        kind = "skipped" if test["result"] == "SKIP" else "passed"
        counts[kind] = 1
    return counts


def main():
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    failed_tests = []
    try:
        with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
            tests = [json.loads(line) for line in file if line.strip()]
    except OSError:
        tests = []
    for test in tests:
        counts = count_test(test)
        for kind, number in counts.items():
            totals[kind] += number
        if counts["failed"] > 0:
            failed_tests.append(test["name"])
    print()
    for name in failed_tests:
        print("failed:", name)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**totals))
    return 1 if totals["failed"] > 0 or totals["passed"] == 0 else 0


sys.exit(main())
