"""Small versions of what the scripts beside this one show at full size:
programs far from one another, whom hardship befalls."""

import sys
from types import SimpleNamespace

import deaths
from lib import expect, run_tests
from namespaces import need_namespaces


def die(build, kind):
    need_namespaces()
    options = SimpleNamespace(
        build=build, relays=2, listeners=8, step=1, latency=1500, parity=1,
        delay=20, loss=0, seed=1)
    single, _ = deaths.run_one(options, kind)
    expect(single["all together"] == 0,
           f"{single['all together']} frames lost to single deaths")


def deaths_with_a_word(build):
    """The kernel answers for the dead that nobody is there."""
    die(build, "sigkill")


def deaths_in_silence(build):
    die(build, "sigstop")


if __name__ == "__main__":
    sys.exit(run_tests([deaths_with_a_word, deaths_in_silence], at_once=2))
