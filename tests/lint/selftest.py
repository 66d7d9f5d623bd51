"""The lint tests themselves: each rule finds a file that breaks it.
Usage: selftest.py CC..."""

import os
import subprocess
import sys
import tempfile

import tap

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = "/* A file that breaks a rule. */\n"

# Script, file, its text, and the words of the rule that it breaks.
CASES = [
    ("includes", "base/a.c", '#include "node/node.h"\n', "only from below"),
    ("includes", "scribe/a.c", '#include "overlay/pastry/pastry.h"\n',
     "only from below"),
    ("includes", "apps/a.c", '#include "node/node.h"\n', "only from below"),
    ("includes", "store/a.c", "#include <sys/socket.h>\n", "system header"),
    ("includes", "net/a.c", '#include "udp.h"\n', "from the root"),
    ("tidy", "base/a.c", HEAD + "\n" * 1000, "1000 lines"),
    ("tidy", "base/a.c", HEAD + "int\nf (void)\n{\n" + "  g ();\n" * 71
     + "}\n", "70 lines"),
    ("tidy", "base/a.c", HEAD + "/* " + "a" * 80 + " */\n", "80 columns"),
    ("tidy", "base/a.c", HEAD + "int a; \n", "trailing space"),
    ("tidy", "base/a.c", "int a;\n", "what they are"),
    ("tidy", "base/a.h", HEAD + "int a;\n", "included once"),
    ("tidy", "net/a.c", HEAD + "  strcpy (a, b);\n", "banned"),
    ("tidy", "net/a.c", HEAD + "  assert (a);\n", "banned"),
    ("tidy", "tests/sim/a.c", HEAD + "  us" + "leep (1);\n", "do not wait"),
    ("tidy", "net/a.c", HEAD + "/* TO" + "DO */\n", "left undone"),
    ("headers", "base/a.h", HEAD + "uint8_t a;\n", "compile alone"),
    ("pure", "a.c", "#include <time.h>\ntime_t f (void);\ntime_t\nf (void)\n"
     "{\n  return time (NULL);\n}\n", "nothing that acts"),
    ("pure", "a.c", "#include <stdio.h>\nvoid f (int);\nvoid\nf (int a)\n"
     '{\n  printf ("%d", a);\n}\n', "nothing that acts"),
    ("pure", "a.c", "int f (void);\nint\nf (void)\n{\n  static int n;\n"
     "  return n++;\n}\n", "mutable statics"),
]


def run_script(script, root, path, compiler):
    arguments = [root]
    if script == "headers":
        arguments = [root, root, *compiler]
    elif script == "pure":
        source = os.path.join(root, path)
        subprocess.run([*compiler, "-O2", "-c", source, "-o", source + ".o"],
                       check=True)
        subprocess.run(["ar", "crs", source + ".a", source + ".o"],
                       check=True)
        arguments = [source + ".a"]
    return subprocess.run(
        [sys.executable, os.path.join(HERE, script + ".py"), *arguments],
        text=True, capture_output=True, check=False)


def check_case(case, compiler):
    script, path, text, rule = case
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)
        done = run_script(script, root, path, compiler)
    failed = [line for line in done.stdout.splitlines()
              if line.startswith("not ok")]
    if len(failed) == 1 and rule in failed[0] and done.returncode == 1:
        return []
    return [f"{script} on {path}: wanted '{rule}' to fail, got {failed} "
            + done.stderr.strip()]


def main():
    output = tap.Tap()
    for case in CASES:
        output.check(f"{case[0]} finds: {case[3]}",
                     check_case(case, sys.argv[1:]))
    return output.end()


sys.exit(main())
