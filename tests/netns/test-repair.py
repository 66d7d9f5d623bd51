"""Twenty nodes on five hosts, one of which loses datagrams: how long the
ring takes to form, to close over nodes that die at once, and to be one again
after a host was cut off. All leaf sets hold the whole ring when it is right,
so their sizes tell. Statistics come once a second: so exact are the times.

With CUT_SECONDS=600 in the environment a host is cut off for ten minutes."""

import os
import signal
import sys
import time

from lib import Stage, run_tests
from namespaces import Bridge, need_namespaces

HOSTS = 5
NODES_PER_HOST = 4
PORT = 16160
LOSSY, CUT = 1, 2  # hosts
LOSS_PERCENT = 5
DEAD = 4
CUT_SECONDS = int(os.environ.get("CUT_SECONDS", "20"))
JOIN_SECONDS = 30
REPAIR_SECONDS = 60  # at most, for each


class Ring:
    """The nodes, by host."""

    def __init__(self, stage):
        self.stage = stage
        self.bridge = Bridge(stage)
        self.hosts = [self.bridge.host() for _ in range(HOSTS)]
        self.nodes = []

    def start(self, number):
        host, place = divmod(number, NODES_PER_HOST)
        namespace, v4, _ = self.hosts[host]
        self.stage.prefix = namespace.prefix
        env = {}
        for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
            env[name] = self.stage.path(f"{name}-{number}")
            os.makedirs(env[name], mode=0o700, exist_ok=True)
        first = f"{self.hosts[0][1]}:{PORT}"
        args = ["--bind", f"{v4}:{PORT + place}"]
        args += ["--bootstrap", first] if number > 0 else ["--verbose"]
        node = self.stage.start("node", *args, name=f"node-{number}", env=env)
        node.host = host
        self.nodes.append(node)
        return node

    def alive(self):
        return [node for node in self.nodes if node.is_running]

    def wait_right(self, what, seconds, since, groups=None):
        """Until in each group everybody has everybody as a leaf."""
        groups = groups or [self.alive()]
        sizes = {node: len(group) - 1 for group in groups for node in group}

        def is_right(node):
            return (node.line_times and node.line_times[-1] > since
                    and node.stats.get("leaf_set") == sizes[node])
        try:
            self.stage.wait_all(list(sizes), is_right, seconds, what)
        finally:
            wrong = [f"{node.name}: {node.stats.get('leaf_set')} of {size}"
                     for node, size in sizes.items()
                     if node.stats.get("leaf_set") != size]
            for text in wrong:
                print(f"# {text}")
        print(f"# {what}: {time.monotonic() - since:.1f} s", flush=True)

    def cut_off(self, number):
        """Nothing goes to this host or comes from it; nobody is told."""
        address = self.hosts[number][1]
        for host, (namespace, _, _) in enumerate(self.hosts):
            namespace.nft(
                "insert rule inet test input iifname eth0 drop"
                if host == number else
                f"insert rule inet test input ip saddr {address} drop")

    def heal(self):
        for host, (namespace, _, _) in enumerate(self.hosts):
            namespace.restore()
            if host == LOSSY:
                namespace.lose(LOSS_PERCENT)


def repair(build):
    need_namespaces()
    with Stage(build) as stage:
        ring = Ring(stage)
        ring.hosts[LOSSY][0].lose(LOSS_PERCENT)
        started = time.monotonic()
        ring.start(0).wait_state("alone")
        for number in range(1, HOSTS * NODES_PER_HOST):
            ring.start(number)
        n_nodes = len(ring.nodes)
        ring.wait_right(f"{n_nodes} nodes join, one host losing "
                        f"{LOSS_PERCENT}%", JOIN_SECONDS, started)

        # One of each host but the first and the one to be cut off: by turns
        # with ICMP errors and in silence.
        victims = [node for node in ring.nodes[1:]
                   if node.host != CUT][::3][:DEAD]
        died = time.monotonic()
        for number, victim in enumerate(victims):
            victim.send(signal.SIGSTOP if number % 2 else signal.SIGKILL)
        survivors = [node for node in ring.nodes if node not in victims]
        ring.wait_right(f"{len(victims)} die at once", REPAIR_SECONDS, died,
                        [survivors])
        for text in "has joined", "is suspected", "is dead":
            ring.nodes[0].wait_error(text)
        for victim in victims:
            victim.send(signal.SIGKILL)
            victim.wait(5)
        ring.nodes = survivors

        inside = [node for node in survivors if node.host == CUT]
        outside = [node for node in survivors if node.host != CUT]
        cut = time.monotonic()
        ring.cut_off(CUT)
        ring.wait_right("a host is cut off: two rings", REPAIR_SECONDS, cut,
                        [inside, outside])
        stage.pause(max(0, cut + CUT_SECONDS - time.monotonic()))
        healed = time.monotonic()
        ring.heal()
        ring.wait_right(f"healed after {healed - cut:.0f} s: one ring",
                        REPAIR_SECONDS, healed)


def peers_of_former_times(build):
    """Nobody answers at the addresses given: those of the last ring are
    tried."""
    with Stage(build) as stage:
        def start(name, *args):
            env = {}
            for variable in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
                env[variable] = stage.path(f"{variable}-{name}")
                os.makedirs(env[variable], mode=0o700, exist_ok=True)
            return stage.start("node", *args, name=name, env=env)

        first = start("first")
        first.wait_state("alone")
        named = ["--bootstrap", f"127.0.0.1:{first.port}"]
        second, third = start("second", *named), start("third", *named)
        stage.wait_all([first, second, third],
                       lambda node: node.stats.get("leaf_set") == 2, 20,
                       "three nodes in one ring")
        port = second.port
        third.stop()
        second.stop(signal.SIGKILL)
        first.stop(signal.SIGKILL)
        second = start("second", "--bind", f"127.0.0.1:{port}")
        second.wait_state("alone", seconds=20)
        started = time.monotonic()
        third = start("third", *named)
        third.wait_state("joined", seconds=30)
        print(f"# back in the ring: {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    sys.exit(run_tests([repair, peers_of_former_times]))
