"""The same station by Icecast: a server, a source client that sends an Ogg
file's pages as they fall due, and clients that read. The source and the
readers try again twice a second when they have lost the server."""

import base64
import os
import selectors
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections import namedtuple

from lib import DIE_WITH_TEST, Failure, Skip

RETRY_SECONDS = 0.5
MOUNT = "/station.ogg"
PASSWORD = "comparison"
USER = "nobody"  # the server refuses to be root
CONFIG = """<icecast>
  <limits><clients>200</clients><sources>2</sources></limits>
  <authentication>
    <source-password>{password}</source-password>
    <admin-user>admin</admin-user><admin-password>{password}</admin-password>
  </authentication>
  <hostname>localhost</hostname>
  <listen-socket>
    <port>{port}</port><bind-address>127.0.0.1</bind-address>
  </listen-socket>
  <paths>
    <basedir>{folder}</basedir><logdir>{folder}</logdir>
    <webroot>/usr/share/icecast2/web</webroot>
    <adminroot>/usr/share/icecast2/admin</adminroot>
  </paths>
  <logging><loglevel>1</loglevel></logging>
  <security>
    <chroot>0</chroot>
    <changeowner><user>{user}</user><group>nogroup</group></changeowner>
  </security>
</icecast>
"""

# number: of the page; start and seconds: of the media that ends on it.
Page = namedtuple("Page", "number start seconds is_header data")


def read_pages(data, rate):
    """An Ogg stream's pages (RFC 3533), and what is left at its end."""
    pages, at, last = [], 0, 0
    while len(data) - at >= 27 and data[at:at + 4] == b"OggS":
        n_segments = data[at + 26]
        end = at + 27 + n_segments + sum(data[at + 27:at + 27 + n_segments])
        if len(data) < at + 27 + n_segments or len(data) < end:
            break
        granule, _, number = struct.unpack_from("<qII", data, at + 6)
        now = max(last, granule)
        pages.append(Page(number, last / rate, (now - last) / rate,
                          granule == 0, bytes(data[at:end])))
        last, at = now, end
    return pages, data[at:]


class Server:
    def __init__(self):
        self.program = shutil.which("icecast2")
        if self.program is None:
            raise Skip("icecast2 is not installed")
        self.folder = tempfile.mkdtemp(prefix="ss-icecast-")
        os.chmod(self.folder, 0o755)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.config = os.path.join(self.folder, "icecast.xml")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(folder=self.folder, port=self.port,
                                     password=PASSWORD, user=USER))
        if os.geteuid() == 0:
            shutil.chown(self.folder, USER, "nogroup")
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [*DIE_WITH_TEST, self.program, "-c", self.config],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                self.connect().close()
                return
            except OSError:
                time.sleep(0.02)
        raise Failure("icecast2 does not answer")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), 2)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Source(threading.Thread):
    """`sent`: when each page left, by its number."""

    def __init__(self, server, path, rate):
        super().__init__(daemon=True)
        self.server = server
        with open(path, "rb") as file:
            self.pages, _ = read_pages(file.read(), rate)
        self.headers = b"".join(page.data for page in self.pages
                                if page.is_header)
        self.media = [page for page in self.pages if not page.is_header]
        self.sent = {}
        self.stopping = False
        self.begun = threading.Event()
        self.origin = None
        self.start()

    def _connect(self):
        """A connection that the server takes pages from; None: not now."""
        token = base64.b64encode(b"source:" + PASSWORD.encode()).decode()
        try:
            connection = self.server.connect()
            connection.sendall(
                f"PUT {MOUNT} HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Basic {token}\r\n"
                "Content-Type: application/ogg\r\n\r\n".encode())
            if b" 200 " not in connection.recv(4096):
                connection.close()
                return None
            connection.sendall(self.headers)
            return connection
        except OSError:
            return None

    def run(self):
        connection, retry_at = None, 0
        self.origin = time.monotonic()
        for page in self.media:
            due = self.origin + page.start
            while (wait := due - time.monotonic()) > 0:
                time.sleep(wait)
            if self.stopping:
                break
            now = time.monotonic()
            if connection is None and now >= retry_at:
                connection = self._connect()
                retry_at = now + RETRY_SECONDS
            if connection is None:
                continue
            try:
                connection.sendall(page.data)
                self.sent[page.number] = time.monotonic()
                self.begun.set()
            except OSError:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()


class Reader:
    """`arrivals`: (time, page) of media, in order."""

    def __init__(self, rate):
        self.rate = rate
        self.started = time.monotonic()
        self.connection = None
        self.retry_at = 0
        self.data = b""
        self.n_bytes = 0
        self.arrivals = []


class Readers(threading.Thread):
    """All of them, in one thread."""

    def __init__(self, server, rate):
        super().__init__(daemon=True)
        self.server, self.rate = server, rate
        self.selector = selectors.DefaultSelector()
        self.readers = []
        self.media_came = threading.Condition()
        self.stopping = False
        self.start()

    def wait_media(self, seconds):
        with self.media_came:
            if not self.media_came.wait_for(
                    lambda: all(reader.arrivals for reader in self.readers),
                    seconds):
                raise Failure("a reader got nothing from icecast2")

    def add(self):
        reader = Reader(self.rate)
        self.readers.append(reader)
        return reader

    def _connect(self, reader):
        reader.retry_at = time.monotonic() + RETRY_SECONDS
        reader.data = b""
        try:
            reader.connection = self.server.connect()
            reader.connection.sendall(
                f"GET {MOUNT} HTTP/1.0\r\n\r\n".encode())
            reader.connection.setblocking(False)
        except OSError:
            reader.connection = None
            return
        self.selector.register(reader.connection, selectors.EVENT_READ,
                               reader)

    def _drop(self, reader):
        self.selector.unregister(reader.connection)
        reader.connection.close()
        reader.connection = None

    def _read(self, reader):
        try:
            data = reader.connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(reader)
            return
        now = time.monotonic()
        reader.n_bytes += len(data)
        reader.data += data
        start = reader.data.find(b"OggS")  # behind the answer's headers
        if start < 0:
            return
        pages, reader.data = read_pages(reader.data[start:], self.rate)
        with self.media_came:
            reader.arrivals += [(now, page) for page in pages
                                if not page.is_header]
            self.media_came.notify()

    def run(self):
        while not self.stopping:
            for reader in list(self.readers):
                if (reader.connection is None
                        and time.monotonic() >= reader.retry_at):
                    self._connect(reader)
            for key, _ in self.selector.select(0.05):
                self._read(key.data)
        for reader in self.readers:
            if reader.connection is not None:
                self._drop(reader)
