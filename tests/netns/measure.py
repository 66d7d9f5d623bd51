"""Measures one broadcast: one ss-broadcast, one ss-node, many ss-listen on
loopback. Prints a table and how it stands to the limits in
docs/performance.md. With --check, exits 1 when one is missed."""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import time

from air import (Air, cpu_per_megabyte, cpu_to_start, longest_pause, median,
                 total)
from arrivals import Ways
from lib import Failure, Skip, Stage, handle_signals
from namespaces import Namespace
from packets import OPUS_RATE, make_source

FLOOR_SECONDS = 20
SETTLE_SECONDS = 2  # after the last tune-in, before anything is measured
KINDS = ("sigkill", "sigstop", "drop")
VICTIMS = ("listener", "node", "interior")

BROADCASTER_MULTIPLE_MAX = 1.35
LISTENER_MULTIPLE_MAX = 3.0
MEAN_MULTIPLE_MAX = 1.4
TUNE_IN_MAX = 1.5
LATENCY_TOLERANCE = 0.1
NODE_MEMORY_MAX = 30 << 20
LISTENER_MEMORY_MAX = 60 << 20
CPU_PER_MEGABYTE_MAX = {"flac": 0.015, "opus": 0.09}  # of media
WAY_MEDIAN_MAX = 0.015
WAY_P99_MAX = 0.06
COUNTS_TOLERANCE = 0.01


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", metavar="BUILD", help="build directory")
    parser.add_argument("--listeners", type=int, default=30)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--stagger", type=int, default=250, metavar="MS",
                        help="between the starts of two listeners")
    parser.add_argument("--latency", type=int, default=1500, metavar="MS")
    parser.add_argument("--parity", type=int, default=1, metavar="M")
    parser.add_argument("--loss", type=float, default=0, metavar="PERCENT",
                        help="of all datagrams, at random (root)")
    parser.add_argument("--kill", choices=KINDS,
                        help="at half time; drop needs root")
    parser.add_argument("--victim", choices=VICTIMS, default="interior")
    parser.add_argument("--victims", type=int, default=1, metavar="N",
                        help="so many interior listeners die at once")
    parser.add_argument("--flac", action="store_true",
                        help="Ogg FLAC of 1 Mbit/s, to files; else Ogg Opus, "
                        "through pipes")
    parser.add_argument("--opus-kbits", type=int, default=96)
    parser.add_argument("--netns", action="store_true",
                        help="in a namespace of its own, whatever is asked")
    parser.add_argument("--floor", action="store_true",
                        help="measure afterwards what no design can do "
                        "without (tests/bench/floor.c)")
    parser.add_argument("--json", metavar="FILE", help="the figures as JSON")
    parser.add_argument("--keep", metavar="DIR",
                        help="leave what was received and said there")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)  # others run elsewhere
    return options


