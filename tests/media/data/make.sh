#!/bin/sh
# Makes the small files in this folder again (sox, opus-tools, vorbis-tools,
# flac). They are committed, so that tests need none of these; encoders of
# other versions give other packets, which is fine.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Lengths that are no multiple of any frame: the last packet is trimmed.
sox -R -n -b 16 -r 48000 -c 2 "$tmp/48k.wav" synth 2.0131 pluck C4 pluck G4 \
    gain -6
sox -R -n -b 16 -r 44100 -c 1 "$tmp/44k.wav" synth 3.0071 sine 300:600 \
    tremolo 3 90 gain -6
sox -R -n -b 16 -r 8000 -c 1 "$tmp/8k.wav" synth 3.0093 sine 200:400 gain -6

opusenc --quiet --serial 11 --bitrate 24 --title Pluck "$tmp/48k.wav" tone.opus
opusenc --quiet --serial 12 --bitrate 12 --framesize 60 "$tmp/8k.wav" \
    long-frames.opus
oggenc -Q -s 13 -q -1 -t Sweep "$tmp/44k.wav" -o tone.ogg
flac --silent --force --ogg --serial-number=14 --blocksize=576 \
    "$tmp/8k.wav" -o tone.oga
flac --silent --force --no-padding "$tmp/8k.wav" -o native.flac
