"""Rings of real programs in a namespace, measured for some seconds: with
loss, and with the death of whoever forwards most. Short forms of what
measure.py and kill.py do at length."""

import argparse
import sys

from lib import expect, run_tests
from measure import measure
from namespaces import need_namespaces

# What depends on the processor's time, or on so short an interval, is left
# to measure.py.
UNSTEADY = ("tune-in", "CPU", "latency", "upload")


def run(build, **changes):
    need_namespaces()
    options = argparse.Namespace(
        build=build, listeners=9, seconds=8, stagger=100, latency=1500,
        parity=1, loss=0, kill=None, victim="interior", flac=False,
        netns=True, keep=None)
    vars(options).update(changes)
    figures, limits = measure(options)
    missed = [f"{what}: {value}, limit {most}"
              for what, value, most, met in limits
              if not met and not what.startswith(UNSTEADY)]
    lost = [f"{row['name']}: {row['problems'] or 'no end'}"
            for row in figures["rows"] if row["problems"] or row["tail"]]
    victim = (f"; died: {figures['victim']}, interior in "
              f"{figures['victim_interior_stripes']} stripes"
              if figures["victim"] else "")
    expect(not missed and not lost, "\n".join(missed + lost) + victim)


def two_percent_lost(build):
    run(build, loss=2)


def killed(build):
    run(build, kill="sigkill")


def stopped(build):
    run(build, kill="sigstop")


def cut_off_without_parity(build):
    run(build, kill="drop", parity=0)


def node_cut_off(build):
    run(build, kill="drop", victim="node")


if __name__ == "__main__":
    sys.exit(run_tests([two_percent_lost, killed, stopped,
                        cut_off_without_parity, node_cut_off]))
