"""Listeners behind a NAT: they find out that nobody can reach them unasked,
attach to nodes that can be, and hear everything while these die."""

import glob
import os
import signal
import sys

from air import STATION
from lib import Stage, expect, run_tests
from namespaces import Bridge, Router, need_namespaces
from packets import check_intact, make_source, read_packets

NODES = 6
LISTENERS = 5
ATTACHMENTS = 3
KILLS = 3
SECONDS = 34
ATTACH_SECONDS = 15  # until all have three again


class Net:
    """Nodes on a bridge, one host each, and listeners behind a router, all
    in networks of their own with the same port."""

    def __init__(self, stage):
        self.stage = stage
        self.bridge = Bridge(stage)
        self.router = Router(self.bridge)
        self.n_started = 0

    def start(self, host, program, *args, **options):
        self.stage.prefix = host.prefix
        self.n_started += 1
        env = {}
        for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
            env[name] = self.stage.path(f"{name}-{self.n_started}")
            os.makedirs(env[name], mode=0o700, exist_ok=True)
        program = self.stage.start(program, *args, env=env, **options)
        program.peers_file = lambda: glob.glob(
            os.path.join(env["XDG_STATE_HOME"], "splitstream", "peers-*"))
        return program


def has_attachments(listener):
    return listener.stats.get("attachments") == ATTACHMENTS


def check_place(listeners, outside):
    """Leaves everywhere, and nobody's leaf-set member."""
    for listener in listeners:
        expect(listener.stats["reachable"] is False,
               f"{listener.name} says that it is reachable")
        expect(listener.peers_file(),
               f"{listener.name} remembers nobody")
        expect(listener.stats["leaf_set"] == 0 and listener.children() == 0,
               f"{listener.name} has {listener.stats['leaf_set']} leaves and "
               f"children in {listener.children()} stripes")
    running = [program for program in outside if program.is_running]
    for program in running:
        expect(program.stats["reachable"] is True,
               f"{program.name} says that it is not reachable")
        expect(program.stats["leaf_set"] == len(running) - 1,
               f"{program.name} has a leaf set of "
               f"{program.stats['leaf_set']} of {len(running)} in the ring")


def behind_a_router(build):
    need_namespaces()
    with Stage(build) as stage:
        net = Net(stage)
        source = make_source(build, "opus", SECONDS)
        first, v4, _ = net.bridge.host()
        nodes = [net.start(first, "node", name="node-0")]
        nodes[0].wait_state("alone")
        for number in range(1, NODES):
            host, _, _ = net.bridge.host()
            nodes.append(net.start(host, "node", "--bootstrap", v4,
                                   name=f"node-{number}"))
        stage.wait_all(nodes, lambda p: p.stats.get("state") == "joined", 10,
                       "joining")
        host, _, _ = net.bridge.host()
        broadcaster = net.start(host, "broadcast", "--bootstrap", v4,
                                "--group", STATION, source)
        broadcaster.wait_error("on the air", 20)
        listeners = [net.start(net.router.inside(), "listen", "--bootstrap",
                               v4, STATION, name=f"listener-{number}")
                     for number in range(LISTENERS)]
        stage.wait_all(listeners, has_attachments, 15, "three attachments")
        stage.wait_all(listeners, lambda p: p.first_media, 15, "media")
        for listener in listeners:
            print(f"# {listener.name}: media after "
                  f"{listener.first_media - listener.started:.2f} s")
        stage.pause(2)
        check_place(listeners, [*nodes, broadcaster])
        for number in range(KILLS):
            # Whoever serves most; by turns with and without ICMP.
            victim = max((node for node in nodes if node.is_running),
                         key=lambda p: p.stats["clients"])
            expect(victim.stats["clients"] > 0, "nobody has clients")
            print(f"# {victim.name} dies, of whom {victim.stats['clients']} "
                  "are clients")
            if number % 2:
                victim.send(signal.SIGSTOP)
            else:
                victim.stop(signal.SIGKILL)
            nodes.remove(victim)
            stage.pause(5)
        stage.wait_all(listeners, has_attachments, ATTACH_SECONDS,
                       "three attachments again")
        check_place(listeners, [*nodes, broadcaster])
        expect(broadcaster.wait(SECONDS + 20) == 0, broadcaster.describe())
        packets = read_packets(stage, source)
        for listener in listeners:
            expect(listener.wait(10) == 0, listener.describe())
            path = stage.path(f"{listener.name}.ogg")
            with open(path, "wb") as file:
                file.write(listener.output)
            check_intact(stage, packets, path)


if __name__ == "__main__":
    sys.exit(run_tests([behind_a_router]))
