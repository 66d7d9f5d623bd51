"""What goes in and what comes out: files of many kinds and their URIs, the
decoders that people pipe to, a terminal, an output that is closed."""

import os
import pathlib
import pty
import shutil
import subprocess
import sys
import wave

from air import STATION, Air
from lib import Skip, Stage, expect, run_tests
from packets import Comparison, make_source, read_packets, synthesise

WHERE = ("--bind", "127.0.0.1:0")
FAILED = 1
SECONDS = 2  # of each source
# No sink may find a device, wherever this runs.
NO_SOUND = ",".join(f"{sink}:NONE" for sink in (
    "pulsesink", "pipewiresink", "alsasink", "jackaudiosink", "openalsink",
    "osssink", "oss4sink"))
DECODERS = {
    "opus": ["opusdec", "--quiet", "-", "{}"],
    "vorbis": ["oggdec", "--quiet", "--output", "{}", "-"],
    "flac": ["flac", "--silent", "--decode", "--ogg", "--force",
             "--output-name={}", "-"],
}


def has_elements(*names):
    return shutil.which("gst-inspect-1.0") is not None and all(
        subprocess.run(["gst-inspect-1.0", "--exists", name],
                       check=False).returncode == 0 for name in names)


def make_files(stage, build):
    """Paths and URIs, and what of them is sent as it is."""
    sound = stage.path("a sound.wav")
    synthesise(sound, SECONDS, 44100, 2, 12)
    native = stage.path("native.flac")
    subprocess.run(["flac", "--silent", "-o", native, sound], check=True)
    sources = [pathlib.Path(sound).as_uri(), native]
    if has_elements("lamemp3enc", "mpg123audiodec"):
        mp3 = stage.path("sound.mp3")
        subprocess.run(
            ["gst-launch-1.0", "-q", "filesrc", f'location="{sound}"', "!",
             "wavparse", "!", "audioconvert", "!", "lamemp3enc", "!",
             "filesink", f"location={mp3}"], check=True)
        sources.append(mp3)
    untouched = make_source(build, "vorbis", SECONDS)
    sources.append(pathlib.Path(untouched).as_uri())
    return sources, untouched


def many_kinds(build):
    """WAV, FLAC, MP3, Vorbis, by path and by URI: each is a link, each is
    heard to its end, and one that is no media is left out."""
    with Stage(build) as stage:
        sources, untouched = make_files(stage, build)
        text = stage.path("text")
        with open(text, "w", encoding="ascii") as file:
            file.write("no media\n" * 50)
        listener = stage.start("listen", *WHERE, "--wait", 20, STATION)
        broadcaster = stage.start("broadcast", *WHERE, "--group", STATION,
                                  *sources[:1], text, *sources[1:])
        expect(broadcaster.wait(40) == 0, broadcaster.describe())
        expect(listener.wait(10) == 0, listener.describe())
        expect(f"cannot play {text}" in broadcaster.errors,
               broadcaster.errors)
        path = stage.path("received.ogg")
        with open(path, "wb") as file:
            file.write(listener.output)
        links = {}
        for packet in read_packets(stage, path):
            links.setdefault(packet.link, []).append(packet)
        expect(len(links) == len(sources),
               f"{len(links)} links of {len(sources)} sources")
        last = Comparison(read_packets(stage, untouched),
                          links[max(links)])
        expect(not last.problems() and not last.tail, last.problems())


def pipes_to_decoders(build):
    """`ss-listen STATION | opusdec - out.wav` and the like, tuned in to a
    broadcast that goes on: not a complaint, and as long as it was heard."""
    for kind, decoder in DECODERS.items():
        if shutil.which(decoder[0]) is None:
            raise Skip(f"{decoder[0]} is not installed")
    with Stage(build) as stage:
        waiting = []
        for kind, decoder in DECODERS.items():
            broadcaster = stage.start("broadcast", *WHERE, "--group", kind,
                                      make_source(build, kind, 8))
            broadcaster.wait_error("on the air", 20)
        for kind, decoder in DECODERS.items():
            path = stage.path(f"{kind}.wav")
            reader, writer = os.pipe()
            listener = stage.start("listen", *WHERE, "--duration", 3, kind,
                                   output=writer)
            os.close(writer)
            process = subprocess.Popen(
                [part.format(path) for part in decoder], stdin=reader,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            os.close(reader)
            waiting.append((kind, listener, process, path))
        for kind, listener, process, path in waiting:
            expect(listener.wait(20) == 0, listener.describe())
            complaints = process.communicate(timeout=10)[1]
            expect(process.returncode == 0, f"{kind}: {complaints}")
            # Of FLAC that comes live there is no checksum.
            complaints = [line for line in complaints.splitlines()
                          if any(word in line.lower() for word in
                                 ("warning", "error", "hole", "corrupt"))
                          and "md5" not in line.lower()]
            expect(not complaints, f"{kind}: {complaints}")
            with wave.open(path) as sound:
                seconds = sound.getnframes() / sound.getframerate()
            expect(2.4 < seconds < 3.7, f"{kind}: {seconds:.2f} s heard")


def on_a_terminal(build):
    """It plays, and writes nothing there; where there is no sound device it
    says so."""
    if not has_elements("autoaudiosink", "opusdec"):
        raise Skip("no GStreamer to play with")
    with Stage(build) as stage:
        air = Air(stage, make_source(build, "opus", 8))
        air.start_broadcaster()
        keyboard, terminal = pty.openpty()
        os.set_blocking(keyboard, False)
        listener = stage.start("listen", *air.where, "--duration", 2,
                               STATION, output=terminal,
                               env={"GST_PLUGIN_FEATURE_RANK": NO_SOUND})
        expect(listener.wait(20) == 0, listener.describe())
        expect("no sound device" in listener.errors, listener.errors)
        try:
            shown = os.read(keyboard, 1)
        except BlockingIOError:
            shown = b""
        expect(not shown, "something was written to the terminal")
        os.close(terminal)
        os.close(keyboard)


def closed_output(build):
    """`>&-`: nothing else gets what was meant for standard output."""
    with Stage(build) as stage:
        air = Air(stage, make_source(build, "opus", 8))
        air.start_broadcaster()
        stage.prefix = ["sh", "-c", 'exec "$@" >&-', "sh"]
        listener = stage.run("listen", *air.where, "--wait", 5, STATION)
        expect(listener.returncode == FAILED, listener.describe())
        line = listener.errors.splitlines()[-1]
        expect("standard output" in line and "--output" in line, line)
        air.broadcaster.stop()


if __name__ == "__main__":
    sys.exit(run_tests([many_kinds, pipes_to_decoders, on_a_terminal,
                        closed_output], at_once=4))
