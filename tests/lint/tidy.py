"""Rules of the style that a line can break. Usage: tidy.py SOURCE_ROOT"""

import re
import sys

import tap

FILE_LINES_MAX = 1000
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 80

# In all C sources: what is banned, and what to use in its place.
BANNED = [
    (r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok)\s*\(",
     "a call that knows the size"),
    (r"\b(atoi|atol|atof)\s*\(", "g_ascii_string_to_unsigned"),
    (r"\balloca\s*\(", "a bounded array"),
    (r"(?<![_\w])assert\s*\(", "g_assert, which ships"),
    (r"\b(memcmp|g_str_equal|strcmp)\s*\([^)]*(secret|private_key|psk)",
     "sodium_memcmp"),
]
# Marks of work left undone, in everything; spelt so as not to find itself.
UNDONE = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
# Tests that wait for time to pass are slow at best and flaky at worst. Those
# that run real programs may poll.
SLEEP = re.compile(r"\b(sleep|usleep|g_usleep|nanosleep)\s*\(")
SLEEPLESS = ("tests/unit/", "tests/prop/", "tests/fuzz/", "tests/sim/",
             "tests/lint/")


def function_lengths(lines):
    """Yields (line of the opening brace, lines between the braces)."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            yield start, number - start - 1
            start = None


def check_lines(path, lines, found):
    for number, line in enumerate(lines, 1):
        place = f"{path}:{number}"
        if UNDONE.search(line):
            found["undone"].append(place)
        if "\t" in line or line != line.rstrip():
            found["space"].append(place)
        if path.endswith((".c", ".h", ".def")) and len(line) > COLUMNS_MAX:
            found["columns"].append(f"{place}: {len(line)} columns")
        if path.endswith((".c", ".h")):
            for pattern, instead in BANNED:
                if re.search(pattern, line):
                    found["banned"].append(f"{place}: use {instead}")
        if path.startswith(SLEEPLESS) and SLEEP.search(line):
            found["sleep"].append(place)


def main():
    root = sys.argv[1]
    found = {key: [] for key in ("undone", "space", "columns", "banned",
                                 "sleep", "long", "function", "head", "once")}
    for path in tap.sources(root, ".c", ".h", ".def", ".py", "meson.build"):
        lines = tap.read_lines(root, path)
        check_lines(path, lines, found)
        if len(lines) > FILE_LINES_MAX:
            found["long"].append(f"{path}: {len(lines)} lines")
        if path.endswith(".c"):
            found["function"] += [
                f"{path}:{start}: {length} lines"
                for start, length in function_lengths(lines)
                if length > FUNCTION_LINES_MAX]
        if path.endswith((".c", ".h")):
            if not lines or not lines[0].startswith("/*"):
                found["head"].append(path)
        if (path.endswith(".h") and "#pragma once" not in lines
                and not path.startswith("base/wire_")):
            found["once"].append(path)
    output = tap.Tap()
    output.check(f"files have at most {FILE_LINES_MAX} lines", found["long"])
    output.check(f"functions have at most {FUNCTION_LINES_MAX} lines",
                 found["function"])
    output.check(f"lines have at most {COLUMNS_MAX} columns",
                 found["columns"])
    output.check("no tabs, no trailing space", found["space"])
    output.check("files open with what they are", found["head"])
    output.check("headers are included once", found["once"])
    output.check("no banned calls", found["banned"])
    output.check("tests do not wait", found["sleep"])
    output.check("nothing is left undone", found["undone"])
    return output.end()


sys.exit(main())
