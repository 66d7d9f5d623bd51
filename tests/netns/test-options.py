"""Command lines: help, versions, and what is refused before anything
starts. No ring, no namespaces."""

import os
import shutil
import subprocess
import sys

from lib import Skip, Stage, expect, run_tests

PROGRAMS = ("broadcast", "listen", "node", "chat")
INSTALLED = ("broadcast", "listen", "node", "sim")
USAGE, FAILED, NO_SOURCE = 2, 1, 5

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                    "../../data/demo.ogg")

# What is said must hold the words that tell what is wrong.
REFUSED = [
    ("broadcast", [], "--group"),
    ("broadcast", ["--group", "radio1"], "SOURCE"),
    ("broadcast", ["show.ogg"], "--group"),
    ("broadcast", ["--group", "", "show.ogg"], "name"),
    ("broadcast", ["--group", "a@b", "show.ogg"], "a@b"),
    ("broadcast", ["--group", "r", "--parity", "5", "x.ogg"], "--parity"),
    ("broadcast", ["--group", "r", "--parity", "-1", "x.ogg"], "--parity"),
    ("broadcast", ["--group", "r", "--parity", "two", "x.ogg"], "two"),
    ("broadcast", ["--group", "r", "--latency", "1", "x.ogg"], "--latency"),
    ("broadcast", ["--group", "r", "--latency", "soon", "x.ogg"], "soon"),
    ("broadcast", ["--group", "r", "--bitrate", "1", "x.ogg"], "--bitrate"),
    ("broadcast", ["--group", "r", "--frobnicate", "x.ogg"], "frobnicate"),
    ("listen", [], "STATION"),
    ("listen", ["one", "two"], "STATION"),
    ("listen", ["radio1@short"], "short"),
    ("listen", ["splitstream://radio1?key=short"], "short"),
    ("listen", ["splitstream://"], "name"),
    ("listen", ["--wait", "never", "radio1"], "never"),
    ("listen", ["--buffer", "-5", "radio1"], "-5"),
    ("listen", ["--duration", "x", "radio1"], "x"),
    ("listen", ["--output"], "--output"),
    ("node", ["argument"], "argument"),
    ("node", ["--bind", "nowhere"], "nowhere"),
    ("node", ["--bind", "1.2.3.4:99999"], "99999"),
    ("node", ["--bootstrap", ""], "bootstrap"),
    ("node", ["--bootstrap", "host:port"], "host:port"),
    ("node", ["--bootstrap", "abc@1.2.3.4:5"], "abc"),
    ("node", ["--upload", "fast"], "fast"),
    ("node", ["--upload", "5k"], "10k"),
    ("broadcast", ["--group", "r", "--standby", "--station-key", "/no/key",
                   DEMO], "/no/key"),
    ("node", ["--relay", "caf\u00e9@short"], "short"),
    ("node", ["--advertise", "1.2.3.4:0"], "--advertise"),
    ("node", ["--relay", ""], "name"),
    ("node", ["--relay", "radio1@short"], "short"),
    ("node", ["--relay", "any", "--relay", "radio1"], "--relay any"),
    ("node", ["--relay", "radio1", "--relay", "none"], "--relay none"),
    ("node", [f"--relay=r{i}" for i in range(17)], "at most 16"),
    ("node", ["--relay", "radio1,radio2"], "once for each"),
    ("node", ["--relay", "Rock, Pop"],
     "--relay 'splitstream://Rock%2C%20Pop'"),
    ("node", ["--relay", "a@b,any"], "once for each"),
    ("node", ["--relay", "splitstream://Rock%2C%20Pop", "--relay", "any"],
     "--relay any"),
    ("node", ["--quiet", "--verbose"], "--verbose"),
    ("chat", [], "--room"),
    ("chat", ["--room", ""], "name"),
    ("chat", ["--room", "a/b"], "name"),
    ("chat", ["--room", "a" * 65], "name"),
    ("chat", ["--room", "@" + "0" * 64], "name"),
    ("chat", ["--room", "kitchen@short"], "key"),
    ("chat", ["--room", "kitchen"], "NAME@KEY"),
    ("chat", ["--open", "kitchen", "argument"], "argument"),
    ("chat", ["--open", "kitchen", "--nick", ""], "--nick"),
    ("chat", ["--open", "kitchen", "--nick", "n" * 33], "--nick"),
    ("chat", ["--open", "kitchen", "--nick", "a\tb"], "--nick"),
    ("chat", ["--open", "kitchen", "--bind", "nowhere"], "nowhere"),
]


