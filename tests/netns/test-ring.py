"""Rings of real programs in a namespace, measured for some seconds: with
loss, and with the death of whoever forwards most. Short forms of what
measure.py and kill.py do at length."""

import argparse
import os
import signal
import sys

from air import STATION, Air
from lib import Stage, expect, run_tests
from measure import measure
from namespaces import Bridge, Namespace, need_namespaces
from packets import check_intact, make_source, read_packets

# What depends on the processor's time, or on so short an interval, is left
# to measure.py.
UNSTEADY = ("tune-in", "CPU", "departure", "latency", "upload")


def run(build, **changes):
    need_namespaces()
    options = argparse.Namespace(
        build=build, listeners=9, seconds=8, stagger=100, latency=1500,
        parity=1, loss=0, kill=None, victim="interior", victims=1,
        flac=False, opus_kbits=96, netns=True, keep=None, floor=False)
    vars(options).update(changes)
    figures, limits = measure(options)
    missed = [f"{what}: {value}, limit {most}"
              for what, value, most, met in limits
              if not met and not what.startswith(UNSTEADY)]
    lost = [f"{row['name']}: {row['problems'] or 'no end'}"
            for row in figures["rows"] if row["problems"] or row["tail"]]
    victims = (f"; died: {figures['victims']}, interior in "
               f"{figures['victims_interior_stripes']} stripes"
               if figures["victims"] else "")
    expect(not missed and not lost, "\n".join(missed + lost) + victims)


def two_percent_lost(build):
    run(build, loss=2)


def killed(build):
    run(build, kill="sigkill")


def stopped(build):
    run(build, kill="sigstop")


def cut_off_without_parity(build):
    run(build, kill="drop", parity=0)


def node_cut_off(build):
    run(build, kill="drop", victim="node")


def asleep_for_a_while(build):
    """A listener that is stopped for longer than its death takes to be
    noticed, and goes on: nobody else minds, and it plays on."""
    with Stage(build) as stage:
        air = Air(stage, make_source(build, "opus", 22),
                  namespace=Namespace(stage))
        air.start_node()
        air.start_broadcaster()
        for _ in range(6):
            air.start_listener()
        air.wait_tuned(air.listeners)
        stage.pause(2)
        sleeper = max(air.listeners, key=lambda p: p.children())
        sleeper.send(signal.SIGSTOP)
        stage.pause(5)
        sleeper.send(signal.SIGCONT)
        air.wait_end(40)
        for listener in air.listeners:
            if listener is not sleeper:
                check_intact(stage, air.timeline.packets,
                             air.received_path(listener))
        found = air.compare(sleeper)
        expect(not found.foreign and not found.tail, found.problems())
        # It may have missed what it slept through, and no more.
        expect(len(found.lost) < 7 * 50, f"{len(found.lost)} frames lost")


def several_machines(build):
    """Hosts on one network, by IPv4 and IPv6: nodes learn their addresses
    from their peers, and what is true on one host only stays there."""
    with Stage(build) as stage:
        bridge = Bridge(stage)
        hosts = [bridge.host() for _ in range(4)]
        source = make_source(build, "opus", 14)

        def start(number, program, *args, **options):
            stage.prefix = hosts[number][0].prefix
            folder = stage.path(f"run-{number}")
            os.makedirs(folder, mode=0o700, exist_ok=True)
            return stage.start(program, *args,
                               env={"XDG_RUNTIME_DIR": folder}, **options)
        v4, v6 = hosts[0][1], hosts[0][2]
        node = start(0, "node")
        node.wait_state("alone")
        broadcaster = start(1, "broadcast", "--bootstrap", v4, "--group",
                            STATION, source)
        broadcaster.wait_error("on the air", 20)
        listeners = [start(1, "listen", STATION),  # finds its neighbour
                     start(2, "listen", "--bootstrap", f"{v4}:16160",
                           STATION),
                     start(2, "listen", STATION),
                     start(3, "listen", "--bootstrap", f"[{v6}]:16160",
                           STATION),
                     start(3, "listen", "--bind", "0.0.0.0:0", "--bootstrap",
                           v4, STATION)]
        expect(broadcaster.wait(30) == 0, broadcaster.describe())
        packets = read_packets(stage, source)
        for listener in listeners:
            expect(listener.wait(10) == 0, listener.describe())
            path = stage.path(f"{listener.name}.ogg")
            with open(path, "wb") as file:
                file.write(listener.output)
            check_intact(stage, packets, path)
        for program in (node, broadcaster, *listeners):
            address = program.stats["address"]
            expect("127.0.0.1" not in address and "::1]" not in address,
                   f"{program.name} tells others {address}")


if __name__ == "__main__":
    sys.exit(run_tests([two_percent_lost, killed, stopped,
                        cut_off_without_parity, node_cut_off,
                        asleep_for_a_while, several_machines]))
