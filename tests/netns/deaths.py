"""Who hears it when many die: one broadcaster, relays and listeners, each
on a host of its own. Every relay and half of the listeners die one after the
other; then half of who is left dies at once. Prints what survivors lost;
exits 1 if any of them lost a frame to the single deaths."""

import itertools
import math
import random
import sys
import time

from far import SETTLE_SECONDS, FarAir, parse_arguments, run_script
from lib import Stage
from table import print_table

KINDS = ("sigkill", "sigstop", "drop", "nft")
MASS_SECONDS = 10  # for the survivors of many
COLUMNS = ("deaths", "died", "silent", "interior in", "survivors",
           "of whom lose", "frames lost, most", "all together",
           "longest gap s", "last one after s")
MORE = (
    ("--kinds", {"default": "sigkill,sigstop",
                 "help": f"of {', '.join(KINDS)}"}),
    ("--step", {"type": float, "default": 1, "metavar": "SECONDS",
                "help": "between two deaths"}),
)


def read_arguments(argv):
    return parse_arguments(argv, __doc__, MORE, relays=2, listeners=40)


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

    def run(self):
        air = self.air
        air.start_all()
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
        air.stop()

    def figures(self):
        """Of single deaths and of the mass death."""
        lost = self.air.all_losses()
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
    seconds = ((options.relays + options.listeners / 2) * options.step
               + options.latency / 1000 + SETTLE_SECONDS + MASS_SECONDS)
    with Stage(options.build) as stage:
        deaths = Deaths(FarAir(stage, options, seconds), kind, options)
        deaths.run()
        return deaths.figures()


def script():
    options = read_arguments(sys.argv[1:])
    rows = [row for kind in options.kinds.split(",")
            for row in run_one(options, kind)]
    print_table(COLUMNS, rows)
    lost = sum(row["all together"] for row in rows
               if row["deaths"] == "one by one")
    return f"frames lost to single deaths: {lost}" if lost else ""


if __name__ == "__main__":
    sys.exit(run_script("deaths.py", script))
