"""Who may include whom: the table of folders in docs/architecture.md, and the
system headers that the pure core may see. Usage: includes.py SOURCE_ROOT"""

import re
import sys

import tap

# A folder may include its own files, and from what its row names: folders
# (with a slash at the end) and single headers. Rows apply by longest prefix.
ALLOWED = {
    "base/": [],
    "overlay/": ["base/"],
    "overlay/link/": ["base/"],
    "overlay/pastry/": ["base/", "overlay/kbr.h"],
    "store/": ["base/", "overlay/kbr.h"],
    "scribe/": ["base/", "overlay/kbr.h"],
    "splitstream/": ["base/", "overlay/kbr.h", "scribe/"],
    "node/": ["base/", "overlay/", "store/", "scribe/", "splitstream/"],
    "net/": ["node/", "base/"],
    "media/": ["net/", "node/", "base/"],
    "apps/": ["media/", "net/"],
    "sim/": ["node/", "base/"],
    "examples/": ["base/", "overlay/kbr.h", "scribe/scribe.h"],
    "examples/ss-chat.c": ["examples/", "net/", "apps/"],
    "examples/talk": ["examples/", "base/", "node/", "net/", "apps/"],
}

# Pastry hands its messages to links: the composition passes it the interface.
EXCEPTIONS = {
    ("overlay/pastry/", "overlay/link/link.h"),
    # The simulator stands in for the programs' sealer.
    ("sim/", "overlay/link/mac.h"),
    ("sim/", "overlay/link/sealer.h"),
    # Its hostile nodes change handshakes, and mend their MACs.
    ("sim/", "overlay/link/cookie.h"),
    # And counts messages by kind.
    ("sim/", "overlay/link/frames.h"),
    ("sim/", "overlay/link/messages.h"),
    ("sim/", "overlay/pastry/messages.h"),
    ("sim/", "scribe/messages.h"),
    # And reads in them what a broadcaster has sent, to the frame.
    ("sim/", "splitstream/packet.h"),
    # It has an application of its own on every node.
    ("sim/", "scribe/scribe.h"),
}

CORE = ("base/", "overlay/", "store/", "scribe/", "splitstream/", "node/")
CORE_SYSTEM = {
    "assert.h", "errno.h", "float.h", "glib.h", "inttypes.h", "limits.h",
    "math.h", "sodium.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h",
    "stdio.h", "stdlib.h", "string.h",
}
CORE_SYSTEM_ONLY = {
    "base/addr.c": {"arpa/inet.h"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def row_of(path):
    rows = [folder for folder in ALLOWED if path.startswith(folder)]
    return max(rows, key=len) if rows else None


def is_allowed(path, included):
    row = row_of(path)
    if row is None or row_of(included) == row:
        return True
    if (row, included) in EXCEPTIONS:
        return True
    return any(included == entry
               or (entry.endswith("/") and included.startswith(entry))
               for entry in ALLOWED[row])


def is_system_allowed(path, header):
    if not path.startswith(CORE):
        return True
    if header in CORE_SYSTEM or header.startswith("isa-l"):
        return True
    return header in CORE_SYSTEM_ONLY.get(path, ())


def main():
    root = sys.argv[1]
    wrong_folder, wrong_system, relative = [], [], []
    for path in tap.sources(root, ".c", ".h", ".def"):
        for number, line in enumerate(tap.read_lines(root, path), 1):
            match = INCLUDE.match(line)
            if match is None:
                continue
            quote, header = match.groups()
            text = f"{path}:{number}: {header}"
            if quote == "<":
                if not is_system_allowed(path, header):
                    wrong_system.append(text)
            elif "/" not in header or header.startswith("."):
                relative.append(text)
            elif not is_allowed(path, header):
                wrong_folder.append(text)
    output = tap.Tap()
    output.check("folders include only from below", wrong_folder)
    output.check("the core sees no system header that acts", wrong_system)
    output.check("includes are named from the root", relative)
    return output.end()


sys.exit(main())
