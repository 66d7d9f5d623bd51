"""Bad input: what cannot be read, written, reached or believed. Each has a
clear outcome, and nobody else is disturbed."""

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

from air import STATION, Air
from lib import Skip, Stage, expect, run_tests
from namespaces import Namespace
from packets import check_intact, make_source, read_packets

WHERE = ("--bind", "127.0.0.1:0")
FAILED, NOT_JOINED, NO_STATION, NO_SOURCE = 1, 3, 4, 5
N_RANDOM = 100000
SMALL_DISK = 64 << 10


def last_line(program):
    lines = program.errors.splitlines()
    expect(lines, f"{program.name} says nothing")
    return lines[-1]


def check_told(program, status, *words):
    """The exit status, and a line that tells."""
    expect(program.returncode == status,
           f"exit status {program.returncode}, not {status}: "
           + program.describe())
    for word in words:
        expect(word in last_line(program),
               f"no '{word}' in: {last_line(program)}")


def broadcast(stage, *sources, **options):
    return stage.run("broadcast", *WHERE, "--group", STATION, *sources,
                     **options)


def sources_that_cannot_be_read(build):
    with Stage(build) as stage:
        text, empty, closed = (stage.path(name)
                               for name in ("text", "empty", "closed.ogg"))
        for path, content in ((text, "These are words.\n" * 100),
                              (empty, ""), (closed, "OggS")):
            with open(path, "w", encoding="ascii") as file:
                file.write(content)
        os.chmod(closed, 0)
        absent = stage.path("absent.ogg")
        for path in (absent, text, empty, stage.dir,
                     "http://127.0.0.1:9/none.ogg"):
            done = broadcast(stage, path)
            check_told(done, NO_SOURCE, path)
            expect("on the air" not in done.errors, "went on the air")
        if os.geteuid() == 0:
            if shutil.which("setpriv") is None:
                return
            stage.prefix = ["setpriv", "--bounding-set",
                            "-dac_override,-dac_read_search"]
        check_told(broadcast(stage, closed), NO_SOURCE, closed)
        check_told(broadcast(stage, "-"), NO_SOURCE, "cannot play -")


def truncated_ogg(build):
    """Is played as far as it goes."""
    with Stage(build) as stage:
        source = make_source(build, "opus", 8)
        packets = read_packets(stage, source)
        cut = stage.path("cut.opus")
        with open(source, "rb") as whole, open(cut, "wb") as file:
            file.write(whole.read()[:70000])
        listener = stage.start("listen", *WHERE, "--wait", 15, STATION)
        broadcaster = broadcast(stage, cut, seconds=30)
        expect(broadcaster.returncode == 0, broadcaster.describe())
        expect(f"{cut}: the Ogg stream ends" in broadcaster.errors,
               f"says nothing of it: {broadcaster.errors}")
        expect(listener.wait(10) == 0, listener.describe())
        path = stage.path("received.ogg")
        with open(path, "wb") as file:
            file.write(listener.output)
        found = check_intact(stage, packets, path, to_end=False)
        expect(200 < found.positions[-1] < 300, f"up to {found.positions[-1]}")


def full_disk(build):
    """One listener's disk is full; another does not notice."""
    with Stage(build) as stage, contextlib.ExitStack() as after:
        air = Air(stage, make_source(build, "opus", 12))
        air.start_broadcaster()
        outputs = ["/dev/full"]
        if os.geteuid() == 0:
            small = stage.path("small")
            os.mkdir(small)
            mounted = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "none",
                 small], capture_output=True, check=False)
            if mounted.returncode == 0:
                after.callback(subprocess.run, ["umount", "-l", small],
                               check=False)
                outputs.append(os.path.join(small, "show.ogg"))
        victims = [stage.start("listen", *air.where, "--output", output,
                               STATION) for output in outputs]
        air.start_listener()
        air.wait_end(30)
        for victim, output in zip(victims, outputs):
            victim.wait(5)
            check_told(victim, FAILED, output)
        check_intact(stage, air.timeline.packets,
                     air.received_path(air.listeners[0]))
        nowhere = stage.run("listen", *air.where, "--output",
                            stage.path("absent/show.ogg"), STATION)
        check_told(nowhere, FAILED, "absent/show.ogg")


