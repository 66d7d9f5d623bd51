"""Who shares a listener's access link: a TCP connection that uploads as fast as
it may beside a listener that carries the station for others. TCP is not to be
starved for long, and nobody is to lose a frame. Prints what TCP got without the
listener and beside it, and what was lost; exits 1 if either does not hold."""

import sys

from bulk import Bulk
from far import QUEUE, SECONDS, FarAir, parse_arguments, run_script
from lib import Stage
from table import print_table

WINDOW = 5  # seconds, in each of which TCP is to get
SHARE_LEAST = 0.2  # this share of the link
COLUMNS = ("link kbit/s", "TCP alone", "TCP beside", "least in 5 s",
           "least share", "up x", "interior in", "it loses", "others lose")
MORE = (
    ("--up", {"default": "3,6", "metavar": "MULTIPLES",
              "help": "of the stream's rate: the shared uplink's"}),
    QUEUE, SECONDS,
)


def read_arguments(argv):
    return parse_arguments(argv, __doc__, MORE, queue=32768)


def alone(options, rate):
    """What TCP gets of the link when nobody else is there, in kbit/s."""
    with Stage(options.build) as stage:
        air = FarAir(stage, options, 1)
        source, _ = air.internet.host(up=rate, queue=options.queue)
        sink, address = air.internet.host()
        rates = Bulk(stage, source, sink, address, 10).rates(10)
        return sum(rates) / len(rates)


def beside(options, multiple):
    with Stage(options.build) as stage:
        air = FarAir(stage, options, options.seconds)
        rate = round(multiple * air.timeline.bps / 1000)
        shared = air.start_all(odd=(options.listeners // 2, (),
                                    {"up": rate, "queue": options.queue}))
        start = max(listener.first_media for listener in air.listeners)
        sink, address = air.internet.host()
        bulk = Bulk(stage, shared.namespace, sink, address, options.seconds)
        rates = bulk.rates(options.seconds)
        air.wait_end(air.timeline.seconds)
        lost = {p: len(air.losses(p)) + p.comparison.tail
                for p in air.listeners}
        own = lost.pop(shared)
        windows = [sum(rates[i:i + WINDOW]) / WINDOW
                   for i in range(len(rates) - WINDOW + 1)]
        return {
            "link kbit/s": rate, "TCP beside": sum(rates) / len(rates),
            "least in 5 s": min(windows), "least share": min(windows) / rate,
            "up x": air.multiple(shared, start,
                                 air.origin() + air.timeline.seconds),
            "interior in": shared.children(), "it loses": own,
            "others lose": sum(lost.values()),
        }


def run_one(options, multiple):
    row = beside(options, multiple)
    return {"TCP alone": alone(options, row["link kbit/s"]), **row}


def problems(row):
    found = []
    if row["least share"] < SHARE_LEAST:
        found.append(f"TCP got {row['least share']:.0%} of the link for "
                     f"{WINDOW} s")
    lost = row["it loses"] + row["others lose"]
    if lost:
        found.append(f"frames lost: {lost}")
    return found


def script():
    options = read_arguments(sys.argv[1:])
    rows = [run_one(options, float(multiple))
            for multiple in options.up.split(",")]
    print_table(COLUMNS, rows)
    return "; ".join(f"{row['link kbit/s']} kbit/s: {text}" for row in rows
                     for text in problems(row))


if __name__ == "__main__":
    sys.exit(run_script("neighbour.py", script))
