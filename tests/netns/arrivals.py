"""How long packets were on their way: from the publisher's word when its
media time began, and the listeners' histograms of by how much packets came
later than the quickest one. The programs compare no clocks; here all run on
one machine, so that there is one."""

from collections import Counter

STEP = 0.0001  # seconds; of what is told apart here
BIN_STEPS = 10  # the programs' bins: 1 ms


class Ways:
    """Of packets verified at listeners, from their departure at the
    publisher: a histogram. Adding up is all it can do."""

    def __init__(self):
        self.counts = Counter()  # packets by the lower edge, in steps
        self.beyond = 0  # later than the listeners' bins

    def add(self, publisher, listener, start, end, wall_offset):
        """What came to this listener between these times
        (time.monotonic)."""
        origin = publisher.station.get("media_origin")
        stations = [line["station"] for line in listener.lines
                    if start <= line["time"] - wall_offset <= end
                    and (line.get("station") or {}).get("media_origin")]
        if len(stations) < 2 or origin is None:
            return
        before, after = stations[0], stations[-1]
        self.counts.update(_counts(after, origin))
        self.counts.subtract(_counts(before, origin))
        self.beyond += after["arrivals_beyond"] - before["arrivals_beyond"]

    @property
    def n_packets(self):
        return sum(self.counts.values()) + self.beyond

    def quantile(self, part):
        """So many seconds at most, to a bin, that part of them took; None if
        that is beyond the bins, or there are none."""
        n_below, wanted = 0, part * self.n_packets
        for steps in sorted(self.counts):
            n_below += self.counts[steps]
            if n_below > 0 and n_below >= wanted:
                return (steps + BIN_STEPS) * STEP
        return None


def _counts(station, origin):
    base = round((station["media_origin"] - origin) / STEP)
    return {base + i * BIN_STEPS: n
            for i, n in enumerate(station["arrivals"]) if n}
