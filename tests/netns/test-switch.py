"""ss-listen --control: other stations while it runs, each a link of the
output's chain."""

import subprocess
import sys

from air import ON_AIR_SECONDS
from lib import Stage, expect, run_tests
from packets import Comparison, make_source, read_packets

WHERE = ("--bind", "127.0.0.1:0")
STATIONS = ("radio1", "radio2")
SECONDS = 40  # of either
HEAR_SECONDS = 3
WAIT_SECONDS = 2
SWITCH_MS_MAX = 3000
NO_STATION = 4


class Switched:
    """A listener that is told what to listen to, beside two stations."""

    def __init__(self, stage, build, *words, wait=WAIT_SECONDS):
        self.stage = stage
        self.sources, self.broadcasters = {}, []
        for seed, name in enumerate(STATIONS, 1):
            source = make_source(build, "opus", SECONDS, seed=seed)
            self.sources[name] = read_packets(stage, source)
            broadcaster = stage.start("broadcast", *WHERE, "--group", name,
                                      source, name=name)
            broadcaster.wait_error("on the air", ON_AIR_SECONDS)
            self.broadcasters.append(broadcaster)
        self.listener = stage.start("listen", *WHERE, "--wait", wait,
                                    "--control", *words, STATIONS[0],
                                    stdin=subprocess.PIPE)
        self.hear(STATIONS[0])
        self.node = self.listener.stats["node"]

    def ask(self, line):
        self.listener.process.stdin.write(f"{line}\n".encode())

    def hear(self, name):
        """Waits until the statistics tell of it, and some seconds."""
        def is_heard():
            station = self.listener.station
            return station.get("name") == name and station["frames_out"] > 0
        self.listener.wait_until(is_heard, 10, f"{name} heard")
        self.stage.pause(HEAR_SECONDS)

    def check(self, names):
        """What was written: these stations, each a link, none with a gap."""
        path = self.stage.path("received.ogg")
        with open(path, "wb") as file:
            file.write(self.listener.output)
        packets = read_packets(self.stage, path)
        links = sorted({packet.link for packet in packets})
        expect(len(links) == len(names), f"{len(links)} links, not {names}")
        for link, name in zip(links, names):
            heard = [packet for packet in packets if packet.link == link]
            problems = Comparison(self.sources[name], heard).problems()
            expect(not problems, f"link {link}, {name}: {problems}")
            seconds = sum(packet.duration for packet in heard) / 48000
            expect(seconds > HEAR_SECONDS - 1, f"{name}: {seconds} s")


def stations_switched(build):
    """There and back. What cannot be heard is said, and what was heard before
    goes on; the node stays what it was."""
    with Stage(build) as stage:
        switched = Switched(stage, build)
        listener = switched.listener
        for name in (STATIONS[1], STATIONS[0]):
            switched.ask(name)
            switched.hear(name)
            took = listener.station["tune_in_ms"]
            expect(took < SWITCH_MS_MAX, f"{name} only after {took} ms")
        for line, answer in (("radio3", "nobody broadcasts radio3"),
                             ("radio1@key", "key"), ("", ""),
                             (STATIONS[0], "")):
            after = len(listener.errors)
            switched.ask(line)
            if answer:
                listener.wait_error(answer, WAIT_SECONDS + 5, after)
        stage.pause(1)
        expect(listener.stats["node"] == switched.node, "another node")
        listener.process.stdin.close()
        stage.pause(1)
        expect(listener.stop() == 0, listener.describe())
        switched.check((STATIONS[0], STATIONS[1], STATIONS[0]))


def silent_station(build):
    """One that is known and from which nothing comes is said to be so; the
    next line brings the listener back, and without one it ends."""
    with Stage(build) as stage:
        switched = Switched(stage, build)
        listener, victim = switched.listener, switched.broadcasters[1]
        victim.stop(9)
        for _ in range(2):
            after = len(listener.errors)
            switched.ask(STATIONS[1])
            listener.wait_error("nothing comes from it", 15, after)
            switched.ask(STATIONS[0])
            switched.hear(STATIONS[0])
        after = len(listener.errors)
        switched.ask(STATIONS[1])
        listener.wait_error("nothing comes from it", 15, after)
        listener.process.stdin.close()
        expect(listener.wait(15) == NO_STATION, listener.describe())


def duration_holds(build):
    """Also where nothing has come from the last station for long."""
    with Stage(build) as stage:
        switched = Switched(stage, build, "--duration", "14")
        listener = switched.listener
        switched.broadcasters[1].stop(9)
        switched.ask(STATIONS[1])
        listener.wait_error("nothing comes from it", 15)
        expect(listener.wait(15) == 0, listener.describe())


def input_ends_early(build):
    """Before the first frame, which the buffer delays."""
    with Stage(build) as stage:
        source = make_source(build, "opus", SECONDS)
        broadcaster = stage.start("broadcast", *WHERE, "--group", STATIONS[0],
                                  source)
        broadcaster.wait_error("on the air", ON_AIR_SECONDS)
        listener = stage.start("listen", *WHERE, "--control", "--buffer",
                               "7s", "--duration", "2", STATIONS[0],
                               stdin=subprocess.DEVNULL)
        expect(listener.wait(25) == 0, listener.describe())


def search_outlasts_the_end(build):
    """What is heard ends while another station is sought."""
    with Stage(build) as stage:
        switched = Switched(stage, build, wait=8)
        listener = switched.listener
        switched.ask("radio3")
        switched.broadcasters[0].stop()
        listener.wait_error("radio1 has ended", 8)
        listener.wait_error("nobody broadcasts radio3", 12)
        switched.ask(STATIONS[1])
        switched.hear(STATIONS[1])


if __name__ == "__main__":
    sys.exit(run_tests([stations_switched, silent_station, duration_holds,
                        input_ends_early, search_outlasts_the_end],
                       at_once=2))
