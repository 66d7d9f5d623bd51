"""Sources are laid out as .clang-format says, by the version that it is
written for. Usage: format.py SOURCE_ROOT"""

import re
import shutil
import subprocess
import sys

import tap

VERSION = "14"


def main():
    root = sys.argv[1]
    output = tap.Tap()
    program = shutil.which("clang-format-14") or shutil.which("clang-format")
    rule = "sources are formatted"
    if program is None:
        output.skip(rule, "clang-format is not installed")
        return output.end()
    version = subprocess.run([program, "--version"], check=True, text=True,
                             capture_output=True).stdout
    if re.search(rf"version {VERSION}\.", version) is None:
        output.skip(rule, f"clang-format is not version {VERSION}")
        return output.end()
    done = subprocess.run(
        [program, "--dry-run", "--ferror-limit=1", *tap.sources(root, ".c", ".h")],
        cwd=root, text=True, capture_output=True, check=False)
    wrong = sorted({line.split(":")[0] for line in done.stderr.splitlines()
                    if "[-Wclang-format-violations]" in line})
    if wrong:
        wrong.append("run ./run format")
    output.check(rule, wrong)
    return output.end()


sys.exit(main())
