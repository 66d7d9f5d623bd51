"""The same file by ss-broadcast and by Icecast, one after the other, to 1, 10
and 40 listeners on one machine: what leaves the source's side, how soon a
listener has media, how old it is, and who loses what when one node is killed
(here the listener that forwards most, or ss-node if there is but one; there
the server) and started again after two seconds, and how long after that it, or
who heard the server, has media again."""

import argparse
import csv
import os
import sys
import time

from air import TUNE_IN_SECONDS, Air, median
from arrivals import Ways
from icecast_air import Readers, Server, Source
from lib import Failure, Skip, Stage, handle_signals
from packets import OPUS_RATE, make_source
from table import print_table

SETTLE_SECONDS = 2
RESTART_SECONDS = 2
COLUMNS = ("system", "listeners", "egress_x", "tune_in_s", "way_p50_ms",
           "way_p99_ms", "behind_s", "hit", "lost_s", "silent_s", "back_s")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", metavar="BUILD", help="build directory")
    parser.add_argument("--listeners", default="1,10,40")
    parser.add_argument("--seconds", type=int, default=12,
                        help="before the kill, and after it")
    parser.add_argument("--kbits", type=int, default=128)
    parser.add_argument("--stagger", type=int, default=200, metavar="MS")
    parser.add_argument("--csv", metavar="FILE")
    return parser.parse_args()


def length_of(n_listeners, options):
    return (2 * options.seconds + 2 * SETTLE_SECONDS + RESTART_SECONDS + 4
            + n_listeners * options.stagger // 1000)


def measure_ours(n_listeners, path, options):
    with Stage(options.build) as stage:
        air = Air(stage, path)
        air.start_node()
        air.start_broadcaster()
        for _ in range(n_listeners):
            air.start_listener()
            stage.pause(options.stagger / 1000)
        air.wait_tuned(air.listeners)
        stage.pause(SETTLE_SECONDS)
        start = time.monotonic()
        stage.pause(options.seconds)
        end = time.monotonic()
        victim = air.node
        if n_listeners > 1:
            victim = max(air.listeners, key=lambda p: p.children())
        listeners = list(air.listeners)
        air.kill(victim, "sigkill")
        stage.pause(RESTART_SECONDS)
        if victim is air.node:
            again = air.start_node(name="node-again")
        else:
            again = air.start_listener()
        air.wait_end(options.seconds + 60)
        ways, behind, lost = Ways(), [], []
        survivors = [p for p in air.survivors() if p in listeners]
        for listener in survivors:
            ways.add(air.broadcaster, listener, start, end, air.wall_offset)
            lost.append(len(air.compare(listener).lost))
            behind.append(median(air.latencies(listener)))
        frame = air.timeline.seconds / len(air.timeline.packets)
        return row("splitstream", n_listeners,
                   air.multiple(air.broadcaster, start, end),
                   median([air.tune_in(p) for p in listeners]),
                   ways.quantile(0.5), ways.quantile(0.99), median(behind),
                   [n * frame for n in lost],
                   max(longest_silence(p.arrivals, end) for p in survivors),
                   air.tune_in(again) if again in air.listeners else None)


def longest_silence(arrivals, since):
    """The longest time without an arrival after that time."""
    times = [since] + [arrival[0] for arrival in arrivals
                       if arrival[0] > since]
    return max((later - earlier for earlier, later in zip(times, times[1:])),
               default=0)


def measure_icecast(n_listeners, path, options):
    server = Server()
    source = Source(server, path, OPUS_RATE)
    readers = Readers(server, OPUS_RATE)
    try:
        if not source.begun.wait(5):
            raise Failure("icecast2 takes nothing from the source")
        for _ in range(n_listeners):
            readers.add()
            source.join(options.stagger / 1000)
        readers.wait_media(TUNE_IN_SECONDS)
        start, bytes_before = time.monotonic(), sum_bytes(readers)
        source.join(options.seconds)
        end, bytes_after = time.monotonic(), sum_bytes(readers)
        server.kill()
        source.join(RESTART_SECONDS)
        server.start()
        restarted = time.monotonic()
        source.join(options.seconds + 60)
        time.sleep(SETTLE_SECONDS)
    finally:
        source.stopping = readers.stopping = True
        readers.join()
        server.close()
    return row("icecast", n_listeners,
               *icecast_figures(source, readers.readers, start, end,
                                bytes_after - bytes_before),
               median([min(at for at, _ in reader.arrivals if at > restarted)
                       - restarted for reader in readers.readers]))


def sum_bytes(readers):
    return sum(reader.n_bytes for reader in readers.readers)


def icecast_figures(source, readers, start, end, n_bytes):
    media = sum(len(page.data) for page in source.media
                if start <= source.sent.get(page.number, 0) < end)
    starts = {page.number: source.origin + page.start
              for page in source.media}
    ways = sorted(at - source.sent[page.number] for reader in readers
                  for at, page in reader.arrivals
                  if start <= source.sent.get(page.number, 0) < end)
    return (n_bytes / media,
            median([reader.arrivals[0][0] - reader.started
                    for reader in readers]),
            ways[len(ways) // 2], ways[len(ways) * 99 // 100],
            # Of who plays from the first page on: burst-on-connect.
            median([reader.arrivals[0][0] - starts[
                reader.arrivals[0][1].number] for reader in readers]),
            [lost_seconds(source, reader) for reader in readers],
            max(longest_silence(reader.arrivals, end) for reader in readers))


def lost_seconds(source, reader):
    got = {page.number for _, page in reader.arrivals}
    return sum(page.seconds for page in source.media
               if min(got) < page.number < max(got)
               and page.number not in got)


def row(system, n_listeners, egress, tune_in, p50, p99, behind, lost,
        silent, back):
    def rounded(value, factor=1, digits=2):
        return None if value is None else round(value * factor, digits)

    return dict(zip(COLUMNS, (
        system, n_listeners, rounded(egress), rounded(tune_in),
        rounded(p50, 1000, 1), rounded(p99, 1000, 1), rounded(behind),
        sum(1 for value in lost if value > 0),
        rounded(sum(lost) / len(lost)), rounded(silent), rounded(back))))


def main():
    handle_signals()
    options = parse_arguments()
    options.build = os.path.abspath(options.build)
    rows = []
    try:
        for n_listeners in map(int, options.listeners.split(",")):
            path = make_source(options.build, "opus",
                               length_of(n_listeners, options),
                               opus_kbits=options.kbits)
            rows.append(measure_icecast(n_listeners, path, options))
            rows.append(measure_ours(n_listeners, path, options))
    except Skip as reason:
        print(f"skipped: {reason}")
        return 77  # as meson has it
    except Failure as failure:
        print(f"icecast.py: {failure}", file=sys.stderr)
        return 1
    print_table(COLUMNS, rows)
    if options.csv:
        with open(options.csv, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
