"""The broadcaster's machine is cut off for a while and returns: listeners
are to go on by themselves. Prints when they did; exits 1 if one did not in
time, or not to the end of the broadcast."""

import sys
import time

from far import FarAir, parse_arguments, run_script
from lib import Stage
from packets import packet_arrivals
from table import print_table

AGAIN_SECONDS = 10  # within which all are to hear it again
COLUMNS = ("listener", "silent from s", "heard again after s", "frames lost",
           "last loss after s", "tail")
MORE = (
    ("--cut", {"type": float, "default": 10, "metavar": "SECONDS"}),
    ("--after", {"type": float, "default": 40, "metavar": "SECONDS",
                 "help": "of the broadcast, from its return on"}),
)


def read_arguments(argv):
    return parse_arguments(argv, __doc__, MORE, relays=2)


class Cut:
    """One broadcast."""

    def __init__(self, air, seconds):
        self.air, self.seconds = air, seconds
        self.at = self.back = None
        self.said = {}  # program: how long before

    def run(self):
        air = self.air
        air.start_all()
        self.said = {p: len(p.errors)
                     for p in [air.broadcaster, *air.listeners]}
        self.at = time.monotonic()
        air.silence(air.broadcaster)
        air.stage.pause(self.seconds)
        self.back = time.monotonic()
        air.restore(air.broadcaster)
        air.wait_end(air.timeline.seconds)

    def figures(self):
        lost = self.air.all_losses()
        return [self.figure(p, lost[p]) for p in self.air.listeners]

    def figure(self, listener, lost):
        """It hears what is on its way when the cut comes for as long as the
        latency; what comes after that is news."""
        known = self.at + self.air.latency_ms / 1000 + 1
        times = packet_arrivals(listener.output, listener.arrivals)
        before = [when for when in times if when < known]
        after = [when for when in times if when >= known]
        return {
            "listener": listener.name,
            "silent from s": before[-1] - self.at,
            "heard again after s": after[0] - self.back if after else None,
            "frames lost": len(lost),
            "last loss after s": lost[-1] - self.back if lost else None,
            "tail": listener.comparison.tail,
        }

    def words(self, program):
        return program.errors[self.said[program]:].strip()


def problems(rows):
    found = []
    for row in rows:
        again = row["heard again after s"]
        if again is None or again > AGAIN_SECONDS:
            found.append(f"{row['listener']} does not hear it again in time")
        elif row["tail"]:
            found.append(f"{row['listener']} lacks the end")
    return found


def run_one(options):
    """Its figures; and what broadcaster and first listener said."""
    with Stage(options.build) as stage:
        cut = Cut(FarAir(stage, options, options.cut + options.after),
                  options.cut)
        cut.run()
        return cut.figures(), [(p.name, cut.words(p)) for p in
                               (cut.air.broadcaster, cut.air.listeners[0])]


def script():
    rows, words = run_one(read_arguments(sys.argv[1:]))
    print_table(COLUMNS, rows)
    for name, said in words:
        print(f"\n{name} said: {said or '-'}")
    return "; ".join(problems(rows))


if __name__ == "__main__":
    sys.exit(run_script("cut.py", script))