def choose_victims(air, options):
    if options.victim == "node":
        return [air.node]
    if options.victim == "listener":
        return [air.listeners[len(air.listeners) // 2]]
    return sorted(air.listeners,
                  key=lambda p: -sum(stripe["children"] for stripe in
                                     p.station.get("stripes", ()))
                  )[:options.victims]


def broadcast(air, stage, options):
    """Runs it all; the interval that is measured, and the victims."""
    air.start_node()
    air.start_broadcaster()
    for _ in range(options.listeners):
        output = None
        if options.flac:
            output = stage.path(f"received-{len(air.listeners) + 1}.oga")
        air.start_listener(output=output)
        stage.pause(options.stagger / 1000)
    air.wait_tuned(air.listeners)
    stage.pause(SETTLE_SECONDS)
    start, victims = time.monotonic(), []
    if options.kill:
        stage.pause(options.seconds / 2)
        victims = choose_victims(air, options)
        for victim in victims:
            victim.was_interior = victim.children()
        for victim in victims:
            air.kill(victim, options.kill)
        stage.pause(options.seconds / 2)
    else:
        stage.pause(options.seconds)
    end = time.monotonic()
    air.wait_end(options.seconds + 60)
    # Lines that the source's end did not reach.
    return start, min(end, air.origin() + air.timeline.seconds), victims


def figures_of(air, options, start, end, victims):
    survivors = air.survivors()
    middle = (start + end) / 2
    ways = Ways()
    figures = {
        "listeners": options.listeners, "seconds": round(end - start, 1),
        "loss_percent": options.loss, "kill": options.kill,
        "victims": [victim.name for victim in victims],
        "victims_interior_stripes": [victim.was_interior
                                     for victim in victims],
        "latency_ms": options.latency, "parity": options.parity,
        "media_bps": round(air.timeline.bps), "rows": [],
        "broadcaster_multiple": air.multiple(air.broadcaster, start, end),
        "broadcaster_cpu_s": air.broadcaster.cpu_seconds,
    }
    if air.node not in victims:
        figures.update(node_multiple=air.multiple(air.node, start, end),
                       node_memory=air.node.memory_peak,
                       node_cpu_s=air.node.cpu_seconds)
    for listener in survivors:
        found = air.compare(listener)
        latencies = air.latencies(listener) if listener.output else []
        ways.add(air.broadcaster, listener, start, end, air.wall_offset)
        per_media, per_received = cpu_per_megabyte(listener, start, end,
                                                   air.wall_offset)
        own = listener.station.get("latency_ms")
        figures["rows"].append({
            "name": listener.name, "tune_in_s": air.tune_in(listener),
            "latency_s": median(latencies) or (own and own / 1000),
            "latency_max_s": max(latencies, default=None),
            "frames": found.n_received, "lost": len(found.lost),
            "tail": found.tail, "foreign": found.foreign,
            "shifts": len(found.shifts), "problems": found.problems(),
            "lost_at_s": sorted({round(air.timeline.time(p), 1)
                                 for p in found.lost}),
            "upload_multiple": air.multiple(listener, start, end),
            "download_multiple": air.multiple(listener, start, end,
                                              "download_bytes"),
            "cpu_s_per_mb": per_media, "cpu_s_per_mb_received": per_received,
            "pause_before_s": longest_pause(listener, middle,
                                            air.wall_offset),
            "pause_s": longest_pause(listener),
            "cpu_to_start_s": cpu_to_start(listener),
            "memory": listener.memory_peak,
            "interior_stripes": listener.children(),
            **{name: listener.station.get(name) for name in
               ("packets_from_parity", "packets_retransmitted",
                "packets_lost", "packets_duplicate", "frames_lost")},
        })
    figures["way_p50_s"] = ways.quantile(0.5)
    figures["way_p99_s"] = ways.quantile(0.99)
    figures["ways"] = ways.n_packets
    figures["packets_from_parity"] = total(survivors, "packets_from_parity")
    figures["packets_retransmitted"] = total(survivors,
                                             "packets_retransmitted")
    return figures


def measure_floor(options):
    """CPU seconds per MB of media of as many processes that only open, verify
    and forward."""
    said = subprocess.run(
        [os.path.join(options.build, "tests/bench/floor"),
         str(options.listeners), str(FLOOR_SECONDS),
         "flac" if options.flac else "opus"],
        check=True, capture_output=True, text=True).stdout
    return float(re.search(r"CPU per MB of media: mean ([\d.]+)", said)[1])


def limits_of(figures, options):
    """Rows of (what, measured as text, limit as text, met)."""
    rows = figures["rows"]
    column = {name: [row[name] for row in rows if row[name] is not None]
              for name in rows[0]}
    limits = []

    def limit(what, value, most, text):
        limits.append((what, text(value) if value is not None else "unknown",
                       f"<= {text(most)}",
                       value is not None and value <= most))

    def count(value):
        return str(value)

    def times(value):
        return f"{value:.2f} x"

    def seconds(value):
        return f"{value:.2f} s"

    def milliseconds(value):
        return f"{1000 * value:.1f} ms"

    def mebibytes(value):
        return f"{value / (1 << 20):.1f} MiB"

    limit("frames lost, all listeners",
          sum(column["lost"]) + sum(column["tail"]), 0, count)
    limit("frames wrong or at another time",
          sum(column["foreign"]) + sum(column["shifts"]), 0, count)
    # What is lost, and what is only not acknowledged, is sent once more.
    resent = 2 * figures["loss_percent"] / 100
    limit("upload of the broadcaster", figures["broadcaster_multiple"],
          BROADCASTER_MULTIPLE_MAX * (1 + resent), times)
    uploads = column["upload_multiple"]
    limit("upload of a listener, most", max(uploads, default=None),
          LISTENER_MULTIPLE_MAX, times)
    limit("upload of a listener, mean",
          sum(uploads) / len(uploads) if uploads else None,
          MEAN_MULTIPLE_MAX, times)
    limit("tune-in, median", median(column["tune_in_s"]), TUNE_IN_MAX,
          seconds)
    wanted = options.latency / 1000
    off = [abs(value - wanted) for value in column["latency_s"]]
    limit("latency off the wanted, most", max(off, default=None),
          wanted * LATENCY_TOLERANCE, seconds)
    if "node_memory" in figures:
        limit("memory of ss-node, peak", figures["node_memory"],
              NODE_MEMORY_MAX, mebibytes)
    limit("memory of a listener, peak", max(column["memory"]),
          LISTENER_MEMORY_MAX, mebibytes)
    if "counted_by_kernel" in figures:
        limit("upload, kernel's count to programs'",
              abs(figures["counted_by_kernel"] - 1), COUNTS_TOLERANCE,
              lambda value: f"1 +- {value:.3f}")
    limit("departure to verified arrival, p50", figures["way_p50_s"],
          WAY_MEDIAN_MAX, milliseconds)
    limit("departure to verified arrival, p99", figures["way_p99_s"],
          WAY_P99_MAX, milliseconds)
    costs = column["cpu_s_per_mb"]
    limit("CPU of a listener per MB of media, mean",
          sum(costs) / len(costs) if costs else None,
          CPU_PER_MEGABYTE_MAX["flac" if options.flac else "opus"],
          lambda value: f"{value:.4f} s")
    return limits


def text_of(value, form):
    return "-" if value is None else form.format(value)


def print_rows(figures):
    columns = (("listener", "name", "{}"), ("tune-in s", "tune_in_s", "{:.2f}"),
               ("latency s", "latency_s", "{:.3f}"),
               ("max s", "latency_max_s", "{:.3f}"),
               ("frames", "frames", "{}"), ("lost", "lost", "{}"),
               ("tail", "tail", "{}"),
               ("parity", "packets_from_parity", "{}"),
               ("resent", "packets_retransmitted", "{}"),
               ("dup", "packets_duplicate", "{}"),
               ("up x", "upload_multiple", "{:.2f}"),
               ("down x", "download_multiple", "{:.2f}"),
               ("interior", "interior_stripes", "{}"),
               ("start CPU s", "cpu_to_start_s", "{:.2f}"),
               ("CPU s/MB", "cpu_s_per_mb", "{:.4f}"),
               ("received", "cpu_s_per_mb_received", "{:.4f}"),
               ("pause s", "pause_s", "{:.2f}"))
    table = [[title for title, _, _ in columns]]
    table += [[text_of(row[name], form) for _, name, form in columns]
              for row in figures["rows"]]
    widths = [max(map(len, column)) for column in zip(*table)]
    for row in table:
        print("  ".join(cell.rjust(width) if number else cell.ljust(width)
                        for number, (cell, width)
                        in enumerate(zip(row, widths))))


def print_most(what, rows, name, form):
    values = [row[name] for row in rows if row[name] is not None]
    if values:
        print(f"{what}: mean {form.format(sum(values) / len(values))}, most "
              f"{form.format(max(values))}")


def print_report(figures, limits):
    print_rows(figures)
    print()
    for row in figures["rows"]:
        if row["problems"]:
            print(f"{row['name']}: {row['problems']}"
                  + (f"; lost at seconds {row['lost_at_s']}"
                     if row["lost_at_s"] else ""))
    if figures["victims"]:
        print(f"killed at half time: {' '.join(figures['victims'])} "
              f"({figures['kill']}), with children in "
              f"{figures['victims_interior_stripes']} stripes")
    print_most("CPU per MB of media", figures["rows"], "cpu_s_per_mb",
               "{:.4f} s")
    if "floor_cpu_s_per_mb" in figures:
        print(f"the floor, CPU per MB of media: "
              f"{figures['floor_cpu_s_per_mb']:.4f} s")
    print_most("CPU per MB received", figures["rows"],
               "cpu_s_per_mb_received", "{:.4f} s")
    print_most("longest pause of a stripe, first half", figures["rows"],
               "pause_before_s", "{:.2f} s")
    print_most("longest pause of a stripe", figures["rows"], "pause_s",
               "{:.2f} s")
    print(f"ways: {figures['ways']} packets, p50 "
          f"{text_of(figures['way_p50_s'], '{:.4f}')} s, p99 "
          f"{text_of(figures['way_p99_s'], '{:.4f}')} s; load "
          f"{os.getloadavg()[0]:.1f}")
    print(f"media {figures['media_bps']} bit/s; packets from parity "
          f"{figures['packets_from_parity']}, retransmitted "
          f"{figures['packets_retransmitted']}; ss-node sent "
          f"{text_of(figures.get('node_multiple'), '{:.2f}')} x, "
          f"CPU of the broadcaster {figures['broadcaster_cpu_s']:.2f} s")
    print()
    width = max(len(what) for what, _, _, _ in limits)
    for what, value, most, met in limits:
        print(f"{'pass' if met else 'FAIL'}  {what.ljust(width)}  "
              f"{value.rjust(12)}  {most}")


def measure(options):
    """One broadcast; (figures, limits)."""
    with Stage(options.build, keep=options.keep) as stage:
        namespace = None
        if options.loss or options.kill == "drop" or options.netns:
            namespace = Namespace(stage)
        # Air before the first listener has tuned in, and after the last
        # measurement.
        length = options.seconds + SETTLE_SECONDS + 6 + math.ceil(
            options.listeners * options.stagger / 1000)
        source = make_source(options.build,
                             "flac" if options.flac else "opus", length,
                             opus_kbits=options.opus_kbits)
        air = Air(stage, source, 44100 if options.flac else OPUS_RATE,
                  namespace, options.latency, options.parity)
        if options.loss:
            namespace.lose(options.loss)
        if namespace:
            namespace.count()
        start, end, victims = broadcast(air, stage, options)
        figures = figures_of(air, options, start, end, victims)
        if namespace and not victims:
            said = sum(p.stats["upload_bytes"] for p in stage.programs)
            figures["counted_by_kernel"] = namespace.counted() / said
        limits = limits_of(figures, options)
    if options.floor:
        figures["floor_cpu_s_per_mb"] = measure_floor(options)
    figures["limits"] = [{"what": what, "value": value, "limit": most,
                          "met": met} for what, value, most, met in limits]
    return figures, limits


def main():
    handle_signals()
    options = parse_arguments()
    try:
        figures, limits = measure(options)
    except (Failure, Skip) as failure:
        print(f"measure.py: {failure}", file=sys.stderr)
        return 1
    print_report(figures, limits)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)
            file.write("\n")
    missed = any(not met for _, _, _, met in limits)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
