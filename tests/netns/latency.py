"""How low the latency may be: broadcasts to listeners that are far from one
another, with losses on all links, until the lowest of the given latencies is
found at which nobody loses a frame. Prints a table; exits 1 if a frame is
lost at the latency that is asked for."""

import sys

from air import TUNE_IN_SECONDS, total
from far import SECONDS, FarAir, parse_arguments, run_script
from lib import Stage
from table import print_table

LATENCIES = (200, 300, 400, 500, 600, 800, 1000, 1500, 2000, 3000)
COLUMNS = ("loss %", "latency ms", "frames", "lost", "losers", "from parity",
           "resent", "up x, source", "up x, mean")
MORE = (
    ("--losses", {"default": "0,1,5,10", "metavar": "PERCENTS",
                  "help": "between any two hosts, one after the other"}),
    ("--loss-max", {"type": float, "default": 5, "metavar": "PERCENT",
                    "help": "at which nothing may be lost at --latency"}),
    ("--only", {"action": "store_true",
                "help": "that latency alone, no search"}),
    SECONDS,
)


def read_arguments(argv):
    return parse_arguments(argv, __doc__, MORE, listeners=12, seconds=15,
                           delay=50)


def broadcast(options, loss, latency):
    """One; its row of the table."""
    options.loss, options.latency = loss, latency
    with Stage(options.build) as stage:
        air = FarAir(stage, options, options.seconds)
        air.start_all()
        start = max(listener.first_media for listener in air.listeners)
        air.wait_end(air.timeline.seconds + TUNE_IN_SECONDS)
        return figures(air, loss, start)


def figures(air, loss, start):
    lost = {p: len(air.losses(p)) + p.comparison.tail for p in air.listeners}
    end = air.origin() + air.timeline.seconds
    uploads = [air.multiple(p, start, end) for p in air.listeners]
    return {
        "loss %": loss, "latency ms": air.latency_ms,
        "frames": sum(p.comparison.n_received for p in air.listeners),
        "lost": sum(lost.values()),
        "losers": sum(1 for count in lost.values() if count),
        "from parity": total(air.listeners, "packets_from_parity"),
        "resent": total(air.listeners, "packets_retransmitted"),
        "up x, source": air.multiple(air.broadcaster, start, end),
        "up x, mean": sum(uploads) / len(uploads),
    }


def search(options, loss, rows):
    """The lowest at which nothing is lost, taking it that at any higher one
    nothing is lost either; None: none is high enough."""
    low, high = 0, len(LATENCIES)
    while low < high:
        middle = (low + high) // 2
        row = broadcast(options, loss, LATENCIES[middle])
        rows.append(row)
        if row["lost"]:
            low = middle + 1
        else:
            high = middle
    return LATENCIES[low] if low < len(LATENCIES) else None


def script():
    options = read_arguments(sys.argv[1:])
    aim = options.latency
    rows, lowest, wanted = [], [], []
    for loss in map(float, options.losses.split(",")):
        if not options.only:
            lowest.append({"loss %": loss, "lowest latency ms":
                           search(options, loss, rows)})
        if loss <= options.loss_max:
            wanted.append(broadcast(options, loss, aim))
    print_table(COLUMNS, rows + wanted)
    if lowest:
        print()
        print_table(("loss %", "lowest latency ms"), lowest)
    lost = sum(row["lost"] for row in wanted)
    return (f"frames lost at {aim} ms, up to {options.loss_max:g}% loss: "
            f"{lost}" if lost else "")


if __name__ == "__main__":
    sys.exit(run_script("latency.py", script))
