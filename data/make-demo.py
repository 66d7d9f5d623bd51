#!/usr/bin/env python3
"""Makes demo.ogg again: half a minute of plucked strings over soft pads.

Needs only Python, sox (for the reverberation) and opusenc:

    data/make-demo.py [demo.ogg]

Everything is synthesised here, from a fixed seed: the strings by Karplus
and Strong's algorithm, pads and bass from harmonics, bells by frequency
modulation.
"""

import array
import math
import os
import random
import subprocess
import sys
import tempfile
import wave

RATE = 48000
BEAT = 60 / 84
BAR = 4 * BEAT
LENGTH = 30.5
TABLE_LEN = 4096

NAMES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

# Bass note, pad notes, and the arpeggio in quavers, bar by bar.
BARS = [
    ("D2", "D4 F#4 A4 C#5", "D4 A4 F#4 E5 A4 F#5 E5 A4"),
    ("B1", "D4 F#4 A4 B4", "B3 F#4 D4 C#5 F#4 D5 C#5 F#4"),
    ("G1", "D4 F#4 G4 B4", "G3 D4 B4 F#4 D4 A4 F#4 B4"),
    ("A1", "D4 E4 A4 C#5", "A3 E4 C#5 D5 E4 E5 D5 C#5"),
    ("F#1", "C#4 E4 F#4 A4", "F#3 C#4 A4 E5 C#4 F#5 E5 A4"),
    ("B1", "D4 F#4 B4 C#5", "B3 F#4 D5 C#5 F#4 B4 D5 F#5"),
    ("E2", "D4 F#4 G4 B4", "E3 B3 G4 F#4 B3 D5 B4 G4"),
    ("A1", "C#4 E4 G4 A4", "A3 E4 G4 C#5 E4 E5 C#5 G4"),
    ("G1", "D4 F#4 B4 D5", "G3 D4 B4 D5 A3 E4 C#5 E5"),
    ("D2", "D4 F#4 A4 E5", "D4 A4 F#5 - - - - -"),
]

# Bells: bar, beat, note.
MELODY = [
    (1, 2, "F#6"), (1, 3, "E6"), (2, 0, "D6"), (3, 1, "E6"), (3, 2.5, "A5"),
    (4, 2, "C#6"), (4, 3, "E6"), (5, 0, "D6"), (5, 2, "B5"), (6, 1, "G6"),
    (6, 2, "F#6"), (7, 0, "E6"), (7, 2, "C#6"), (8, 0, "D6"), (8, 2, "E6"),
    (9, 0, "F#6"), (9, 2, "A6"),
]


def frequency(name):
    """440 Hz is A4."""
    sharp = name[1] == "#"
    semitones = NAMES[name[0]] + sharp + 12 * (int(name[1 + sharp:]) - 4) - 9
    return 440 * 2 ** (semitones / 12)


def harmonics(amplitudes):
    table = []
    for i in range(TABLE_LEN):
        phase = 2 * math.pi * i / TABLE_LEN
        table.append(sum(a * math.sin((n + 1) * phase)
                         for n, a in enumerate(amplitudes)))
    return table


class Mix:
    def __init__(self):
        n = int(LENGTH * RATE)
        self.left = array.array("d", bytes(8 * n))
        self.right = array.array("d", bytes(8 * n))

    def add(self, at, samples, pan):
        """Pan from 0 (left) to 1, at equal power."""
        left_gain = math.cos(pan * math.pi / 2)
        right_gain = math.sin(pan * math.pi / 2)
        left, right = self.left, self.right
        start = int(at * RATE)
        for i, sample in enumerate(samples[:len(left) - start], start):
            left[i] += left_gain * sample
            right[i] += right_gain * sample


