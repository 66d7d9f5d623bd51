"""Upload caps hold, and nodes that relay bring what listeners lack."""

import sys
import time

from air import STATION, Air
from lib import Stage, expect, run_tests
from namespaces import Namespace
from packets import make_source

LISTENERS = 8
SECONDS = 30
LISTENER_UPLOAD = 110000  # bit/s: less than what comes in, 125 kbit/s
RELAY_UPLOAD = 1000000
SETTLE_SECONDS = 5
MEASURE_SECONDS = 8
BURST = 16384  # bytes that a cap lets out at once


def upload_of(program, start, end):
    """Bytes sent, and in how many seconds, between these times."""
    lines = [line for line, when in zip(program.lines, program.line_times)
             if start <= when <= end]
    expect(len(lines) >= 2, f"no statistics: {program.describe()}")
    return (lines[-1]["upload_bytes"] - lines[0]["upload_bytes"],
            lines[-1]["time"] - lines[0]["time"])


def check_cap(program, start, end, cap):
    sent, seconds = upload_of(program, start, end)
    expect(sent <= cap / 8 * seconds + BURST,
           f"{program.name} sent {sent} bytes in {seconds:.1f} s, of "
           f"{cap} bit/s")
    return sent


def lost_since(listener, start):
    """Frames lost after this time. Before, a capped neighbour's burst may
    have come too late for a newcomer's first packets."""
    lost = [line["station"]["frames_lost"]
            for line, when in zip(listener.lines, listener.line_times)
            if when >= start and line.get("station")]
    expect(lost, f"no statistics: {listener.describe()}")
    return lost[-1] - lost[0]


def relays_carry(build):
    """Listeners that can pass on less than they get; two nodes that were asked
    to carry this station, and have room for it."""
    with Stage(build) as stage:
        air = Air(stage, make_source(build, "opus", SECONDS),
                  namespace=Namespace(stage))
        air.start_broadcaster()
        relays = [stage.start("node", *air.where, "--relay", STATION,
                              "--upload", RELAY_UPLOAD, "--identity",
                              stage.path(f"relay-{i}.key"), name=f"relay-{i}")
                  for i in range(2)]
        for relay in relays:
            relay.wait_state("joined", seconds=20)
        for _ in range(LISTENERS):
            air.wait_tuned([air.start_listener("--upload", LISTENER_UPLOAD)])
        stage.pause(SETTLE_SECONDS)
        start = time.monotonic()
        stage.pause(MEASURE_SECONDS)
        end = time.monotonic()
        for listener in air.listeners:
            check_cap(listener, start, end, LISTENER_UPLOAD)
        carried = sum(check_cap(relay, start, end, RELAY_UPLOAD)
                      for relay in relays)
        air.wait_end(SECONDS + 10)
        media = air.timeline.bps / 8 * MEASURE_SECONDS
        print(f"# the relays sent {carried / media:.2f} times the media")
        expect(carried > LISTENERS / 3 * media,
               f"the relays sent {carried} bytes, of {media:.0f} media")
        for listener in air.listeners:
            lost = lost_since(listener, start)
            expect(lost == 0, f"{listener.name} lost {lost} frames")


if __name__ == "__main__":
    sys.exit(run_tests([relays_carry]))
