"""A station on the air: one ss-broadcast, one ss-node, listeners; what
happens to them, and what they did."""

import math
import os
import signal
import statistics
import time

from lib import Failure, expect
from packets import (OPUS_RATE, Comparison, Timeline, packet_arrivals,
                     read_packets)

STATION = "radio1"
ON_AIR_SECONDS = 20
TUNE_IN_SECONDS = 20
NO_STATION = 4  # exit status of a listener that nothing has come to


class Air:
    """Starts nothing by itself. With a namespace everything runs inside
    it."""

    def __init__(self, stage, source, rate=OPUS_RATE, namespace=None,
                 latency_ms=1500, parity=1):
        self.stage, self.source = stage, source
        self.namespace = namespace
        self.latency_ms, self.parity = latency_ms, parity
        if namespace is not None:
            stage.prefix = namespace.prefix
        # Elsewhere than in a namespace, keep out of the way of others.
        self.where = [] if namespace else ["--bind", "127.0.0.1:0"]
        self.timeline = Timeline(read_packets(stage, source), rate)
        self.wall_offset = time.time() - time.monotonic()
        self.node = self.broadcaster = None
        self.nodes, self.listeners = [], []
        self.silenced = set()
        self.stopped = math.inf  # time.time()

    def start(self, program, *args, **options):
        """Any program, where this station's programs run."""
        return self.stage.start(program, *self.where, *args, **options)

    def start_node(self, *args, name="node", **options):
        self.node = self.start("node", *args, name=name, **options)
        self.nodes.append(self.node)
        self.node.wait_state("joined", "alone", seconds=ON_AIR_SECONDS)
        return self.node

    def start_broadcaster(self, *args, **options):
        self.broadcaster = self.start(
            "broadcast", "--group", STATION, "--latency", self.latency_ms,
            "--parity", self.parity, *args, self.source, name="broadcaster",
            **options)
        self.broadcaster.wait_error("on the air", ON_AIR_SECONDS)
        return self.broadcaster

    def start_listener(self, *args, output=None, name=None, **options):
        number = len(self.listeners) + 1
        listener = self.start("listen", *args, STATION, output=output,
                              name=name or f"listener-{number}", **options)
        listener.output_path = output
        self.listeners.append(listener)
        return listener

    def wait_tuned(self, listeners, seconds=TUNE_IN_SECONDS,
                   may_give_up=False):
        """Waits until these have media, or have given up."""
        def is_tuned(listener):
            if not listener.is_running:
                if may_give_up and listener.returncode == NO_STATION:
                    return True
                raise Failure(f"ended early: {listener.describe()}")
            return (listener.first_media
                    or listener.station.get("frames_out", 0) > 0)
        self.stage.wait_all(listeners, is_tuned, seconds, "tuning in")

    # Deaths.

    def kill(self, program, kind):
        """sigkill: the kernel tells peers so at once, by ICMP. sigstop and
        drop: there is nothing but silence."""
        if kind == "sigkill":
            program.send(signal.SIGKILL)
            program.wait(5)  # so that no pause ends with it
        elif kind == "sigstop":
            program.send(signal.SIGSTOP)
        elif kind == "drop":
            self.silence(program)
        else:
            raise Failure(f"unknown kind of death: {kind}")
        self.silenced.add(program)

    def silence(self, program):
        """Nothing goes to it or comes from it any more."""
        expect(self.namespace is not None, "drop needs a namespace")
        expect(program.port, f"no port known: {program.describe()}")
        self.namespace.silence(program.port)

    def bury(self, program):
        """What was only silent ends."""
        program.send(signal.SIGKILL)
        program.send(signal.SIGCONT)
        program.wait(5)

    def is_alive(self, program):
        return program not in self.silenced and program.is_running

    def survivors(self):
        return [p for p in self.listeners if p not in self.silenced]

    # The orderly end.

    def stop(self):
        """Ends the broadcast before its source does."""
        self.stopped = time.time()
        self.broadcaster.stop()
        self.wait_end(0)

    def wait_end(self, seconds):
        """Waits for the broadcast's end and the surviving listeners'; all
        shall end well. What of others is left is killed."""
        status = self.broadcaster.wait(seconds)
        expect(status == 0, f"exit status {status}: "
               + self.broadcaster.describe())
        self.stage.wait_all(self.survivors(), lambda p: not p.is_running,
                            self.latency_ms / 1000 + 10,
                            "the end of the listeners")
        for listener in self.survivors():
            expect(listener.returncode == 0, listener.describe())
        for node in self.nodes:
            if self.is_alive(node):
                expect(node.stop() == 0, node.describe())
        for program in self.silenced:
            self.bury(program)

    # What was received.

    def received_path(self, listener):
        """The file with what this one wrote."""
        if isinstance(listener.output_path, str):
            return listener.output_path
        path = self.stage.path(f"{listener.name}.ogg")
        if not os.path.exists(path):
            with open(path, "wb") as file:
                file.write(listener.output)
        return path

    def compare(self, listener):
        """The comparison with the source; kept with the listener."""
        path = self.received_path(listener)
        if os.path.getsize(path) == 0:
            listener.comparison = Comparison(self.timeline.packets, [])
        else:
            listener.comparison = Comparison(self.timeline.packets,
                                             read_packets(self.stage, path))
        return listener.comparison

    def losses(self, listener):
        """When (time.monotonic) the packets that it lacks were due: those
        between its first and its last."""
        found, origin = self.compare(listener), self.origin()
        if found.foreign or found.shifts:
            raise Failure(f"{listener.name}: {found.problems()}")
        return [origin + self.timeline.time(position)
                + self.latency_ms / 1000 for position in found.lost]

    # Times.

    def origin(self):
        """When (time.monotonic) the source began to play, from what the
        broadcaster had taken of it by each of its lines, as long as there is
        one source. It takes a burst when the first frame of that is due: what
        it had not taken yet was not due, and nearly was at the latest."""
        latest = -math.inf
        for line in self.broadcaster.lines:
            station = line.get("station") or {}
            taken = self.timeline.position_of_bytes(
                station.get("payload_bytes", 0))
            # Before the start and after the end it says nothing.
            if (not 0 < taken < len(self.timeline.packets)
                    or line["time"] >= self.stopped):
                continue
            now = line["time"] - self.wall_offset
            latest = max(latest, now - self.timeline.time(taken))
        expect(latest > -math.inf, "no statistics of the broadcaster")
        return latest

    def latencies(self, listener):
        """Of each packet, in seconds, from source time to complete arrival
        at the reader. Only for listeners whose output is read here."""
        origin = self.origin()
        arrivals = packet_arrivals(listener.output, listener.arrivals)
        positions = listener.comparison.positions
        return [arrival - origin - self.timeline.time(position)
                for arrival, position in zip(arrivals, positions)]

    def tune_in(self, listener):
        """Process start to media at the reader, in seconds; by its own word
        when it writes to a file."""
        if listener.first_media is not None:
            return listener.first_media - listener.started
        own = [line["station"]["tune_in_ms"] for line in listener.lines
               if line.get("station")
               and line["station"]["tune_in_ms"] is not None]
        return own[-1] / 1000 if own else None

    def multiple(self, program, start, end, field="upload_bytes"):
        """How many times the media's bytes this one sent in an interval
        (time.monotonic), all UDP payload counted."""
        lines = [line for line, when in zip(program.lines, program.line_times)
                 if start <= when <= end]
        if len(lines) < 2:
            return None
        origin = self.origin() + self.wall_offset
        first, last = (self.timeline.position_at(line["time"] - origin)
                       for line in (lines[0], lines[-1]))
        media = self.timeline.n_bytes(first, last)
        return (lines[-1][field] - lines[0][field]) / media if media else None


