"""Network namespaces: loopback of one's own, with loss, with processes cut
off from the rest; several joined by a bridge, and some of them behind a router."""

import itertools
import os
import re
import shutil
import subprocess

from lib import Failure, Skip

numbers = itertools.count()


def command(*args, stdin=None):
    done = subprocess.run(args, input=stdin, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(args)}: {done.stderr.strip()}")
    return done.stdout


def need_namespaces():
    """Skips the test where there can be none."""
    if os.geteuid() != 0:
        raise Skip("network namespaces need root")
    for program in ("ip", "nft"):
        if shutil.which(program) is None:
            raise Skip(f"{program} is not installed")
    name = f"ss-probe-{os.getpid()}"
    done = subprocess.run(["ip", "netns", "add", name], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise Skip(f"no network namespaces here: {done.stderr.strip()}")
    command("ip", "netns", "delete", name)


class Namespace:
    """One namespace, removed with the stage. Its loopback is up."""

    def __init__(self, stage):
        need_namespaces()
        self.name = f"ss-{os.getpid()}-{next(numbers)}"
        command("ip", "netns", "add", self.name)
        # What its processes hold goes when the stage has killed them.
        stage.cleanups.append(self.remove)
        self.ip("link", "set", "lo", "up")
        self.nft("add table inet test; add chain inet test input "
                 "{ type filter hook input priority 0; policy accept; }")

    @property
    def prefix(self):
        """Before a command that is to run inside."""
        return ["ip", "netns", "exec", self.name]

    def ip(self, *args):
        return command("ip", "-netns", self.name, *args)

    def nft(self, text):
        return command(*self.prefix, "nft", "-f", "-", stdin=text)

    def lose(self, percent):
        """From now on so many of a hundred UDP datagrams are lost."""
        per_mille = round(percent * 10)
        self.nft("add rule inet test input meta l4proto udp "
                 f"numgen random mod 1000 < {per_mille} drop")

    def silence(self, port):
        """Drops all datagrams from and to a UDP port, without a word: on
        the input hook, so that senders hear of no error either."""
        self.nft(f"insert rule inet test input udp sport {port} drop; "
                 f"insert rule inet test input udp dport {port} drop")

    def count(self):
        """From now on counts the UDP payload that is sent."""
        self.nft("add chain inet test output "
                 "{ type filter hook output priority 0; policy accept; }; "
                 "add rule inet test output ip protocol udp counter; "
                 "add rule inet test output ip6 nexthdr udp counter")

    def counted(self):
        """Bytes of UDP payload sent since count(). The kernel counts IP and
        UDP headers too, once for each packet as it sees them."""
        found = re.findall(r"counter packets (\d+) bytes (\d+)",
                           self.nft("list chain inet test output"))
        return sum(int(n_bytes) - int(n_packets) * headers
                   for (n_packets, n_bytes), headers in zip(found, (28, 48)))

    def restore(self):
        """Ends loss and silence."""
        self.nft("flush chain inet test input")

    def remove(self):
        subprocess.run(["ip", "netns", "delete", self.name],
                       capture_output=True, check=False)


class Bridge:
    """A namespace that joins others: 10.77.0.0/24 and fd77::/64."""

    def __init__(self, stage):
        self.stage = stage
        self.switch = Namespace(stage)
        self.switch.ip("link", "add", "bridge0", "type", "bridge")
        self.switch.ip("link", "set", "bridge0", "up")
        self.n_hosts = 0

    def host(self):
        """A new namespace on the bridge: (namespace, IPv4, IPv6)."""
        self.n_hosts += 1
        number = self.n_hosts
        host = Namespace(self.stage)
        port = f"port{number}"
        self.switch.ip("link", "add", port, "type", "veth", "peer", "name",
                       "eth0", "netns", host.name)
        self.switch.ip("link", "set", port, "master", "bridge0", "up")
        v4, v6 = f"10.77.0.{number}", f"fd77::{number}"
        host.ip("address", "add", f"{v4}/24", "dev", "eth0")
        host.ip("address", "add", f"{v6}/64", "dev", "eth0", "nodad")
        host.ip("link", "set", "eth0", "up")
        return host, v4, v6


class Router:
    """A host of a bridge that hides others, in 10.78.0.0/16, behind its address.
    From outside comes in only what answers (nft masquerade), and nobody is
    told that anything else does not."""

    def __init__(self, bridge):
        self.stage = bridge.stage
        self.host, self.address, _ = bridge.host()
        command(*self.host.prefix, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        try:
            self.host.nft(
                "add table ip hide; add chain ip hide leave "
                "{ type nat hook postrouting priority srcnat; }; "
                "add rule ip hide leave oifname eth0 masquerade; "
                "add chain ip hide enter "
                "{ type filter hook forward priority 0; }; "
                "add rule ip hide enter iifname eth0 "
                "ct state new drop")
        except Failure as failure:
            raise Skip(f"no masquerade here: {failure}") from failure
        self.host.nft("add rule inet test input iifname eth0 "
                      "meta l4proto udp drop")
        self.n_inside = 0

    def inside(self):
        """A new namespace behind it."""
        self.n_inside += 1
        number = self.n_inside
        inner = Namespace(self.stage)
        port = f"in{number}"
        gateway = f"10.78.{number}.1"
        self.host.ip("link", "add", port, "type", "veth", "peer", "name",
                     "eth0", "netns", inner.name)
        self.host.ip("address", "add", f"{gateway}/24", "dev", port)
        self.host.ip("link", "set", port, "up")
        inner.ip("address", "add", f"10.78.{number}.2/24", "dev", "eth0")
        inner.ip("link", "set", "eth0", "up")
        inner.ip("route", "add", "default", "via", gateway)
        return inner
