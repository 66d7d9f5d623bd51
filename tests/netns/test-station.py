"""A station and its listeners, from the two commands of the README on: what
is promised of the programs when all is well."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from air import STATION, Air, median
from lib import Stage, expect, run_tests
from namespaces import Namespace
from packets import (Comparison, Timeline, check_intact, make_source,
                     read_packets, synthesise)

MEDIA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                     "media", "data")
END_OF_STREAM = 4  # in the flags of an Ogg page
QUIT_SECONDS = 2.0  # from a signal to the end
STALL_SECONDS = 0.35
FINGERPRINT = re.compile(r"key ([a-z2-7]{32})")

STATS_MEMBERS = """time node address state leaf_set routing_entries peers
    upload_bps download_bps control_upload_bps upload_bytes download_bytes
    station""".split()
STATION_MEMBERS = """name key role rows packets_received packets_duplicate
    packets_retransmitted packets_from_parity packets_lost packets_rejected
    frames_out frames_lost tune_in_ms latency_ms buffer_ms stripes""".split()
STRIPE_MEMBERS = """index parent root children lag_ms lost
    reparented""".split()


def media(name):
    return os.path.normpath(os.path.join(MEDIA, name))


def loopback(stage):
    """Where the default port is free; without root, the machine's own."""
    if os.geteuid() == 0:
        stage.prefix = Namespace(stage).prefix


def save(stage, listener):
    path = stage.path(f"{listener.name}.ogg")
    with open(path, "wb") as file:
        file.write(listener.output)
    return path


def last_page(data):
    return data[data.rindex(b"OggS"):]


def check_ended(data):
    """The stream's last page says that it is the last."""
    expect(last_page(data)[5] & END_OF_STREAM, "no end of stream")


def check_decodes(path):
    """As with `| opusdec - out.wav`: without a complaint."""
    if shutil.which("opusdec") is None:
        return
    with open(path, "rb") as stream:
        done = subprocess.run(["opusdec", "--quiet", "-", path + ".wav"],
                              stdin=stream, capture_output=True, text=True,
                              check=False)
    complaints = [line for line in done.stderr.splitlines()
                  if "warning" in line.lower() or "error" in line.lower()
                  or "hole" in line.lower()]
    expect(done.returncode == 0 and not complaints,
           f"opusdec: {done.stderr}")


def fingerprint_of(broadcaster):
    found = FINGERPRINT.search(broadcaster.errors)
    expect(found, f"no fingerprint in: {broadcaster.errors}")
    return found.group(1)


def two_terminals(build):
    """Nothing is configured."""
    with Stage(build) as stage:
        loopback(stage)
        source = make_source(build, "opus", 8)
        packets = read_packets(stage, source)
        broadcaster = stage.start("broadcast", "--group", STATION, source,
                                  with_stats=False)
        broadcaster.wait_error("on the air", 20)
        listener = stage.start("listen", STATION, with_stats=False)
        listener.wait_media()
        second = stage.start("listen", STATION, with_stats=False)
        for program in (broadcaster, listener, second):
            status = program.wait(20)
            expect(status == 0, program.describe())
        for told in (STATION, fingerprint_of(broadcaster), ":16160"):
            expect(told in broadcaster.errors,
                   f"'{told}' is not in: {broadcaster.errors}")
        for program in (listener, second):
            path = save(stage, program)
            check_intact(stage, packets, path)
            check_ended(program.output)
            check_decodes(path)
        # Said by each program at its first start, and never again.
        for program, times in ((broadcaster, 1), (listener, 1), (second, 0)):
            said = sum("upload" in line and "address" in line
                       for line in program.errors.splitlines())
            expect(said == times, f"notice {said} times: {program.errors}")


