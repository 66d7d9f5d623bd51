"""Small versions of what the scripts beside this one show at full size:
programs far from one another, whom hardship befalls."""

import sys

import access
import cut
import deaths
import freeze
import latency
import neighbour
from lib import expect, run_tests
from namespaces import need_namespaces

TCP_LEAST = 0.4  # of what it gets alone, over the whole run


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


def deaths_in_silence_by_rule(build):
    """Nothing goes to them or comes from them any more, and they live on."""
    die(build, "nft")


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


def freeze_some(build, seconds):
    need_namespaces()
    options = freeze.read_arguments(["--listeners", "6", "--freezes", seconds,
                                     build])
    for row in freeze.run_one(options):
        found = freeze.problems(row, options.latency)
        expect(not found, f"{row['frozen s']:g} s: {', '.join(found)}")


def frozen_listeners(build):
    freeze_some(build, "1,5")


def frozen_for_long(build):
    freeze_some(build, "30")


def tcp_beside_a_listener(build):
    """On one uplink: TCP gets its share, and nobody loses a frame."""
    need_namespaces()
    options = neighbour.read_arguments(
        ["--listeners", "6", "--seconds", "12", build])
    row = neighbour.run_one(options, 3)
    share = row["TCP beside"] / row["TCP alone"]
    expect(share >= TCP_LEAST, f"TCP gets {share:.0%} of what it gets alone")
    expect(row["it loses"] + row["others lose"] == 0,
           f"it loses {row['it loses']}, others {row['others lose']}")


def broadcaster_cut_off(build):
    need_namespaces()
    options = cut.read_arguments(["--listeners", "4", "--after", "15", build])
    rows, _ = cut.run_one(options)
    found = cut.problems(rows)
    expect(not found, "; ".join(found))


if __name__ == "__main__":
    sys.exit(run_tests([
        deaths_with_a_word, deaths_in_silence, deaths_in_silence_by_rule,
        frozen_for_long, lossy_links, narrow_uplink, frozen_listeners,
        tcp_beside_a_listener, broadcaster_cut_off], at_once=2))