def pluck(hertz, seconds, gain, rng):
    """A burst of noise goes round a string that loses its overtones."""
    period = RATE / hertz
    n = int(period)
    # Half a sample of delay is the low-pass's, the rest an all-pass's.
    fraction = period - n - 0.5
    if fraction < 0.1:
        n -= 1
        fraction += 1
    allpass = (1 - fraction) / (1 + fraction)
    noise = [rng.uniform(-1, 1) for _ in range(n)]
    for _ in range(2):
        noise = [0.5 * (noise[i] + noise[i - 1]) for i in range(n)]
    # Plucked at a fifth of its length.
    string = [noise[i] - noise[i - n // 5] for i in range(n)]
    loss = 0.5 * math.exp(-4.2 / (hertz * (0.9 + 260 / hertz)))
    out = []
    previous = last_in = last_out = 0.0
    at = 0
    for _ in range(int(seconds * RATE)):
        value = string[at]
        filtered = loss * (value + previous)
        previous = value
        last_out = allpass * (filtered - last_out) + last_in
        last_in = filtered
        string[at] = last_out
        out.append(gain * value)
        at += 1
        if at == n:
            at = 0
    fade = RATE // 20
    for i in range(fade):
        out[-1 - i] *= i / fade
    return out


def pad(table, hertz, seconds, gain, phase, attack=0.9, release=1.3):
    out = []
    step = hertz * TABLE_LEN / RATE
    phase *= TABLE_LEN
    total = seconds + release
    for i in range(int(total * RATE)):
        t = i / RATE
        level = min(1.0, t / attack, (total - t) / release)
        level *= level * (3 - 2 * level)
        out.append(gain * level * table[int(phase) % TABLE_LEN])
        phase += step
    return out


def bass(table, hertz, seconds, gain):
    out = []
    step = hertz * TABLE_LEN / RATE
    phase = 0.0
    for i in range(int(seconds * RATE)):
        t = i / RATE
        level = min(1.0, t / 0.02, (seconds - t) / 0.3) * math.exp(-0.6 * t)
        out.append(gain * level * table[int(phase) % TABLE_LEN])
        phase += step
    return out


def bell(hertz, seconds, gain):
    out = []
    for i in range(int(seconds * RATE)):
        t = i / RATE
        index = 1.6 * math.exp(-5 * t)
        swing = math.sin(2 * math.pi * 3.51 * hertz * t)
        level = min(1.0, t / 0.004) * math.exp(-2.4 * t)
        out.append(gain * level
                   * math.sin(2 * math.pi * hertz * t + index * swing))
    return out


def compose():
    rng = random.Random(16)
    mix = Mix()
    pad_table = harmonics([1, 0.42, 0.2, 0.1, 0.06, 0.03])
    bass_table = harmonics([1, 0.35, 0.12, 0.05])
    for i, (root, chord, arpeggio) in enumerate(BARS):
        start = i * BAR
        last = i == len(BARS) - 1
        for j, name in enumerate(chord.split()):
            for detune, pan in ((0.9978, 0.15), (1.0, 0.5), (1.0022, 0.85)):
                mix.add(start, pad(pad_table, frequency(name) * detune,
                                   BAR * 0.92, 0.022, rng.random()),
                        pan + 0.04 * (j - 1.5))
        mix.add(start, bass(bass_table, frequency(root), BAR, 0.17), 0.5)
        if not last:
            mix.add(start + 2.5 * BEAT,
                    bass(bass_table, 2 * frequency(root), 1.5 * BEAT, 0.06),
                    0.5)
        for j, name in enumerate(arpeggio.split()):
            if name == "-":
                continue
            # A player's hand: never quite on time, the first beat louder.
            late = rng.uniform(0, 0.012) + (0.06 * j if last else 0)
            at = start + j * BEAT / 2 * (0.5 if last else 1) + late
            gain = (0.5 if j % 4 == 0 else 0.36) * rng.uniform(0.88, 1.08)
            mix.add(at, pluck(frequency(name), 2.6, gain, rng),
                    0.5 + 0.32 * math.sin(1.7 * j + i))
    for bar, beat, name in MELODY:
        mix.add(bar * BAR + beat * BEAT, bell(frequency(name), 1.9, 0.055),
                0.5 + rng.uniform(-0.3, 0.3))
    return mix


def write_wav(path, mix):
    fade_in, fade_out = int(0.6 * RATE), int(2.2 * RATE)
    n = len(mix.left)
    peak = max(max(map(abs, mix.left)), max(map(abs, mix.right)))
    samples = array.array("h")
    for i in range(n):
        level = 0.8 / peak * min(1.0, i / fade_in, (n - 1 - i) / fade_out)
        for value in (mix.left[i], mix.right[i]):
            samples.append(round(32767 * math.tanh(1.1 * level * value)))
    if sys.byteorder == "big":
        samples.byteswap()
    with wave.open(path, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    target = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here,
                                                               "demo.ogg")
    with tempfile.TemporaryDirectory() as folder:
        dry = os.path.join(folder, "dry.wav")
        wet = os.path.join(folder, "wet.wav")
        write_wav(dry, compose())
        # -R: the same dither, hence the same file, every time.
        subprocess.run(["sox", "-R", "-G", dry, wet, "highpass", "30",
                        "reverb", "45", "40", "90", "100", "18", "-2",
                        "fade", "t", "0", str(LENGTH), "1.6",
                        "gain", "-n", "-1.5"], check=True)
        subprocess.run(["opusenc", "--quiet", "--bitrate", "96", "--cvbr",
                        "--serial", "1", "--title", "Sixteen streams",
                        "--artist", "splitstream", wet, target], check=True)


if __name__ == "__main__":
    main()
