"""A crowd that comes at once, all of whose uplinks, the broadcaster's and the
relay's among them, carry a few times the stream. Prints what became of them;
exits 1 if anybody hears nothing, or loses a frame after a while."""

import sys

from far import QUEUE, SECONDS, FarAir, parse_arguments, run_script
from lib import Stage, expect
from table import print_table

SETTLE_SECONDS = 30  # after all are heard; nobody loses a frame from then on
COLUMNS = ("up kbit/s", "listeners", "gave up", "tune-in s, mean", "most",
           "frames", "lost", "later", "source up x", "up x, mean", "most up x")
MORE = (
    ("--up", {"default": "500", "metavar": "KBITS",
              "help": "of all uplinks, one after the other"}),
    QUEUE, SECONDS,
)


def read_arguments(argv):
    return parse_arguments(argv, __doc__, MORE, listeners=30, stagger=100,
                           seconds=60)


def run_one(options, up):
    """One broadcast; its row of the table."""
    with Stage(options.build) as stage:
        air = FarAir(stage, options, options.seconds)
        air.internet.set_links(up=up, queue=options.queue)
        air.start_all(may_give_up=True)
        expect(air.listeners, "all listeners have given up")
        heard = max(listener.first_media for listener in air.listeners)
        air.wait_end(air.timeline.seconds)
        return {"up kbit/s": up, "listeners": len(air.listeners),
                "gave up": options.listeners - len(air.listeners),
                **figures(air, heard)}


def figures(air, heard):
    losses = {p: air.losses(p) for p in air.listeners}
    end = air.origin() + air.timeline.seconds
    uploads = [air.multiple(p, heard, end) for p in air.listeners]
    tune_ins = [air.tune_in(p) for p in air.listeners]
    return {
        "tune-in s, mean": sum(tune_ins) / len(tune_ins),
        "most": max(tune_ins),
        "frames": sum(p.comparison.n_received for p in air.listeners),
        "lost": sum(len(dues) + p.comparison.tail
                    for p, dues in losses.items()),
        "later": sum(p.comparison.tail + sum(
            due > heard + SETTLE_SECONDS for due in dues)
            for p, dues in losses.items()),
        "source up x": air.multiple(air.broadcaster, heard, end),
        "up x, mean": sum(uploads) / len(uploads),
        "most up x": max(uploads),
    }


def script():
    options = read_arguments(sys.argv[1:])
    rows = [run_one(options, int(up)) for up in options.up.split(",")]
    print_table(COLUMNS, rows)
    gave_up = sum(row["gave up"] for row in rows)
    if gave_up:
        return f"listeners that heard nothing: {gave_up}"
    later = sum(row["later"] for row in rows)
    return f"frames lost once all had settled: {later}" if later else ""


if __name__ == "__main__":
    sys.exit(run_script("crowd.py", script))