def reader_goes_away(build):
    """As with `| head -c 1000`: a quiet end, with status 0."""
    with Stage(build) as stage:
        air = Air(stage, make_source(build, "opus", 12))
        air.start_broadcaster()
        reader, writer = os.pipe()
        leaving = stage.start("listen", *air.where, STATION, output=writer)
        os.close(writer)
        air.start_listener()
        taken = 0
        while taken < 1000:
            taken += len(os.read(reader, 1000 - taken))
        os.close(reader)
        leaving.wait(5)
        expect(leaving.returncode == 0, leaving.describe())
        complaints = [line for line in leaving.errors.splitlines()
                      if re.search("pipe|error|fail|cannot", line)]
        expect(not complaints, f"not quiet: {complaints}")
        air.wait_end(30)
        check_intact(stage, air.timeline.packets,
                     air.received_path(air.listeners[0]))


def slow_reader(build):
    """As with `| pv -L 5k`: it does not stall the node's forwarding. What
    is left out for it is a hole in a stream that is still well-formed."""
    with Stage(build) as stage:
        # Enough to fill a pipe and all that waits behind it.
        air = Air(stage, make_source(build, "flac", 25), 44100)
        air.start_node()
        air.start_broadcaster()
        reader, writer = os.pipe()
        slow = stage.start("listen", *air.where, STATION, output=writer)
        os.close(writer)
        os.set_blocking(reader, False)
        for _ in range(3):
            air.start_listener()
        air.wait_tuned(air.listeners)
        got = bytearray()

        def read_slowly():
            with contextlib.suppress(BlockingIOError):
                got.extend(os.read(reader, 2500))
        while air.broadcaster.is_running:
            read_slowly()
            stage.pause(0.5)
        air.wait_end(30)
        for listener in air.listeners:
            check_intact(stage, air.timeline.packets,
                         air.received_path(listener))
        expect("too slow" in slow.errors, slow.describe())
        # Now it reads on, as fast as it can.
        os.set_blocking(reader, True)
        while True:
            data = os.read(reader, 1 << 16)
            if not data:
                break
            got += data
        os.close(reader)
        expect(slow.wait(5) == 0, slow.describe())
        path = stage.path("slow.oga")
        with open(path, "wb") as file:
            file.write(got)
        air.listeners.append(slow)
        slow.output_path = path
        found = air.compare(slow)
        expect(found.lost and not found.foreign and not found.shifts,
               f"of the slow one's: {found.problems() or 'nothing lost'}")


def port_in_use(build):
    with Stage(build) as stage, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{other.getsockname()[1]}"
        for name, args in (("node", ()), ("listen", (STATION,)),
                           ("broadcast", ("--group", STATION,
                                          make_source(build, "opus", 8)))):
            done = stage.run(name, "--bind", address, *args)
            check_told(done, FAILED, address, "--bind")
        done = stage.run("node", "--bind", "192.0.2.1:0")
        check_told(done, FAILED, "192.0.2.1", "--bind")


def hosts_that_do_not_answer(build):
    """Unknown, silent or closed: a listener gives up after --wait; the
    others run a ring of one and say so, go on trying, and merge."""
    with Stage(build) as stage, contextlib.ExitStack() as after:
        if os.geteuid() == 0:  # no name can be resolved in here
            stage.prefix = Namespace(stage).prefix

        def alone(number):
            folder = stage.path(f"run-{number}")
            os.makedirs(folder, mode=0o700)
            return {"XDG_RUNTIME_DIR": folder}
        silent = after.enter_context(socket.socket(socket.AF_INET,
                                                   socket.SOCK_DGRAM))
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        for number, host in enumerate((
                "no.such.host.invalid:16160", f"127.0.0.1:{port}",
                "127.0.0.1:9")):
            start = time.monotonic()
            done = stage.run("listen", *WHERE, "--wait", 2, "--bootstrap",
                             host, STATION, env=alone(number))
            check_told(done, NOT_JOINED, *host.split(":"), "--bootstrap")
            seconds = time.monotonic() - start
            expect(1.5 < seconds < 5, f"--wait 2 took {seconds:.1f} s")
        source = make_source(build, "opus", 20)
        broadcaster = stage.start("broadcast", *WHERE, "--bootstrap",
                                  "127.0.0.1:16999", "--group", STATION,
                                  source, env=alone(10))
        broadcaster.wait_error("ring of one", 15)
        broadcaster.wait_error("on the air", 15)
        node = stage.start("node", "--bind", "127.0.0.1:16999",
                           env=alone(11))
        broadcaster.wait_state("joined", seconds=15)
        listener = stage.start("listen", *WHERE, "--bootstrap",
                               "127.0.0.1:16999", "--duration", 2, STATION,
                               env=alone(12))
        expect(listener.wait(15) == 0, listener.describe())
        expect(node.stop() == 0, node.describe())


