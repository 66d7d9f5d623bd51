"""Whose station it is: keys that are pinned, chosen, taken; a broadcaster
that dies and comes back."""

import os
import signal
import sys
import time

from air import STATION, Air
from lib import Stage, expect, run_tests
from packets import Comparison, check_intact, make_source, read_packets

WHERE = ("--bind", "127.0.0.1:0")
SILENCE_SECONDS = 3  # in which a listener says that nothing is heard


def broadcast(stage, source, state, *args, name=None):
    """One with state of its own, and so with a key of its own."""
    broadcaster = stage.start("broadcast", *WHERE, "--group", STATION,
                              "--state-dir", stage.path(state), *args,
                              source, name=name)
    broadcaster.wait_error("on the air", 20)
    return broadcaster


def key_of(broadcaster):
    broadcaster.wait_until(lambda: broadcaster.station, 5, "statistics")
    return broadcaster.station["key"]


def listen(stage, state, *args, station=STATION):
    return stage.start("listen", *WHERE, "--state-dir", stage.path(state),
                       *args, station)


def received(stage, listener):
    path = stage.path(f"{listener.name}.ogg")
    with open(path, "wb") as file:
        file.write(listener.output)
    return path


def another_key(build):
    """A second broadcaster under the name, with another key: who pinned the
    first keeps to it, who is new has to choose."""
    with Stage(build) as stage:
        first_source = make_source(build, "opus", 20, seed=1)
        second_source = make_source(build, "opus", 20, seed=2)
        first = broadcast(stage, first_source, "first")
        pinned = listen(stage, "pinned")
        pinned.wait_media()
        second = broadcast(stage, second_source, "second", "--title",
                           "The other one")
        keys = [key_of(first), key_of(second)]
        expect(keys[0] != keys[1], "one key for two states")

        # Tunes in again, while both are on the air: the pinned one.
        again = listen(stage, "pinned", "--duration", 3)
        expect(again.wait(15) == 0, again.describe())
        packets = read_packets(stage, first_source)
        check_intact(stage, packets, received(stage, again), to_end=False)

        new = listen(stage, "new")
        expect(new.wait(15) == 4, new.describe())
        for words in (*keys, STATION, "The other one"):
            expect(words in new.errors, f"no {words} in: {new.errors}")
        expect(not new.output, "played one nevertheless")
        chosen = listen(stage, "new", "--duration", 2,
                        station=f"{STATION}@{keys[1]}")
        expect(chosen.wait(15) == 0, chosen.describe())
        check_intact(stage, read_packets(stage, second_source),
                     received(stage, chosen), to_end=False)

        # The first ends: its listener with it, and the second is refused.
        expect(first.stop() == 0, first.describe())
        expect(pinned.wait(10) == 0, pinned.describe())
        check_intact(stage, packets, received(stage, pinned), to_end=False)
        refused = listen(stage, "pinned")
        expect(refused.wait(15) == 6, refused.describe())
        for words in (keys[0], "known-stations", STATION):
            expect(words in refused.errors, f"no {words}: {refused.errors}")
        expect(not refused.output, "played another key")


def same_key_twice(build):
    """The second exits and says so, whether it runs beside the first or
    elsewhere; the first goes on."""
    with Stage(build) as stage:
        air = Air(stage, make_source(build, "opus", 14))
        key = stage.path("station.key")
        copy = stage.path("copy.key")
        air.start_node()
        air.start_broadcaster("--station-key", key)
        with open(key, "rb") as old:
            with open(os.open(copy, os.O_WRONLY | os.O_CREAT, 0o600),
                      "wb") as new:
                new.write(old.read())
        expect(os.stat(key).st_mode & 0o777 == 0o600, "the key can be read")
        air.start_listener()
        air.wait_tuned(air.listeners)
        for path in (key, copy):
            second = stage.start("broadcast", *WHERE, "--group", STATION,
                                 "--station-key", path, air.source)
            expect(second.wait(10) == 1, second.describe())
            line = second.errors.splitlines()[-1]
            expect("on the air already" in line, line)
        air.wait_end(30)
        check_intact(stage, air.timeline.packets,
                     air.received_path(air.listeners[0]))


def killed_and_back(build):
    """Listeners say so in time and keep their output open; the same key goes
    on, once. Then for good."""
    with Stage(build) as stage:
        source = make_source(build, "opus", 20)
        node = stage.start("node", *WHERE)
        node.wait_state("alone")
        first = broadcast(stage, source, "station", name="first")
        patient = listen(stage, "patient")
        hasty = listen(stage, "hasty", "--rejoin", 3)
        for listener in (patient, hasty):
            listener.wait_media()
        stage.pause(2)
        killed = time.monotonic()
        first.send(signal.SIGKILL)
        for listener in (patient, hasty):
            listener.wait_error("nothing heard", SILENCE_SECONDS + 1)
            seconds = listener.error_times[-1][0] - killed
            expect(seconds < SILENCE_SECONDS, f"said so after {seconds:.1f} s")
        expect(hasty.wait(6) == 1, hasty.describe())
        expect("did not return" in hasty.errors, hasty.errors)
        length = len(patient.output)

        second = broadcast(stage, source, "station", name="second")
        patient.wait_error("is back", 10)
        patient.wait_until(lambda: len(patient.output) > length + 40000, 15,
                           "media of the second broadcast")
        expect(second.stop() == 0, second.describe())
        expect(patient.wait(10) == 0, patient.describe())
        packets = read_packets(stage, source)
        # The source began anew: each broadcast is a link of the chain.
        links = {}
        for packet in read_packets(stage, received(stage, patient)):
            links.setdefault(packet.link, []).append(packet)
        expect(len(links) == 2, f"{len(links)} links")
        for link in links.values():
            found = Comparison(packets, link)
            expect(not found.problems(), found.problems())


def frozen_broadcaster(build):
    """Stopped, and told to go on after a while: no other broadcast began, so
    this one goes on."""
    with Stage(build) as stage:
        air = Air(stage, make_source(build, "opus", 12))
        air.start_node()
        air.start_broadcaster()
        listener = air.start_listener()
        air.wait_tuned([listener])
        stage.pause(1)
        air.broadcaster.send(signal.SIGSTOP)
        listener.wait_error("nothing heard", SILENCE_SECONDS + 1)
        air.broadcaster.send(signal.SIGCONT)
        listener.wait_error("is back", 5)
        air.wait_end(40)
        found = air.compare(listener)
        expect(not found.foreign and not found.lost and not found.tail,
               f"{found.problems()}; {found.tail} missing at the end")


if __name__ == "__main__":
    sys.exit(run_tests([another_key, same_key_twice, killed_and_back,
                        frozen_broadcaster], at_once=3))
