"""Listeners behind narrow links among others whose links are wide: one whose
uplink carries 1.2 x the stream, one that says so (--upload), and one whose
downlink is just enough. Nobody is to lose a frame. Prints what became of each
and of the others; exits 1 if anybody lost one."""

import sys

from far import QUEUE, SECONDS, FarAir, parse_arguments, run_script
from lib import Stage
from table import print_table

UP = 1.2  # times the stream's rate; with all headers, as the link counts
DOWN = 1.6
COLUMNS = ("who", "up kbit/s", "down kbit/s", "tune-in s", "lost",
           "up x", "down x", "interior in", "resent", "others lose",
           "of whom", "source up x")
WHO = ("uplink", "--upload", "downlink")
MORE = (
    ("--who", {"default": ",".join(WHO),
               "help": "of these, one after the other"}),
    ("--up", {"type": float, "default": UP, "metavar": "MULTIPLE",
              "help": "of the stream's rate"}),
    QUEUE, SECONDS,
    ("--down", {"type": float, "default": DOWN, "metavar": "MULTIPLE",
                "help": "of the stream's rate"}),
)


def read_arguments(argv):
    return parse_arguments(argv, __doc__, MORE)


def run_one(options, who):
    """One broadcast, with one such listener, in the midst of the others; its
    row of the table."""
    with Stage(options.build) as stage:
        air = FarAir(stage, options, options.seconds)
        rates = {"up": round(options.up * air.timeline.bps / 1000),
                 "down": round(options.down * air.timeline.bps / 1000)}
        way = "down" if who == "downlink" else "up"
        words = ["--upload", f"{rates['up']}k"] if who == "--upload" else []
        narrow = air.start_all(odd=(options.listeners // 2, words,
                                    {way: rates[way], "queue": options.queue}))
        start = max(listener.first_media for listener in air.listeners)
        air.wait_end(air.timeline.seconds)
        return figures(air, narrow, who, {way: rates[way]}, start)


def figures(air, narrow, who, rates, start):
    lost = {p: len(air.losses(p)) + p.comparison.tail for p in air.listeners}
    own = lost.pop(narrow)
    end = air.origin() + air.timeline.seconds
    return {
        "who": who, "up kbit/s": rates.get("up"),
        "down kbit/s": rates.get("down"), "tune-in s": air.tune_in(narrow),
        "lost": own, "up x": air.multiple(narrow, start, end),
        "down x": air.multiple(narrow, start, end, "download_bytes"),
        "interior in": narrow.children(),
        "resent": narrow.station.get("packets_retransmitted"),
        "others lose": sum(lost.values()),
        "of whom": sum(1 for count in lost.values() if count),
        "source up x": air.multiple(air.broadcaster, start, end),
    }


def script():
    options = read_arguments(sys.argv[1:])
    rows = [run_one(options, who) for who in options.who.split(",")]
    print_table(COLUMNS, rows)
    lost = sum(row["lost"] + row["others lose"] for row in rows)
    return f"frames lost: {lost}" if lost else ""


if __name__ == "__main__":
    sys.exit(run_script("access.py", script))