def nobody_broadcasts(build):
    with Stage(build) as stage:
        node = stage.start("node", *WHERE)
        node.wait_state("alone")
        start = time.monotonic()
        done = stage.run("listen", *WHERE, "--wait", 2, "silence")
        check_told(done, NO_STATION, "silence")
        seconds = time.monotonic() - start
        expect(1.5 < seconds < 4, f"--wait 2 took {seconds:.1f} s")
        expect(not done.output, "something on standard output")
        expect(node.stop() == 0, node.describe())


def realms(build):
    """Without the key, or with another, a node does not even shake hands."""
    with Stage(build) as stage:
        keys = []
        for digit in "ab":
            path = stage.path(f"realm-{digit}")
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w",
                      encoding="ascii") as file:
                file.write(digit * 64 + "\n")
            keys.append(path)
        air = Air(stage, make_source(build, "opus", 12))
        node = air.start_node("--realm-key", keys[0])
        node.wait_error("--bootstrap")
        address = re.search(r"@(\S+)", node.errors).group(1)
        air.start_broadcaster("--realm-key", keys[0])
        member = air.start_listener("--realm-key", keys[0])
        air.wait_tuned([member])
        for args in (("--realm-key", keys[1]), ()):
            done = stage.run("listen", *WHERE, "--wait", 2, *args,
                             "--bootstrap", address, STATION)
            check_told(done, NOT_JOINED, *address.split(":"), "--realm-key")
        air.wait_end(30)
        check_intact(stage, air.timeline.packets, air.received_path(member))


def foreign_runtime_directory(build):
    """A link, open to others, or another's: refused with a word, and not
    used."""
    with Stage(build) as stage:
        real = stage.path("elsewhere")
        os.mkdir(real, 0o700)
        faults = ["link", "open"]
        if os.geteuid() == 0:
            faults.append("another")
        for fault in faults:
            folder = stage.path(f"run-{fault}")
            os.mkdir(folder, 0o700)
            path = os.path.join(folder, "splitstream")
            if fault == "link":
                os.symlink(real, path)
            else:
                os.mkdir(path, 0o700)
            if fault == "open":
                os.chmod(path, 0o777)
            elif fault == "another":
                os.chown(path, 65534, 65534)
            node = stage.start("node", *WHERE,
                               env={"XDG_RUNTIME_DIR": folder})
            node.wait_error(path)
            node.wait_state("alone")
            expect(not os.listdir(path), "used it nevertheless")
            expect(node.stop() == 0, node.describe())


def dead_local_entries(build):
    """Of nodes that were killed: removed, and in nobody's way."""
    with Stage(build) as stage:
        killed = [stage.start("node", *WHERE, "--identity",
                              stage.path(f"node-{n}.key")) for n in range(3)]
        for node in killed:
            node.wait_state("alone", "joined")
        folder = os.path.join(stage.env["XDG_RUNTIME_DIR"], "splitstream")
        stage.wait_until(lambda: len(os.listdir(folder)) >= 3, 5,
                         "three entries")
        for node in killed:
            node.send(signal.SIGKILL)
            node.wait(5)
        air = Air(stage, make_source(build, "opus", 8))
        air.start_broadcaster()
        air.start_listener()
        air.wait_end(30)
        check_intact(stage, air.timeline.packets,
                     air.received_path(air.listeners[0]))
        expect(not os.listdir(folder), f"left: {os.listdir(folder)}")


def random_datagrams(build):
    """A hundred thousand of them: nothing but a counter moves."""
    rng = random.Random(1)
    with Stage(build) as stage, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        air = Air(stage, make_source(build, "opus", 20))
        air.start_node()
        air.start_broadcaster()
        for _ in range(2):
            air.start_listener()
        air.wait_tuned(air.listeners)
        targets = [air.node, air.broadcaster, air.listeners[0]]
        stage.wait_all(targets, lambda p: p.stats, 5, "statistics")
        before = [dict(p.stats["counters"]) for p in targets]
        memory = [p.memory_peak for p in targets]
        noise = rng.randbytes(1 << 16)
        for number in range(N_RANDOM):
            length = rng.choice((0, 1, 4, 16, 60, 148, 200, 1232))
            at = rng.randrange(len(noise) - length)
            data = bytearray(noise[at:at + length])
            if data and number % 2:
                data[0] = number // 2 % 8  # looks like a type there is
            target = targets[number % len(targets)]
            sender.sendto(data, ("127.0.0.1", target.port))
            if number % 100 == 99:
                stage.pause(0.005)
        air.wait_end(40)
        for target, old, peak in zip(targets, before, memory):
            new = target.stats["counters"]
            dropped = sum(new[name] - old[name] for name in
                          ("datagrams_malformed", "datagrams_unauthentic",
                           "datagrams_replayed"))
            received = new["datagrams_in"] - old["datagrams_in"]
            expect(dropped > N_RANDOM // len(targets) // 2,
                   f"{target.name}: {dropped} dropped of {received}")
            grown = target.memory_peak - peak
            expect(grown < 4 << 20, f"{target.name} grew by {grown} bytes")
            expect(len(target.errors.splitlines()) < 12,
                   f"{target.name} says too much")
        for listener in air.listeners:
            check_intact(stage, air.timeline.packets,
                         air.received_path(listener))


