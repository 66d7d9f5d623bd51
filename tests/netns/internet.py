"""Hosts far from one another: each a namespace of its own behind an access
link that ss-impair plays, in user space, with the simulator's link model."""

import contextlib
import subprocess

from lib import DIE_WITH_TEST, Failure, expect
from namespaces import Namespace, command

GATEWAY = "10.79.255.254"
HOSTS_MAX = 254 * 250
TUN_QUEUE = 10000  # datagrams, so that a burst waits and is not lost
MAIN, OUT = "100", "200"  # rules of routing, in the order of their numbers


class Internet:
    """What joins the hosts; removed with the stage. Words for links: up and
    down (kbit/s), queue (bytes), loss_up and loss_down (percent), delay and
    jitter (ms), cut (0 or 1); without any a link is perfect. Delay is of a
    host's own link: between two it is the sum."""

    def __init__(self, stage, seed=1, **link):
        self.stage = stage
        self.n_hosts = 0
        self.router = Namespace(stage)
        self._route()
        self.impair = subprocess.Popen(
            [*self.router.prefix, *DIE_WITH_TEST, stage.program("ss-impair"),
             "--seed", str(seed), "tun0"], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        stage.cleanups.append(self._end)
        self._wait_ok("ss-impair")
        self.set_links(**link)

    def _route(self):
        """What comes out of the TUN device goes to its host, all else goes
        into it."""
        router = self.router
        router.ip("tuntap", "add", "dev", "tun0", "mode", "tun")
        router.ip("link", "set", "tun0", "txqueuelen", str(TUN_QUEUE), "up")
        router.ip("address", "add", f"{GATEWAY}/32", "dev", "lo")
        router.ip("rule", "add", "pref", MAIN, "iif", "tun0", "lookup",
                  "main")
        router.ip("rule", "add", "pref", OUT, "lookup", OUT)
        router.ip("route", "add", "default", "dev", "tun0", "table", OUT)
        command(*router.prefix, "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def _wait_ok(self, what):
        line = self.impair.stdout.readline().strip()
        expect(line.startswith("ok"), f"{what}: {line or 'it ended'}")
        return line

    def _end(self):
        # With its input it ends, if it has not yet.
        with contextlib.suppress(BrokenPipeError):
            self.impair.stdin.close()
        self.impair.wait()
        self.impair.stdout.close()

    def _command(self, *words):
        try:
            print(*words, file=self.impair.stdin)
        except BrokenPipeError as error:
            raise Failure("ss-impair has ended") from error
        return self._wait_ok(" ".join(words))

    def host(self, **link):
        """A new namespace: (namespace, IPv4)."""
        expect(self.n_hosts < HOSTS_MAX, "no address left")
        self.n_hosts += 1
        number = self.n_hosts
        host, port = Namespace(self.stage), f"port{number}"
        high, low = divmod(number - 1, 250)
        address = f"10.79.{high}.{low + 1}"
        self.router.ip("link", "add", port, "type", "veth", "peer", "name",
                       "eth0", "netns", host.name)
        self.router.ip("link", "set", port, "up")
        self.router.ip("route", "add", address, "dev", port)
        host.ip("address", "add", f"{address}/32", "dev", "eth0")
        host.ip("link", "set", "eth0", "up")
        host.ip("route", "add", GATEWAY, "dev", "eth0", "scope", "link")
        host.ip("route", "add", "default", "via", GATEWAY)
        self.set_link(address, **link)
        return host, address

    def set_link(self, address, **link):
        """Of one host, from now on; what is not named stays."""
        self._command(address, *(f"{name.replace('_', '-')}={value}"
                                 for name, value in link.items()))

    def set_links(self, **link):
        """Of all hosts to come."""
        self.set_link("default", **link)

    def silence(self, address):
        """Nothing goes to this host or comes from it any more: the router's
        rules drop it, without a word."""
        self.router.nft(
            "add chain inet test forward "
            "{ type filter hook forward priority 0; policy accept; }; "
            f"add rule inet test forward ip saddr {address} drop; "
            f"add rule inet test forward ip daddr {address} drop")

    def stats(self):
        """How many datagrams came through, and how many did not."""
        words = self._command("stats").split()[1:]
        return tuple(int(word.partition("=")[2]) for word in words)
