"""docs/wire.md is what the schemas say.
Usage: wire_doc.py SOURCE_ROOT WIRE_DOC_PROGRAM"""

import difflib
import os
import subprocess
import sys

import tap


def main():
    root, program = sys.argv[1:]
    expected = subprocess.run([program], check=True, text=True,
                              capture_output=True).stdout.splitlines()
    path = os.path.join("docs", "wire.md")
    actual = []
    if os.path.exists(os.path.join(root, path)):
        actual = tap.read_lines(root, path)
    difference = list(difflib.unified_diff(actual, expected, path, "schemas",
                                           lineterm="", n=0))
    if difference:
        difference.append("run ./run docs")
    output = tap.Tap()
    output.check("docs/wire.md equals the schemas", difference)
    return output.end()


sys.exit(main())
