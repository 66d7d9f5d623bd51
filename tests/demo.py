"""The demonstration: one ss-node, one ss-broadcast of data/demo.ogg and eight
ss-listen on loopback; at half time a listener that forwards to others is
killed. At the end the received files are compared with what was sent, codec
packet by codec packet: exits 1 when a surviving listener lost any.

Usage: demo.py BUILD_DIRECTORY"""

import os
import shutil
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "netns"))

from air import Air  # noqa: E402
from lib import Failure, Skip, Stage, handle_signals  # noqa: E402

N_LISTENERS = 8
START_SECONDS = 0.2  # between two listeners
PLAIN_SECONDS = 5  # between two reports where nothing can be redrawn

IS_TERMINAL = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
HAS_COLOUR = IS_TERMINAL and "NO_COLOR" not in os.environ


def paint(text, code):
    return f"\033[{code}m{text}\033[0m" if HAS_COLOUR else text


def good(text):
    return paint(text, "32")


def bad(text):
    return paint(text, "31")


def strong(text):
    return paint(text, "1")


def number(value, unit=""):
    return "-" if value is None else f"{value:.0f}{unit}"


def size(n_bytes):
    return f"{n_bytes / 1e6:.2f}MB"


class Progress:
    """The state of all listeners, redrawn on a terminal each second; else a
    line now and then."""

    def __init__(self, air, seconds):
        self.air, self.seconds = air, seconds
        self.started = time.monotonic()
        self.n_drawn = 0
        self.last_plain = -PLAIN_SECONDS
        self.notes = []

    def elapsed(self):
        return time.monotonic() - self.started

    def note(self, text):
        """Something that happened, kept on the screen."""
        if IS_TERMINAL:
            self.erase()
        print(text, flush=True)
        if IS_TERMINAL:
            self.draw()

    def erase(self):
        if self.n_drawn:
            sys.stdout.write(f"\033[{self.n_drawn}A\033[J")
            self.n_drawn = 0

    def row(self, listener):
        name = listener.name
        if listener in self.air.silenced:
            return f"  {name:<12} " + bad("killed")
        if not listener.is_running:
            return f"  {name:<12} played out"
        station = listener.station
        if not station.get("frames_out"):
            return f"  {name:<12} tuning in"
        filled = min(int((station["buffer_ms"] or 0) / 100), 20)
        return (f"  {name:<12} {listener.parents():>3}/16"
                f"  {number(station['buffer_ms'], ' ms'):>8} "
                f"{'|' * filled:<20} {number(station['latency_ms'], ' ms'):>8}"
                f"  {listener.children():>3}")

    def draw(self):
        if not IS_TERMINAL:
            return
        seconds = min(self.elapsed(), self.seconds)
        lines = [strong(f"  {seconds:4.0f} of {self.seconds:.0f} s   "
                        "stripes    buffer                      latency"
                        "  feeds"),
                 *map(self.row, self.air.listeners)]
        self.erase()
        print("\n".join(lines), flush=True)
        self.n_drawn = len(lines)

    def plain(self):
        if self.elapsed() - self.last_plain < PLAIN_SECONDS:
            return
        self.last_plain = self.elapsed()
        print(f"  {self.elapsed():4.0f} s  (stripes/buffer/latency)",
              flush=True)
        parts = []
        for listener in self.air.listeners:
            station = listener.station
            if listener in self.air.silenced:
                parts.append("killed")
            elif not station.get("frames_out"):
                parts.append("tuning in")
            else:
                parts.append(f"{listener.parents()}/"
                             f"{number(station['buffer_ms'])}/"
                             f"{number(station['latency_ms'], ' ms')}")
        for at in range(0, len(parts), 4):
            print("        " + "".join(f"{part:<18}"
                                       for part in parts[at:at + 4]).rstrip(),
                  flush=True)

    def report(self):
        if IS_TERMINAL:
            self.draw()
        else:
            self.plain()

    def until(self, condition, seconds):
        """Shows what happens until the condition holds; whether it does."""
        end = time.monotonic() + seconds
        while True:
            self.report()
            with self.air.stage.hub.changed:
                left = end - time.monotonic()
                if self.air.stage.hub.changed.wait_for(condition,
                                                       min(left, 1)):
                    return True
            if left <= 1:
                return condition()


def choose_victim(air):
    """The listener that forwards in most stripes."""
    return max((p for p in air.listeners if p.is_running),
               key=lambda p: (p.children(), p.name))


