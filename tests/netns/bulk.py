"""A TCP connection that sends as fast as it may, as an upload of pictures does,
and how much of it came, second by second. The two ends are this file, run in
the hosts that it joins."""

import json
import socket
import subprocess
import sys
import threading
import time

from lib import DIE_WITH_TEST

PORT = 5001
CHUNK = 16384
CONNECT_SECONDS = 10


def take():
    """The receiving end: a line when it listens, another with the bytes of
    each second when the sender has closed."""
    with socket.create_server(("", PORT)) as server:
        print("ready", flush=True)
        connection, _ = server.accept()
    started, came = time.monotonic(), []
    with connection:
        while data := connection.recv(65536):
            second = int(time.monotonic() - started)
            came += [0] * (second + 1 - len(came))
            came[second] += len(data)
    came += [0] * (int(time.monotonic() - started) + 1 - len(came))
    print(json.dumps(came), flush=True)


def give(address, seconds):
    end = time.monotonic() + seconds
    with socket.create_connection((address, PORT), CONNECT_SECONDS) as wire:
        wire.settimeout(None)
        while time.monotonic() < end:
            wire.send(bytes(CHUNK))


class Bulk:
    """From one namespace to another, which is at `address`, for so many
    seconds from now on. Ends with the stage."""

    def __init__(self, stage, source, sink, address, seconds):
        self.taker = self._run(stage, sink, "take")
        self.taker.stdout.readline()
        self.giver = self._run(stage, source, "give", address, str(seconds))
        self.came = None
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        stage.cleanups.append(self.reader.join)
        stage.cleanups.append(self._end)

    def _run(self, stage, namespace, *words):
        return subprocess.Popen(
            [*namespace.prefix, *DIE_WITH_TEST, sys.executable, __file__,
             *words], text=True, stdout=subprocess.PIPE)

    def _read(self):
        self.came = self.taker.stdout.readline()

    def _end(self):
        for process in (self.giver, self.taker):
            process.kill()
            process.wait()
            process.stdout.close()

    def rates(self, seconds):
        """kbit/s in each second, up to that many."""
        self.giver.wait()
        self.reader.join()
        return [count * 8 / 1000 for count in json.loads(self.came)][:seconds]


if __name__ == "__main__":
    if sys.argv[1] == "take":
        take()
    else:
        give(sys.argv[2], float(sys.argv[3]))
