"""The network that other tests put between programs: what it loses, delays
and holds back is what it was told."""

import ctypes
import os
import select
import socket
import statistics
import struct
import sys
import time

from internet import Internet
from lib import Stage, expect, run_tests
from namespaces import need_namespaces

PORT = 4000
HEADERS = 28  # of IPv4 and UDP
BUFFER = 16 << 20
WAIT_SECONDS = 10
SLACK = 0.030  # of a busy machine
QUEUE = 64 * 1024  # before a link, unless it was told otherwise


def udp_socket(host):
    """Inside a host; to it there is room for all that a test sends."""
    namespace, address = host
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace.name}", os.O_RDONLY)
    try:
        expect(libc.setns(there, 0) == 0, "setns")
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        expect(libc.setns(here, 0) == 0, "setns")
    finally:
        os.close(here)
        os.close(there)
    made.setsockopt(socket.SOL_SOCKET, 33, BUFFER)  # SO_RCVBUFFORCE
    made.bind((address, PORT))
    return made


class Pair:
    """Two hosts, and datagrams from the one to the other."""

    def __init__(self, build, **options):
        need_namespaces()
        self.stage = Stage(build)
        self.internet = Internet(self.stage, **options)
        self.hosts = [self.internet.host() for _ in range(2)]
        self.sockets = [udp_socket(host) for host in self.hosts]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for made in self.sockets:
            made.close()
        self.stage.close()

    def set_link(self, number, **link):
        self.internet.set_link(self.hosts[number][1], **link)

    def send(self, n, length=100):
        """So many at once; pairs of number and seconds on the way, in the
        order of arrival, once nothing is on its way any more."""
        done = sum(self.internet.stats())
        to = (self.hosts[1][1], PORT)
        for number in range(n):
            head = struct.pack("!Id", number, time.monotonic())
            self.sockets[0].sendto(head.ljust(length, b"."), to)
        arrived, deadline = [], time.monotonic() + WAIT_SECONDS
        while True:
            is_over = sum(self.internet.stats()) >= done + n
            while select.select([self.sockets[1]], [], [], 0.01)[0]:
                number, sent = struct.unpack(
                    "!Id", self.sockets[1].recv(2048)[:12])
                arrived.append((number, time.monotonic() - sent))
            if is_over:
                return arrived
            expect(time.monotonic() < deadline, "datagrams without an end")


def loses_what_it_was_told(build):
    n, share = 4000, 0.1
    lost = []
    for seed in (7, 7, 8):
        with Pair(build, seed=seed) as pair:
            expect(len(pair.send(n)) == n, "a perfect link loses")
            pair.set_link(0, loss_up=100 * share)
            arrived = {number for number, _ in pair.send(n)}
            lost.append(set(range(n)) - arrived)
        off = abs(len(lost[-1]) - n * share)
        expect(off < 5 * (n * share * (1 - share)) ** 0.5,
               f"{len(lost[-1])} of {n} lost where {share} of them should be")
    expect(lost[0] == lost[1], "the same seed loses others")
    expect(lost[0] != lost[2], "another seed loses the same")


def delays_what_it_was_told(build):
    with Pair(build, delay=20) as pair:
        pair.set_link(1, delay=30)
        times = [seconds for _, seconds in pair.send(100)]
        expect(min(times) >= 0.05, f"{min(times):.4f} s are too short")
        middle = statistics.median(times)
        expect(middle < 0.05 + SLACK, f"{middle:.4f} s are too long")
        pair.set_link(0, jitter=40)
        arrived = pair.send(400)
        times = [seconds for _, seconds in arrived]
        expect(min(times) >= 0.05, f"{min(times):.4f} s are too short")
        expect(0.06 < statistics.median(times) < 0.08 + SLACK,
               f"{statistics.median(times):.4f} s are not in the middle")
        numbers = [number for number, _ in arrived]
        expect(numbers != sorted(numbers), "nothing is reordered")


def holds_back_what_it_was_told(build):
    length, kbps = 1000, 1000  # 8 ms each
    for number, direction in ((0, "up"), (1, "down")):
        with Pair(build) as pair:
            pair.set_link(number, **{direction: kbps})
            times = [seconds
                     for _, seconds in pair.send(50, length - HEADERS)]
            expect(len(times) == 50, f"{50 - len(times)} lost")
            wanted = 50 * length * 8 / (kbps * 1000)
            expect(abs(max(times) - wanted) < SLACK,
                   f"{direction}: {max(times):.3f} s, not {wanted:.3f}")
            arrived = pair.send(100, length - HEADERS)
            expect(abs(len(arrived) - QUEUE / length) <= 5,
                   f"{direction}: {len(arrived)} fitted into the queue")


def cuts_off(build):
    with Pair(build) as pair:
        for number in range(2):
            pair.set_link(number, cut=1)
            expect(not pair.send(10), "a host that is cut off hears")
            pair.set_link(number, cut=0)
            expect(len(pair.send(10)) == 10, "it does not hear again")


if __name__ == "__main__":
    sys.exit(run_tests([
        loses_what_it_was_told, delays_what_it_was_told,
        holds_back_what_it_was_told, cuts_off]))