def hostile_copies(build):
    """Who hears the datagrams of others sends them again: unchanged, cut,
    with a bit flipped, from their senders' addresses."""
    rng = random.Random(2)
    with Stage(build) as stage, contextlib.ExitStack() as after:
        namespace = Namespace(stage)
        try:
            thief, forger = open_raw(namespace, after)
        except OSError as error:
            raise Skip(f"no raw sockets here: {error}") from error
        air = Air(stage, make_source(build, "opus", 20), namespace=namespace)
        air.where = ["--bind", "127.0.0.1:0"]
        air.start_node()
        air.start_broadcaster()
        for _ in range(3):
            air.start_listener()
        air.wait_tuned(air.listeners)
        everybody = [air.node, air.broadcaster, *air.listeners]
        end, n_sent, seen = time.monotonic() + 8, 0, set()
        while time.monotonic() < end:
            try:
                packet = thief.recv(65535)
            except TimeoutError:
                continue
            found = udp_of(packet)
            if found is None or hash(found) in seen:
                continue
            source, target, payload = found
            for copy in mutations(rng, payload):
                seen.add(hash((source, target, copy)))
                forger.sendto(ip_udp(source, target, copy),
                              ("127.0.0.1", 0))
                n_sent += 1
        expect(n_sent > 500, f"only {n_sent} forged")
        air.wait_end(40)
        # Every one is dropped and counted. A copy of what was received is a
        # replay, whatever else is wrong with it.
        dropped = [sum(p.stats["counters"][f"datagrams_{why}"]
                       for p in everybody)
                   for why in ("replayed", "unauthentic", "malformed")]
        expect(all(dropped) and sum(dropped) >= 0.99 * n_sent,
               f"dropped {dropped} of {n_sent}")
        for listener in air.listeners:
            check_intact(stage, air.timeline.packets,
                         air.received_path(listener))
            expect(listener.station["packets_rejected"] == 0,
                   "a forged packet came through its link")


def open_raw(namespace, after):
    """Sockets inside the namespace: one that hears all of loopback, one
    that sends what it likes."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    home = after.enter_context(open("/proc/self/ns/net", "rb"))
    with open(f"/run/netns/{namespace.name}", "rb") as there:
        if libc.setns(there.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    try:
        thief = after.enter_context(socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)))
        thief.bind(("lo", 0x0800))
        thief.settimeout(0.2)
        forger = after.enter_context(socket.socket(
            socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
    finally:
        libc.setns(home.fileno(), 0)
    return thief, forger


def udp_of(packet):
    """(source port, target port, payload) of an IPv4 UDP packet."""
    if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_UDP:
        return None
    at = (packet[0] & 15) * 4
    source, target = (int.from_bytes(packet[at + n:at + n + 2], "big")
                      for n in (0, 2))
    return source, target, packet[at + 8:]


def ip_udp(source, target, payload):
    """The kernel adds what is 0 here; without a UDP checksum."""
    address = socket.inet_aton("127.0.0.1")
    length = 8 + len(payload)
    return (bytes([0x45, 0]) + (20 + length).to_bytes(2, "big") + bytes(4)
            + bytes([64, socket.IPPROTO_UDP, 0, 0]) + address + address
            + source.to_bytes(2, "big") + target.to_bytes(2, "big")
            + length.to_bytes(2, "big") + bytes(2) + payload)


def mutations(rng, payload):
    yield payload
    if payload:
        yield payload[:rng.randrange(len(payload))]
        flipped = bytearray(payload)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        yield bytes(flipped)


if __name__ == "__main__":
    sys.exit(run_tests([
        sources_that_cannot_be_read, truncated_ogg, full_disk,
        reader_goes_away, slow_reader, port_in_use, hosts_that_do_not_answer,
        nobody_broadcasts, realms, foreign_runtime_directory,
        dead_local_entries, random_datagrams, hostile_copies], at_once=3))