def several_stations(build):
    """Three broadcasters that begin at once, and find each other, on a
    machine whose address is a public one; then all listeners at once."""
    with Stage(build) as stage:
        namespace = Namespace(stage)
        namespace.ip("address", "add", "198.51.100.7/32", "dev", "lo")
        namespace.ip("route", "add", "default", "dev", "lo")
        stage.prefix = namespace.prefix
        source = make_source(build, "opus", 12)
        stations = [f"radio{number}" for number in range(3)]
        broadcasters = [stage.start("broadcast", "--group", station, source)
                        for station in stations]
        for broadcaster in broadcasters:
            broadcaster.wait_error("on the air", 20)
        stage.pause(1)
        listeners = [stage.start("listen", "--duration", 2, station)
                     for station in stations * 2]
        for listener in listeners:
            expect(listener.wait(20) == 0, listener.describe())
            check_intact(stage, read_packets(stage, source),
                         save(stage, listener), to_end=False)
        slowest = max(p.first_media - p.started for p in listeners)
        expect(slowest < 3, f"tuned in after {slowest:.1f} s")
        for program in (*broadcasters, *listeners):
            expect(program.stats["address"].startswith("198.51.100.7:"),
                   program.stats["address"])


def late_and_buffered(build):
    """Wherever a listener tunes in it gets a stream of its own; --buffer is
    on top of the station's latency."""
    with Stage(build) as stage:
        air = Air(stage, make_source(build, "opus", 12), latency_ms=800)
        air.start_node()
        air.start_broadcaster()
        stage.pause(3)
        air.start_listener()
        air.start_listener("--buffer", 700)
        air.wait_end(30)
        for listener, wanted in zip(air.listeners, (0.8, 1.5)):
            path = air.received_path(listener)
            found = check_intact(stage, air.timeline.packets, path)
            listener.comparison = found
            expect(found.positions[0] > 50, "started at the beginning")
            start = read_packets(stage, path)[0].start
            expect(0 <= start < 48000, f"the first granule is {start}")
            latency = median(air.latencies(listener))
            expect(abs(latency - wanted) < wanted * 0.1 + 0.03,
                   f"latency {latency:.3f} s, wanted {wanted} s")


def several_sources(build):
    """Of three codecs, one after the other, the last from standard input,
    to a listener that waited for them."""
    with Stage(build) as stage:
        files = [media(name) for name in ("tone.opus", "tone.ogg",
                                          "tone.oga", "long-frames.opus")]
        packets = read_packets(stage, *files, media("tone.opus"))
        listener = stage.start("listen", "--bind", "127.0.0.1:0", "--wait",
                               20, STATION)
        with open(media("tone.opus"), "rb") as standard_input:
            broadcaster = stage.start(
                "broadcast", "--bind", "127.0.0.1:0", "--group", STATION,
                *files, "-", stdin=standard_input)
            expect(broadcaster.wait(40) == 0, broadcaster.describe())
        expect(listener.wait(10) == 0, listener.describe())
        path = save(stage, listener)
        found = check_intact(stage, packets, path)
        expect(len({p.link for p in read_packets(stage, path)}) == 5,
               "a source is a link")
        expect(found.positions[0] < 50, "the beginning is missing")
        for name in files:
            expect(os.path.basename(name) in broadcaster.errors,
                   f"{name} was not announced: {broadcaster.errors}")


def loop_and_duration(build):
    with Stage(build) as stage:
        packets = read_packets(stage, media("tone.opus"))
        broadcaster = stage.start("broadcast", "--bind", "127.0.0.1:0",
                                  "--loop", "--group", STATION,
                                  media("tone.opus"))
        broadcaster.wait_error("on the air", 20)
        output = stage.path("received.ogg")
        listener = stage.start("listen", "--bind", "127.0.0.1:0",
                               "--duration", 5, "--output", output, STATION)
        expect(listener.wait(15) == 0, listener.describe())
        expect(not listener.output, "media on standard output too")
        found = check_intact(stage, packets, output, to_end=False)
        seconds = found.n_received / len(packets) \
            * Timeline(packets).seconds
        expect(4.5 < seconds < 5.5, f"{seconds:.1f} s for --duration 5")
        expect(broadcaster.stop(signal.SIGINT) == 0, broadcaster.describe())