def cpu_per_megabyte(program, start, end, wall_offset):
    """CPU seconds between these times: per MB of media handed out, and per
    MB received, as UDP payload."""
    lines = [line for line in program.lines
             if start <= line["time"] - wall_offset <= end
             and line.get("station")]
    if len(lines) < 2:
        return None, None
    first, last = lines[0], lines[-1]
    cpu = last["cpu_s"] - first["cpu_s"]
    media = (last["station"]["payload_bytes"]
             - first["station"]["payload_bytes"])
    received = last["download_bytes"] - first["download_bytes"]
    return (cpu / (media / 1e6) if media else None,
            cpu / (received / 1e6) if received else None)


def longest_pause(program, before=math.inf, wall_offset=0):
    """The longest time in seconds that one of its stripes brought nothing,
    by its last line before that time (time.monotonic)."""
    stations = [line["station"] for line in program.lines
                if line["time"] - wall_offset <= before
                and line.get("station")]
    return max((stripe["pause_ms"] / 1000
                for stripe in stations[-1]["stripes"]),
               default=None) if stations else None


def cpu_to_start(program):
    """CPU seconds up to the first line that tells of media: the key's work,
    joining and tuning in."""
    for line in program.lines:
        if (line.get("station") or {}).get("frames_out", 0) > 0:
            return line["cpu_s"]
    return None


def total(programs, field):
    return sum(p.station.get(field, 0) for p in programs)


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None
