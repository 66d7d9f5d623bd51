"""What was sent and what was received, codec packet by codec packet, as
ss-oggpackets lists them; and sources to send."""

import array
import math
import os
import random
import subprocess
import wave
from collections import namedtuple

from lib import Failure, expect

Packet = namedtuple("Packet", "link start duration length digest")

OPUS_RATE = 48000
FILLER_LENGTH_MAX = 1  # bytes
# Samples, at any rate used here: a longer hole in a file is an edit to
# ss-oggpackets, behind which time goes on as if there were none.
HOLE_MAX = 10 * 44100


def read_packets(stage, *paths):
    """The packets of these Ogg files, one after the other; the links of a
    file that holds nothing but a beginning are its whole pages'."""
    done = subprocess.run([stage.program("ss-oggpackets"), *paths],
                          capture_output=True, text=True, check=False)
    expect(done.returncode == 0, f"ss-oggpackets: {done.stderr.strip()}")
    packets = []
    for line in done.stdout.splitlines():
        link, start, duration, length, digest = line.split()
        packets.append(Packet(int(link), int(start), int(duration),
                              int(length), digest))
    return packets


class Timeline:
    """A source's packets with their times, in seconds from its start; those
    of several links follow one another."""

    def __init__(self, packets, rate=OPUS_RATE):
        self.packets = packets
        self.rate = rate
        self.times = []
        now = 0
        for packet in packets:
            self.times.append(now / rate)
            now += packet.duration
        self.seconds = now / rate
        self.bytes_before = [0]
        for packet in packets:
            self.bytes_before.append(self.bytes_before[-1] + packet.length)

    def time(self, position):
        """Of a packet, counting on through repetitions."""
        rounds, index = divmod(position, len(self.packets))
        return rounds * self.seconds + self.times[index]

    def position_at(self, seconds):
        """How many packets start before this time."""
        rounds = int(seconds // self.seconds) if seconds > 0 else 0
        rest = seconds - rounds * self.seconds
        low, high = 0, len(self.times)
        while low < high:
            middle = (low + high) // 2
            if self.times[middle] < rest:
                low = middle + 1
            else:
                high = middle
        return rounds * len(self.packets) + low

    def position_of_bytes(self, n_bytes):
        """How many packets make up so many bytes of payload."""
        rounds, rest = divmod(n_bytes, self.bytes_before[-1])
        low, high = 0, len(self.packets)
        while low < high:
            middle = (low + high) // 2
            if self.bytes_before[middle] < rest:
                low = middle + 1
            else:
                high = middle
        return rounds * len(self.packets) + low

    def n_bytes(self, first, last):
        """Of payload from one position to before another."""
        total = self.bytes_before[-1]

        def before(position):
            rounds, index = divmod(position, len(self.packets))
            return rounds * total + self.bytes_before[index]
        return before(last) - before(first)

    @property
    def bps(self):
        return self.bytes_before[-1] * 8 / self.seconds


class Comparison:
    """How a received stream stands to its source: `positions` in the source
    of the received packets; `lost`, positions between the first and the last
    received that are missing; `filled`, Opus packets without sound, which
    stand in for lost ones; `foreign`, received packets that the source does
    not hold at or after their place; `shifts`, pairs of a position and by
    how many samples from there on packets start later than they should;
    `tail`, how many are missing after the last (of the round of the source
    in which it ended)."""

    def __init__(self, source, received):
        self.n_source, self.n_received = len(source), len(received)
        self.positions, self.lost, self.shifts = [], [], []
        self.foreign = self.filled = 0
        self.matched = []
        if received and source:
            self._match(source, received)
            self._check_starts(source)
        last = self.positions[-1] if self.positions else -1
        self.tail = (-1 - last) % len(source) if source else 0
        self.has_packets = bool(self.positions)

    def _match(self, source, received):
        places = {}
        for index, packet in enumerate(source):
            places.setdefault((packet.digest, packet.length), []).append(index)
        start = self._first_place(places, received)
        if start is None:
            self.foreign = len(received)
            return
        at = start  # the next position expected
        size = len(source)
        for packet in received:
            key = (packet.digest, packet.length)
            ahead = min(((index - at) % size for index in places.get(key, ())),
                        default=None)
            if ahead is None and packet.length <= FILLER_LENGTH_MAX:
                self.filled += 1
                continue
            # Half a round ahead is behind: a repeated or misplaced packet.
            if ahead is None or ahead > size // 2:
                self.foreign += 1
                continue
            self.lost += range(at, at + ahead)
            at += ahead
            self.positions.append(at)
            self.matched.append(packet)
            at += 1

    @staticmethod
    def _first_place(places, received):
        """Where the first packet stands: by the first that stands in one
        place only, or else the first place at which it could."""
        for index, packet in enumerate(received):
            found = places.get((packet.digest, packet.length), ())
            if len(found) == 1:
                # So many at least came before; more if some were lost, so
                # look for the nearest place where the first fits.
                first = received[0]
                fits = [place for place in
                        places.get((first.digest, first.length), ())
                        if place <= found[0] - index]
                return max(fits, default=None) if index else found[0]
        first = received[0]
        found = places.get((first.digest, first.length), ())
        return found[0] if found else None

    def _check_starts(self, source):
        """Distances hold within a link of both, from hole to long hole."""
        size = len(source)
        link = offset = None
        end = 0
        for position, packet in zip(self.positions, self.matched):
            original = source[position % size]
            links = (packet.link, original.link, position // size)
            if (links == link and packet.start - original.start != offset
                    and original.start - end <= HOLE_MAX):
                self.shifts.append((position,
                                    packet.start - original.start - offset))
            link, offset = links, packet.start - original.start
            end = original.start + original.duration

    def problems(self):
        """In words; "" when there are none."""
        found = []
        if not self.has_packets:
            return "nothing received"
        if self.lost:
            found.append(f"{len(self.lost)} lost")
        if self.foreign:
            found.append(f"{self.foreign} not of the source or out of order")
        for position, samples in self.shifts[:3]:
            found.append(f"{samples} samples late from packet {position} on")
        if len(self.shifts) > 3:
            found.append(f"{len(self.shifts)} such shifts")
        return ", ".join(found)


def compare(stage, source, path):
    """Compares a received file with the packets of its source."""
    return Comparison(source, read_packets(stage, path))


def check_intact(stage, source, path, to_end=True):
    """Fails unless the file holds the source's packets without a gap from
    its first on (to the source's end); the comparison."""
    found = compare(stage, source, path)
    problems = found.problems()
    if not problems and to_end and found.tail:
        problems = f"{found.tail} missing at the end"
    expect(not problems, f"{os.path.basename(path)}: {problems}")
    return found


def page_ends(data):
    """For each Ogg page: (offset of its end, packets that end on it, whether
    it holds codec headers only)."""
    at, pages = 0, []
    while at + 27 <= len(data) and data[at:at + 4] == b"OggS":
        n_segments = data[at + 26]
        lacing = data[at + 27:at + 27 + n_segments]
        end = at + 27 + n_segments + sum(lacing)
        if end > len(data):
            break
        n_ended = sum(1 for value in lacing if value < 255)
        is_header = data[at + 6:at + 14] == bytes(8)
        pages.append((end, n_ended, is_header))
        at = end
    return pages


def packet_arrivals(output, arrivals):
    """When each media packet in a stream was complete at the reader, from
    pairs of a time and the length by then."""
    times, index = [], 0
    for end, n_ended, is_header in page_ends(output):
        while index < len(arrivals) and arrivals[index][1] < end:
            index += 1
        if index == len(arrivals):
            break
        if not is_header:
            times += [arrivals[index][0]] * n_ended
    return times


# Sources.


def synthesise(path, seconds, rate, channels, noise_bits, seed=1):
    """Writes a WAV file: a slow chord over noise, so that no two packets are
    alike and encoders cannot save. Reproducible."""
    rng = random.Random(seed)
    n_samples = int(seconds * rate) * channels
    mask = (1 << noise_bits) - 1
    noise = array.array("H", rng.randbytes(n_samples * 2))
    period = rate // 2
    tone = [int(3000 * math.sin(2 * math.pi * 220 * i / rate)
                * math.sin(math.pi * i / period)) for i in range(period)]
    half = 1 << (noise_bits - 1)
    samples = array.array("h", (
        (value & mask) - half + tone[(index // channels) % period]
        for index, value in enumerate(noise)))
    with wave.open(path, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def make_source(build, kind, seconds, seed=1, opus_kbits=96):
    """The path of an Ogg file of this length, made once and kept in the
    build directory: "opus", "vorbis" or "flac" (1 Mbit/s)."""
    folder = os.path.join(build, "sources")
    os.makedirs(folder, exist_ok=True)
    suffix = {"opus": "opus", "vorbis": "ogg", "flac": "oga"}[kind]
    rate_name = "" if opus_kbits == 96 else f"-{opus_kbits}"
    path = os.path.join(folder,
                        f"{kind}-{seconds}-{seed}{rate_name}.{suffix}")
    if os.path.exists(path):
        return path
    partial = os.path.join(folder, f".{os.getpid()}-{os.path.basename(path)}")
    sound = partial + ".wav"
    rate = OPUS_RATE if kind == "opus" else 44100
    synthesise(sound, seconds, rate, 2, 11 if kind == "flac" else 12, seed)
    command = {
        "opus": ["opusenc", "--quiet", "--bitrate", str(opus_kbits),
                 "--hard-cbr", "--serial", "1", sound, partial],
        "vorbis": ["oggenc", "-Q", "-s", "1", "-q", "2", sound, "-o",
                   partial],
        "flac": ["flac", "--silent", "--force", "--ogg", "--serial-number=1",
                 sound, "-o", partial],
    }[kind]
    try:
        subprocess.run(command, check=True, capture_output=True)
        os.rename(partial, path)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failure(f"cannot make {path}: {error}") from error
    finally:
        os.unlink(sound)
    return path