def broadcaster_stalls(build):
    """The machine lets the broadcaster wait for a moment: what is heard goes
    on as if nothing were."""
    with Stage(build) as stage:
        air = Air(stage, make_source(build, "opus", 9))
        air.start_broadcaster()
        listener = air.start_listener()
        air.wait_tuned([listener])
        for _ in range(3):
            air.broadcaster.send(signal.SIGSTOP)
            stage.pause(STALL_SECONDS)
            air.broadcaster.send(signal.SIGCONT)
            stage.pause(1)
        air.wait_end(30)
        found = air.compare(listener)
        expect(not found.problems(), found.problems())


def transcoded(build):
    """What is not Ogg becomes Opus."""
    with Stage(build) as stage:
        sound = stage.path("sound.wav")
        synthesise(sound, 5, 44100, 1, 12)
        broadcaster = stage.start("broadcast", "--bind", "127.0.0.1:0",
                                  "--group", STATION, "--bitrate", "64k",
                                  sound)
        listener = stage.start("listen", "--bind", "127.0.0.1:0", STATION)
        expect(broadcaster.wait(30) == 0, broadcaster.describe())
        expect(listener.wait(10) == 0, listener.describe())
        path = save(stage, listener)
        headers = subprocess.run(
            [stage.program("ss-oggpackets"), "--headers", path],
            capture_output=True, text=True, check=True).stdout.splitlines()[0]
        expect("opus" in headers.lower(), headers)
        received = Timeline(read_packets(stage, path))
        expect(4 < received.seconds < 5.3, f"{received.seconds:.2f} s of 5 s")
        expect(45e3 < received.bps < 85e3, f"{received.bps:.0f} bit/s")


def by_key(build):
    """NAME@FINGERPRINT, a link, and a fingerprint that nobody has."""
    with Stage(build) as stage:
        air = Air(stage, make_source(build, "opus", 8))
        air.start_broadcaster()
        key = fingerprint_of(air.broadcaster)
        specs = (f"{STATION}@{key}", f"splitstream://{STATION}?key={key}",
                 f"splitstream://r%61dio1?key={key.upper()}")
        right = [stage.start("listen", *air.where, spec) for spec in specs]
        wrong = stage.run("listen", *air.where, "--wait", 3,
                          f"{STATION}@{'a' * 32}")
        expect(wrong.returncode == 4, wrong.describe())
        expect(STATION in wrong.errors.splitlines()[-1], wrong.errors)
        for listener in right:
            expect(listener.wait(20) == 0, listener.describe())
            check_intact(stage, air.timeline.packets, save(stage, listener))


def signals(build):
    """SIGINT and SIGTERM: an orderly end in time; nobody else minds."""
    with Stage(build) as stage:
        air = Air(stage, make_source(build, "opus", 30))
        node = air.start_node()
        air.start_broadcaster()
        for _ in range(4):
            air.start_listener()
        air.wait_tuned(air.listeners)
        stage.pause(2)
        first, second, blocked, last = air.listeners
        for program, number in ((first, signal.SIGINT),
                                (second, signal.SIGTERM),
                                (node, signal.SIGTERM)):
            start = time.monotonic()
            expect(program.stop(number) == 0, program.describe())
            seconds = time.monotonic() - start
            expect(seconds < QUIT_SECONDS, f"{program.name}: {seconds:.1f} s")
        for listener in (first, second):
            check_ended(listener.output)
            check_intact(stage, air.timeline.packets,
                         air.received_path(listener), to_end=False)
        # The broadcaster ends: listeners play out what is on its way.
        start = time.monotonic()
        expect(air.broadcaster.stop() == 0, air.broadcaster.describe())
        expect(time.monotonic() - start < QUIT_SECONDS, "broadcaster slow")
        for listener in (blocked, last):
            expect(listener.wait(10) == 0, listener.describe())
            expect("ended" in listener.errors, listener.errors)
            check_ended(listener.output)
            check_intact(stage, air.timeline.packets,
                         air.received_path(listener), to_end=False)


