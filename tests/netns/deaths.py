"""Who hears it when many die: one broadcaster, relays and listeners, each
on a host of its own. Every relay and half of the listeners die one after the
other; then half of who is left dies at once. Prints what survivors lost;
exits 1 if any of them lost a frame to the single deaths."""

import argparse
import itertools
import math
import os
import random
import sys
import time

from air import TUNE_IN_SECONDS
from far import FarAir
from internet import Internet
from lib import Failure, Skip, Stage, handle_signals
from packets import make_source
from table import print_table

KINDS = ("sigkill", "sigstop", "drop")
START_SECONDS = 0.25  # between two listeners
SETTLE_SECONDS = 3  # after the last tune-in
MASS_SECONDS = 10  # for the survivors of many
COLUMNS = ("deaths", "died", "silent", "interior in", "survivors",
           "of whom lose", "frames lost, most", "all together",
           "longest gap s", "last one after s")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", metavar="BUILD", help="build directory")
    parser.add_argument("--relays", type=int, default=2)
    parser.add_argument("--listeners", type=int, default=40)
    parser.add_argument("--kinds", default="sigkill,sigstop")
    parser.add_argument("--step", type=float, default=1, metavar="SECONDS",
                        help="between two deaths")
    parser.add_argument("--latency", type=int, default=1500, metavar="MS")
    parser.add_argument("--parity", type=int, default=1, metavar="M")
    parser.add_argument("--delay", type=float, default=20, metavar="MS",
                        help="one way between any two hosts")
    parser.add_argument("--loss", type=float, default=0, metavar="PERCENT",
                        help="between any two hosts")
    parser.add_argument("--seed", type=int, default=1,
                        help="of who dies, and of what is lost")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)  # others run elsewhere
    return options


def length_of(options):
    """Of a source that lasts to the end, in seconds."""
    n_deaths = options.relays + options.listeners / 2
    return math.ceil(options.listeners * (START_SECONDS + 0.1)
                     + n_deaths * options.step + options.latency / 1000
                     + 2 * SETTLE_SECONDS + MASS_SECONDS + 30)


class Deaths:
    """One broadcast."""

    def __init__(self, air, kind, options):
        self.air, self.kind, self.options = air, kind, options
        self.rng = random.Random(options.seed)
        self.single, self.mass = [], []  # programs
        self.interior = {}  # program: in how many stripes when it died
        self.first = self.mass_at = None

    def die(self, victim):
        self.interior[victim] = victim.children()
        self.air.kill(victim, self.kind)

    def start(self):
        air = self.air
        air.start_relays(self.options.relays)
        air.start_broadcaster()
        for _ in range(self.options.listeners):
            air.start_listener()
            air.stage.pause(START_SECONDS)
        air.wait_tuned(air.listeners)
        air.stage.pause(SETTLE_SECONDS)

    def run(self):
        air = self.air
        self.start()
        order = list(air.listeners)
        self.rng.shuffle(order)
        half = len(order) // 2
        self.single, left = [*air.nodes, *order[:half]], order[half:]
        self.first = time.monotonic()
        for number, victim in enumerate(self.single, 1):
            self.die(victim)
            air.stage.pause(self.first + number * self.options.step
                            - time.monotonic())
        air.stage.pause(SETTLE_SECONDS + self.options.latency / 1000)
        self.mass = left[:len(left) // 2]
        self.mass_at = time.monotonic()
        for victim in self.mass:
            self.die(victim)
        air.stage.pause(MASS_SECONDS)
        air.broadcaster.stop()
        air.stage.wait_all(air.survivors(), lambda p: not p.is_running,
                           TUNE_IN_SECONDS, "the end of the listeners")

    def losses(self):
        """Of each survivor, when the packets that it lacks were due, to the
        last that any of them has."""
        air = self.air
        lost = {p: air.losses(p) for p in air.survivors()}
        last = {p: p.comparison.positions[-1] for p in lost}
        end = max(last.values())
        due = air.origin() + air.latency_ms / 1000
        return {p: dues + [due + air.timeline.time(position) for position
                           in range(last[p] + 1, end + 1)]
                for p, dues in lost.items()}

    def figures(self):
        """Of single deaths and of the mass death."""
        lost = self.losses()
        parts = (("one by one", self.single, self.first, -math.inf,
                  self.mass_at),
                 ("at once", self.mass, self.mass_at, self.mass_at, math.inf))
        return [self.figure(name, died, at,
                            {p: [due for due in dues if start <= due < end]
                             for p, dues in lost.items()})
                for name, died, at, start, end in parts]

    def figure(self, name, died, at, lost):
        frame = self.air.timeline.seconds / len(self.air.timeline.packets)
        losers = [dues for dues in lost.values() if dues]
        return {
            "deaths": name, "died": len(died), "silent": self.kind,
            "interior in": sum(self.interior[p] for p in died) / len(died),
            "survivors": len(lost), "of whom lose": len(losers),
            "frames lost, most": max(map(len, losers), default=0),
            "all together": sum(map(len, losers)),
            "longest gap s": max((longest_run(dues, frame) * frame
                                  for dues in losers), default=0),
            "last one after s": max((dues[-1] for dues in losers),
                                    default=at) - at,
        }


def longest_run(times, step):
    """Of neighbours, in a sorted list."""
    steps = enumerate(round(time / step) for time in times)
    return max(len(list(run)) for _, run
               in itertools.groupby(steps, lambda pair: pair[1] - pair[0]))


def run_one(options, kind):
    """One broadcast; its figures."""
    with Stage(options.build) as stage:
        internet = Internet(stage, options.seed, delay=options.delay / 2,
                            loss_up=options.loss)
        air = FarAir(stage,
                     make_source(options.build, "opus", length_of(options)),
                     internet, latency_ms=options.latency,
                     parity=options.parity)
        deaths = Deaths(air, kind, options)
        deaths.run()
        return deaths.figures()


def main():
    handle_signals()
    options = parse_arguments()
    rows = []
    try:
        for kind in options.kinds.split(","):
            rows += run_one(options, kind)
    except (Failure, Skip) as failure:
        print(f"deaths.py: {failure}", file=sys.stderr)
        return 1
    print_table(COLUMNS, rows)
    lost = sum(row["all together"] for row in rows
               if row["deaths"] == "one by one")
    print(f"\n{'FAIL' if lost else 'pass'}  frames lost to single deaths: "
          f"{lost}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
