"""What the lint tests share: the sources, and TAP output."""

import os

FOLDERS = ("base", "overlay", "store", "scribe", "splitstream", "node", "net",
           "media", "apps", "sim", "docs", "examples", "tests")


def sources(root, *suffixes):
    """Paths from root of the files with one of the suffixes, sorted."""
    found = []
    for folder in FOLDERS:
        for path, _, names in os.walk(os.path.join(root, folder)):
            found += [os.path.relpath(os.path.join(path, name), root)
                      for name in names if name.endswith(suffixes)]
    return sorted(found)


def read_lines(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read().splitlines()


class Tap:
    """One test for each rule; a rule's violations are its diagnostics."""

    def __init__(self):
        self.count = 0
        self.failed = False

    def check(self, rule, violations):
        self.count += 1
        verdict = "not ok" if violations else "ok"
        print(f"{verdict} {self.count} {rule}")
        for violation in violations:
            print(f"# {violation}")
        self.failed = self.failed or bool(violations)

    def skip(self, rule, reason):
        self.count += 1
        print(f"ok {self.count} {rule} # SKIP {reason}")

    def end(self):
        print(f"1..{self.count}")
        return 1 if self.failed else 0