def second_signal_kills(build):
    """A listener whose reader does not read has something to wait for."""
    with Stage(build) as stage:
        broadcaster = stage.start("broadcast", "--bind", "127.0.0.1:0",
                                  "--group", STATION,
                                  make_source(build, "opus", 30))
        broadcaster.wait_error("on the air", 20)
        reader, writer = os.pipe()
        listener = stage.start("listen", "--bind", "127.0.0.1:0", STATION,
                               output=writer)
        os.close(writer)
        # 64 KiB in the pipe, and more behind it.
        listener.wait_until(
            lambda: listener.station.get("payload_bytes", 0) > 90000, 20,
            "a full pipe")
        start = time.monotonic()
        listener.send(signal.SIGTERM)
        expect(stage.pause(0.5), "it did not wait for its reader")
        listener.send(signal.SIGTERM)
        listener.wait(1)
        os.close(reader)
        expect(time.monotonic() - start < QUIT_SECONDS, "too late")


def statistics(build):
    """The members that monitors rely on, in a file and on stderr."""
    with Stage(build) as stage:
        source = make_source(build, "opus", 8)
        paths = {name: stage.path(f"{name}.jsonl")
                 for name in ("broadcast", "listen")}
        broadcaster = stage.start("broadcast", "--bind", "127.0.0.1:0",
                                  "--group", STATION, "--stats",
                                  paths["broadcast"], source,
                                  with_stats=False)
        broadcaster.wait_error("on the air", 20)
        listener = stage.start("listen", "--bind", "127.0.0.1:0", "--stats",
                               paths["listen"], STATION, with_stats=False)
        noisy = stage.start("listen", "--bind", "127.0.0.1:0", "--stats",
                            "-", "--quiet", "--duration", 2, STATION,
                            with_stats=False)
        for program in (broadcaster, listener, noisy):
            expect(program.wait(20) == 0, program.describe())
        expect(json.loads(noisy.errors.splitlines()[-1])["station"],
               noisy.errors)
        for name, role in (("broadcast", "publisher"),
                           ("listen", "listener")):
            with open(paths[name], encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
            expect(7 <= len(lines) <= 14, f"{len(lines)} lines of {name}")
            for line in lines:
                check_members(line, role)
            ticks = [after["time"] - before["time"] for before, after
                     in zip(lines[1:-2], lines[2:-1])]
            expect(all(0.8 < tick < 1.3 for tick in ticks),
                   f"not each second: {ticks}")
            expect(lines[-1]["station"]["frames_out"] >= 300
                   or role == "publisher", "the last line knows it all")


def check_members(line, role):
    missing = [name for name in STATS_MEMBERS if name not in line]
    station = line.get("station")
    if station is not None:
        missing += [name for name in STATION_MEMBERS if name not in station]
        expect(station["role"] == role, station["role"])
        expect([stripe["index"] for stripe in station["stripes"]]
               == list(range(16)), "not 16 stripes in order")
        missing += [name for name in STRIPE_MEMBERS
                    if name not in station["stripes"][0]]
    expect(not missing, f"missing in the statistics: {missing}")


def identity_is_kept(build):
    with Stage(build) as stage:
        ids = []
        for _ in range(2):
            node = stage.start("node", "--bind", "127.0.0.1:0")
            node.wait_state("alone")
            ids.append(node.stats["node"])
            expect(ids[-1] in node.errors, f"no id in: {node.errors}")
            notices = node.errors.count("first start")
            expect(notices == (len(ids) == 1), f"{notices} notices")
            if len(ids) == 2:
                rival = stage.run("node", "--bind", "127.0.0.1:0")
                expect(rival.returncode == 1, rival.describe())
                expect("--identity" in rival.errors, rival.errors)
            expect(node.stop() == 0, node.describe())
        expect(ids[0] == ids[1], f"another id: {ids}")
        modes = [os.stat(os.path.join(folder, name)).st_mode & 0o777
                 for folder, _, names in os.walk(stage.path("state"))
                 for name in names if name.endswith(".key")]
        expect(modes == [0o600], f"modes of key files: {modes}")


def bootstraps(build):
    """By address, with and without key, partly dead, from the environment;
    none of these nodes shares a runtime directory."""
    with Stage(build) as stage:
        source = make_source(build, "opus", 12)

        def alone(number):
            folder = stage.path(f"run-{number}")
            os.makedirs(folder, mode=0o700)
            return {"XDG_RUNTIME_DIR": folder}
        node = stage.start("node", "--bind", "127.0.0.1:0", env=alone(0))
        node.wait_error("--bootstrap")
        contact = re.search(r"--bootstrap (\S+)", node.errors).group(1)
        key, _, address = contact.partition("@")
        broadcaster = stage.start("broadcast", "--bind", "127.0.0.1:0",
                                  "--bootstrap", contact, "--group", STATION,
                                  source, env=alone(1))
        broadcaster.wait_error("on the air", 20)
        listeners = [
            stage.start("listen", "--bind", "127.0.0.1:0", "--bootstrap",
                        "127.0.0.1:9", "--bootstrap", address, STATION,
                        env=alone(2)),
            stage.start("listen", "--bind", "127.0.0.1:0", STATION,
                        env={**alone(3),
                             "SS_BOOTSTRAP": f"127.0.0.1:9, {address}"}),
            stage.start("listen", "--bind", "127.0.0.1:0", "--bootstrap",
                        f"localhost:{address.rpartition(':')[2]}", STATION,
                        env=alone(4))]
        wrong = "0" if key[0] != "0" else "1"
        refused = stage.run("listen", "--bind", "127.0.0.1:0", "--wait", 3,
                            "--bootstrap", f"{wrong}{key[1:]}@{address}",
                            STATION, env=alone(5))
        expect(refused.returncode == 3, refused.describe())
        packets = read_packets(stage, source)
        for listener in listeners:
            expect(listener.wait(30) == 0, listener.describe())
            check_intact(stage, packets, save(stage, listener))


def over_ipv6(build):
    """A ring on ::1, and who listens on all addresses joins it."""
    with Stage(build) as stage:
        loopback(stage)
        source = make_source(build, "opus", 8)
        node = stage.start("node", "--bind", "[::1]:0")
        node.wait_error("address [::1]:")
        broadcaster = stage.start("broadcast", "--bind", "[::]:0", "--group",
                                  STATION, source)
        broadcaster.wait_error("on the air", 20)
        listener = stage.start("listen", "--bind", "[::1]:0", STATION)
        expect(listener.wait(20) == 0, listener.describe())
        check_intact(stage, read_packets(stage, source),
                     save(stage, listener))
        expect(listener.stats["address"].startswith("[::1]"),
               listener.stats["address"])


def upload_cap(build):
    """Of listeners that others would have forward: it holds, in all but the
    burst that is allowed, and they hear."""
    cap, burst = 60000, 20000  # bit/s, bits
    with Stage(build) as stage:
        air = Air(stage, make_source(build, "opus", 12))
        air.start_node()
        air.start_broadcaster()
        for _ in range(2):
            air.start_listener()
        capped = [air.start_listener("--upload", "60k") for _ in range(2)]
        for _ in range(2):
            air.start_listener()
        air.wait_end(30)
        for listener in capped:
            lines = listener.lines
            for n_lines in (1, 3, len(lines) - 1):
                for first, last in zip(lines, lines[n_lines:]):
                    sent = (last["upload_bytes"] - first["upload_bytes"]) * 8
                    most = cap * (last["time"] - first["time"]) + burst
                    expect(sent <= most, f"{sent} bits where {most:.0f} "
                           f"are allowed, in {n_lines} s")
            found = air.compare(listener)
            expect(found.n_received > 300, "it hears next to nothing")


def cap_below_stream(build):
    """A broadcaster that may upload less than its stream takes says so, and
    what to do, once."""
    with Stage(build) as stage:
        air = Air(stage, make_source(build, "opus", 14))
        air.start_broadcaster("--upload", "60k")
        air.broadcaster.wait_error("greater --upload", 12)
        expect(air.broadcaster.wait(20) == 0, air.broadcaster.describe())
        told = [line for line in air.broadcaster.errors.splitlines()
                if "greater --upload" in line]
        expect(len(told) == 1 and STATION in told[0]
               and "the cap is 60 kbit/s" in told[0], told)


def stands_by(build):
    """The broadcaster dies, and one that stood by with a copy of the key goes
    on in its place: nothing is lost of what either has sent."""
    with Stage(build) as stage:
        source = make_source(build, "opus", 14)
        keys = [stage.path(name) for name in ("key", "copy-of-key")]
        air = Air(stage, source)
        air.start_node()
        air.start_broadcaster("--station-key", keys[0])
        shutil.copy(*keys)
        second = stage.start("broadcast", "--group", STATION, "--standby",
                             "--station-key", keys[1], *air.where, source,
                             name="second")
        second.wait_error("standing by", 10)
        listener = air.start_listener()
        air.wait_tuned([listener])
        stage.pause(2)
        expect("on the air:" not in second.errors, second.describe())
        air.kill(air.broadcaster, "sigkill")
        second.wait_error("on the air:", 10)
        expect(second.wait(30) == 0, second.describe())
        expect(listener.wait(10) == 0, listener.describe())
        received = read_packets(stage, save(stage, listener))
        parts = [[packet for packet in received if packet.link == link]
                 for link in (0, 1)]
        expect(len(parts[0]) + len(parts[1]) == len(received)
               and all(parts), "it was not heard from both")
        for part in parts:
            found = Comparison(air.timeline.packets, part)
            expect(not found.lost and not found.foreign, found.problems())
        expect(found.tail == 0, f"{found.tail} packets of the end are lost")


def standby_ends(build):
    """A broadcast that ends in an orderly way is not taken over."""
    with Stage(build) as stage:
        # Making a source may take as long as the first broadcast.
        first, later = (make_source(build, "opus", seconds)
                        for seconds in (5, 30))
        air = Air(stage, first)
        keys = [stage.path(name) for name in ("key", "copy-of-key")]
        air.start_broadcaster("--station-key", keys[0])
        shutil.copy(*keys)
        second = stage.start("broadcast", "--group", STATION, "--standby",
                             "--station-key", keys[1], *air.where, later,
                             name="second")
        second.wait_error("standing by", 10)
        expect(air.broadcaster.wait(20) == 0, air.broadcaster.describe())
        expect(second.wait(15) == 0, second.describe())
        expect("has ended" in second.errors
               and "on the air:" not in second.errors, second.describe())


def tunes_in_while_joining(build):
    """One of the ring has just fallen silent, and a newcomer's node is not in
    the ring before that one is declared dead. It is heard sooner. (If that one
    was the first that it asked, it is not: then with another.)"""
    with Stage(build) as stage:
        air = Air(stage, make_source(build, "opus", 30))
        air.start_broadcaster()
        for _ in range(6):
            air.start_listener()
        air.wait_tuned(air.listeners)
        for silent in air.listeners[:3]:
            air.kill(silent, "sigstop")
            newcomer = air.start_listener(
                "--verbose", "--bootstrap",
                f"127.0.0.1:{air.broadcaster.port}")
            newcomer.wait_media()
            errors = newcomer.errors
            if "overlay: active" not in errors:
                break
        expect("overlay: active" not in errors, errors)
        newcomer.wait_error("overlay: active", 10)
        air.stop()


if __name__ == "__main__":
    sys.exit(run_tests([
        two_terminals, several_stations, late_and_buffered,
        tunes_in_while_joining, several_sources,
        loop_and_duration, broadcaster_stalls, transcoded, by_key, signals, second_signal_kills, statistics,
        identity_is_kept, bootstraps, over_ipv6, upload_cap, cap_below_stream, stands_by,
        standby_ends], at_once=3))