def check_one_line(program, words):
    """A failure is one line of text that names its cause."""
    what = " ".join(program.argv[-4:])
    lines = program.errors.splitlines()
    expect(len(lines) == 1, f"{what}: not one line: {program.errors!r}")
    expect(words.lower() in lines[0].lower(),
           f"{what}: '{words}' is not in: {lines[0]}")
    expect(not program.output, f"{what}: text on standard output")


def helps(build):
    with Stage(build) as stage:
        for name in PROGRAMS:
            for option in ("--help", "-h"):
                done = stage.run(name, option)
                text = done.output.decode()
                expect(done.returncode == 0, done.describe())
                expect(f"ss-{name}" in text and "usage" in text.lower(),
                       f"ss-{name} {option} says: {text[:200]}")
                expect(not done.errors, done.errors)
                for common in ("--bind", "--bootstrap", "--upload",
                               "--stats", "--realm-key", "--identity",
                               "--advertise", "--state-dir"):
                    expect(common in text, f"ss-{name}: {common} unexplained")
                widest = max(map(len, text.splitlines()))
                expect(widest <= 80, f"ss-{name} --help: {widest} columns")


def versions(build):
    with Stage(build) as stage:
        said = set()
        for name in PROGRAMS:
            done = stage.run(name, "--version")
            expect(done.returncode == 0, done.describe())
            first, _, rest = done.output.decode().partition(" ")
            expect(first == f"ss-{name}", done.output.decode())
            said.add(rest)
        expect(len(said) == 1, f"versions differ: {said}")


def usage(build):
    with Stage(build) as stage:
        for name, args, words in REFUSED:
            done = stage.run(name, *args)
            expect(done.returncode == USAGE,
                   f"ss-{name} {' '.join(args)}: exit status "
                   f"{done.returncode}, {done.errors!r}")
            check_one_line(done, words)


def environment_is_checked(build):
    with Stage(build) as stage:
        done = stage.run("node", env={"SS_BOOTSTRAP": "host:port"})
        expect(done.returncode == USAGE, done.describe())
        check_one_line(done, "host:port")


def files_that_are_missing(build):
    """Named on the command line, and not there or of no use."""
    with Stage(build) as stage:
        text = stage.path("text")
        with open(text, "w", encoding="ascii") as file:
            file.write("this is no key\n")
        os.chmod(text, 0o600)
        open_key = stage.path("open-key")
        with open(open_key, "w", encoding="ascii") as file:
            file.write("0123456789abcdef" * 4 + "\n")
        os.chmod(open_key, 0o644)
        absent = stage.path("absent/file")
        for args, words in (
                (["--realm-key", absent], absent),
                (["--realm-key", text], text),
                (["--realm-key", open_key], open_key),
                (["--identity", text], text),
                (["--identity", open_key], open_key),
                (["--identity", "/proc/absent/key"], "/proc/absent"),
                (["--stats", absent], absent),
                (["--state-dir", text], text)):
            done = stage.run("node", "--bind", "127.0.0.1:0", *args)
            expect(done.returncode == FAILED,
                   f"{args}: exit status {done.returncode}, {done.errors!r}")
            expect(words in done.errors.splitlines()[-1], done.errors)


def installs(build):
    """`DESTDIR=... meson install` puts everything in its place, and what it
    put there runs."""
    if shutil.which("meson") is None:
        raise Skip("meson is not installed")
    with Stage(build) as stage:
        root = stage.path("root")
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild",
                        "--destdir", root], check=True,
                       stdout=subprocess.DEVNULL)
        files = {os.path.relpath(os.path.join(folder, name), root)
                 for folder, _, names in os.walk(root) for name in names}
        wanted = ["splitstream-listen.desktop", "ss-node.service",
                  "stats.md", *(f"bin/ss-{name}" for name in
                                INSTALLED)]
        if shutil.which("scdoc") is not None:
            wanted += [f"man1/ss-{name}.1" for name in INSTALLED]
        missing = [name for name in wanted
                   if not any(path.endswith("/" + name) for path in files)]
        expect(not missing, f"not installed: {missing}")
        for path in sorted(files):
            if "/bin/ss-" in path:
                done = subprocess.run([os.path.join(root, path), "--help"],
                                      capture_output=True, check=False)
                expect(done.returncode == 0 and done.stdout, path)


if __name__ == "__main__":
    sys.exit(run_tests([helps, versions, usage, environment_is_checked,
                        files_that_are_missing, installs]))
