"""Small versions of what the scripts beside this one show at full size:
programs far from one another, whom hardship befalls."""

import sys

import access
import cut
import deaths
import freeze
import latency
from lib import expect, run_tests
from namespaces import need_namespaces


def die(build, kind):
    need_namespaces()
    options = deaths.read_arguments(["--listeners", "8", build])
    single, _ = deaths.run_one(options, kind)
    expect(single["all together"] == 0,
           f"{single['all together']} frames lost to single deaths")


def deaths_with_a_word(build):
    """The kernel answers for the dead that nobody is there."""
    die(build, "sigkill")


def deaths_in_silence(build):
    die(build, "sigstop")


def lossy_links(build):
    need_namespaces()
    options = latency.read_arguments(["--listeners", "8", "--seconds", "10",
                                      build])
    row = latency.broadcast(options, 5, options.latency)
    expect(row["lost"] == 0, f"{row['lost']} frames lost")


def narrow_uplink(build):
    """Of one who says so."""
    need_namespaces()
    options = access.read_arguments(["--listeners", "6", "--seconds", "12",
                                     build])
    row = access.run_one(options, "--upload")
    expect(row["lost"] + row["others lose"] == 0,
           f"it loses {row['lost']}, others {row['others lose']}")


def frozen_listeners(build):
    need_namespaces()
    options = freeze.read_arguments(["--listeners", "6", "--freezes", "1,5",
                                     build])
    for row in freeze.run_one(options):
        found = freeze.problems(row, options.latency)
        expect(not found, f"{row['frozen s']:g} s: {', '.join(found)}")


def broadcaster_cut_off(build):
    need_namespaces()
    options = cut.read_arguments(["--listeners", "4", "--after", "15", build])
    rows, _ = cut.run_one(options)
    found = cut.problems(rows)
    expect(not found, "; ".join(found))


if __name__ == "__main__":
    sys.exit(run_tests([
        deaths_with_a_word, deaths_in_silence, lossy_links, narrow_uplink,
        frozen_listeners, broadcaster_cut_off], at_once=2))
