"""Who hears it when a listener freezes (SIGSTOP) for a while and goes on, as
when a laptop is closed: nobody else is to lose a frame, and it is to be back
in sync with them. Prints how it went on, and what it said; exits 1 if it did
not, or if another lost something."""

import signal
import statistics
import sys
import time

from far import FarAir, parse_arguments, run_script
from lib import Stage
from packets import packet_arrivals
from table import print_table

AFTER_SECONDS = 10  # from its going on to the next
BACK_SECONDS = 5  # within which it is to be back in sync, and no more lose
SYNC_TOLERANCE = 0.1  # of the latency
COLUMNS = ("frozen s", "interior in", "it loses", "others lose",
           "heard again after s", "last loss after s", "latency after ms")
MORE = (
    ("--freezes", {"default": "1,5,30", "metavar": "SECONDS",
                   "help": "one after the other"}),
)


def read_arguments(argv):
    return parse_arguments(argv, __doc__, MORE)


class Freezes:
    """One broadcast."""

    def __init__(self, air, seconds):
        self.air, self.seconds = air, seconds
        self.frozen = []  # dicts

    def freeze(self, listener, seconds):
        air = self.air
        found = {"listener": listener, "seconds": seconds,
                 "interior": listener.children(),
                 "at": time.monotonic(), "said": len(listener.errors)}
        listener.send(signal.SIGSTOP)
        air.stage.pause(seconds)
        found["again"] = time.monotonic()
        listener.send(signal.SIGCONT)
        air.stage.pause(AFTER_SECONDS)
        found["said"] = listener.errors[found["said"]:].strip()
        self.frozen.append(found)

    def run(self):
        air = self.air
        air.start_all()
        for seconds in self.seconds:
            fresh = [p for p in air.listeners
                     if all(p is not found["listener"]
                            for found in self.frozen)]
            self.freeze(max(fresh, key=lambda p: p.children()), seconds)
        air.stop()

    def figures(self):
        lost = self.air.all_losses()
        return [self.figure(found, lost) for found in self.frozen]

    def figure(self, found, lost):
        end = found["again"] + AFTER_SECONDS
        during = {p: [due for due in dues if found["at"] <= due < end]
                  for p, dues in lost.items()}
        own = during.pop(found["listener"])
        pairs = list(zip(*self.arrivals(found["listener"])))
        again = [when for when, _ in pairs if when >= found["again"]]
        settled = [late for when, late in pairs
                   if found["again"] + BACK_SECONDS <= when < end]
        return {
            "frozen s": found["seconds"], "interior in": found["interior"],
            "it loses": len(own),
            "others lose": sum(map(len, during.values())),
            "heard again after s": (again[0] - found["again"] if again
                                    else None),
            "last loss after s": (max(own[-1] - found["again"], 0.0)
                                  if own else 0.0),
            "latency after ms": (statistics.median(settled) * 1000 if settled
                                 else None),
            "said": found["said"],
        }

    def arrivals(self, listener):
        """Of each packet: when it came, and how late."""
        return (packet_arrivals(listener.output, listener.arrivals),
                self.air.latencies(listener))


def problems(row, latency_ms):
    found = []
    if row["others lose"]:
        found.append(f"others lose {row['others lose']} frames")
    late = row["latency after ms"]
    if late is None or abs(late - latency_ms) > latency_ms * SYNC_TOLERANCE:
        found.append("it is not in sync")
    if row["last loss after s"] > BACK_SECONDS:
        found.append("it goes on losing")
    return found


def run_one(options):
    seconds = [float(word) for word in options.freezes.split(",")]
    with Stage(options.build) as stage:
        freezes = Freezes(
            FarAir(stage, options, sum(seconds)
                   + (AFTER_SECONDS + 1) * len(seconds)), seconds)
        freezes.run()
        return freezes.figures()


def script():
    options = read_arguments(sys.argv[1:])
    rows = run_one(options)
    print_table(COLUMNS, rows)
    for row in rows:
        print(f"\nafter {row['frozen s']:g} s it said: {row['said'] or '-'}")
    return "; ".join(f"{row['frozen s']:g} s: {text}" for row in rows
                     for text in problems(row, options.latency))


if __name__ == "__main__":
    sys.exit(run_script("freeze.py", script))