def start(air, progress, folder):
    print(f"  ss-node       {air.node.stats['address']}")
    print(f"  ss-broadcast  {air.broadcaster.station['name']}, key "
          f"{air.broadcaster.station['key']}")
    for index in range(N_LISTENERS):
        air.start_listener(
            output=os.path.join(folder, f"listener-{index + 1}.ogg"))
        air.stage.pause(START_SECONDS)
    print(f"  ss-listen     {N_LISTENERS} times", flush=True)
    print(flush=True)
    progress.until(lambda: all(p.station.get("frames_out")
                               for p in air.listeners), 20)
    missing = [p for p in air.listeners if not p.station.get("frames_out")]
    if missing:
        raise Failure("did not tune in: " + missing[0].describe())


def play(air, progress):
    """The broadcast with a death in the middle; the interval in which all
    had tuned in."""
    begin = time.monotonic()
    half = air.timeline.seconds / 2
    progress.until(lambda: progress.elapsed() >= half,
                   half - progress.elapsed())
    victim = choose_victim(air)
    air.kill(victim, "sigkill")
    progress.note(f"  {half:4.0f} s: killed {victim.name} (SIGKILL), which "
                  f"fed others in {victim.children()} stripes")
    alive = [air.broadcaster, *air.survivors()]
    progress.until(lambda: not any(p.is_running for p in alive),
                   half + air.latency_ms / 1000 + 10)
    if IS_TERMINAL:
        progress.erase()
    print()
    air.wait_end(10)
    return begin, time.monotonic()


def print_table(air):
    print(strong("                                packets  packets packets"
                 "  frames"))
    print(strong("  listener    tune-in  latency  rebuilt   resent    lost"
                 "    lost      up    down"))
    n_bad = 0
    for listener in air.listeners:
        if listener in air.silenced:
            print(f"  {listener.name:<10}  killed at half time")
            continue
        found = air.compare(listener)
        problems = found.problems()
        lost = len(found.lost) + found.tail
        is_good = not problems and not found.tail
        n_bad += not is_good
        station, stats = listener.station, listener.stats
        verdict = f"{lost:>8}"
        print(f"  {listener.name:<10}{number(station['tune_in_ms'], ' ms'):>9}"
              f"{number(station['latency_ms'], ' ms'):>9}"
              f"{station['packets_from_parity']:>9}"
              f"{station['packets_retransmitted']:>9}"
              f"{station['packets_lost']:>8}"
              + (good(verdict) if is_good else bad(verdict))
              + f"{size(stats['upload_bytes']):>8}"
              f"{size(stats['download_bytes']):>8}")
        if not is_good:
            print(bad(f"              {problems or 'the end is missing'}"))
    return n_bad


def players():
    known = (("mpv", "mpv {}"), ("ffplay", "ffplay {}"),
             ("gst-play-1.0", "gst-play-1.0 {}"),
             ("opusdec", "opusdec {}"))
    return [line for name, line in known if shutil.which(name)] or ["mpv {}"]


def finish(air, folder, interval):
    n_bad = print_table(air)
    print()
    multiple = air.multiple(air.broadcaster, *interval)
    sent = size(air.broadcaster.stats["upload_bytes"])
    print(f"  The broadcaster uploaded {sent}"
          + (f", {multiple:.2f} x the media's {air.timeline.bps / 1000:.0f} "
             f"kbit/s, for {N_LISTENERS} listeners." if multiple else "."))
    if n_bad:
        print(bad(f"  {n_bad} of {len(air.survivors())} surviving listeners "
                  "lost something."))
    else:
        print(good(f"  All {len(air.survivors())} surviving listeners hold "
                   "every codec packet from their first on,"))
        print(good("  bit for bit."))
    kept = os.path.relpath(folder)
    if kept.startswith(".."):
        kept = folder
    print(f"  What they received: {kept}/listener-*.ogg; play one with")
    survivor = os.path.join(kept, f"{air.survivors()[0].name}.ogg")
    for line in players():
        print("    " + line.format(survivor))
    return 1 if n_bad else 0


def demonstrate(build):
    source = os.path.join(ROOT, "data", "demo.ogg")
    folder = os.path.join(build, "demo")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with Stage(build) as stage:
        air = Air(stage, source)
        print(strong(f"{air.timeline.seconds:.0f} s of music, Ogg Opus of "
                     f"{air.timeline.bps / 1000:.0f} kbit/s, from one "
                     f"broadcaster to {N_LISTENERS} listeners"), flush=True)
        air.start_node()
        air.start_broadcaster("--title", "Demonstration")
        air.broadcaster.wait_until(lambda: air.broadcaster.station, 10,
                                   "statistics")
        progress = Progress(air, air.timeline.seconds)
        start(air, progress, folder)
        interval = play(air, progress)
        return finish(air, folder, interval)


def main():
    handle_signals()
    if len(sys.argv) != 2:
        print("usage: demo.py BUILD_DIRECTORY", file=sys.stderr)
        return 2
    try:
        return demonstrate(os.path.abspath(sys.argv[1]))
    except (Failure, Skip) as failure:
        print(bad(f"The demonstration failed: {failure}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
