"""A station whose programs are far from one another: each on a host of its
own, behind its own access link. And what scripts that show one share."""

import argparse
import os
import sys

from air import Air
from internet import Internet
from lib import Failure, Skip, handle_signals
from packets import make_source

CONTACTS = 2  # ways in that each program is told
SETTLE_SECONDS = 3  # after the last tune-in
# What several scripts ask for, as parse_arguments takes it.
SECONDS = ("--seconds", {"type": int, "default": 30})
QUEUE = ("--queue", {"type": int, "default": 0, "metavar": "BYTES",
                     "help": "before a narrow link; 0: 64 KiB"})


def parse_arguments(argv, description, more=(), **defaults):
    """What the command line asks for; `more` are pairs of a name and what
    argparse is to know of it, `defaults` replace those below."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("build", metavar="BUILD", help="build directory")
    parser.add_argument("--relays", type=int, default=1)
    parser.add_argument("--listeners", type=int, default=10)
    parser.add_argument("--stagger", type=int, default=250, metavar="MS",
                        help="between the starts of two listeners")
    parser.add_argument("--latency", type=int, default=1500, metavar="MS")
    parser.add_argument("--parity", type=int, default=1, metavar="M")
    parser.add_argument("--delay", type=float, default=20, metavar="MS",
                        help="one way between any two hosts")
    parser.add_argument("--jitter", type=float, default=0, metavar="MS")
    parser.add_argument("--loss", type=float, default=0, metavar="PERCENT",
                        help="between any two hosts")
    parser.add_argument("--seed", type=int, default=1,
                        help="of what is lost, and of what is chosen")
    for name, known in more:
        parser.add_argument(name, **known)
    parser.set_defaults(**defaults)
    options = parser.parse_args(argv)
    options.build = os.path.abspath(options.build)  # others run elsewhere
    return options


def run_script(name, script):
    """The exit status of a script, which prints its tables and returns what is
    wrong, in words; "" if nothing is."""
    handle_signals()
    try:
        problem = script()
    except (Failure, Skip) as failure:
        print(f"{name}: {failure}", file=sys.stderr)
        return 1
    print(f"\n{'FAIL  ' + problem if problem else 'pass'}")
    return 1 if problem else 0


class FarAir(Air):
    """Programs find each other through the relays started first, which have
    to be there before anything else. The source lasts for so many seconds
    after the last tune-in, and some more."""

    def __init__(self, stage, options, seconds):
        length = int(options.listeners * (options.stagger / 1000 + 0.1)
                     + SETTLE_SECONDS + seconds + 5)
        super().__init__(stage, make_source(options.build, "opus", length),
                         latency_ms=options.latency, parity=options.parity)
        self.internet = Internet(stage, options.seed, delay=options.delay / 2,
                                 jitter=options.jitter, loss_up=options.loss)
        self.options = options
        self.where = []

    def start(self, program, *args, link=None, **options):
        """`link`: of the host that this one gets."""
        namespace, address = self.internet.host(**(link or {}))
        self.stage.prefix = namespace.prefix
        contacts = [word for node in self.nodes[:CONTACTS]
                    for word in ("--bootstrap", node.host)]
        started = self.stage.start(program, *contacts, *args,
                                   env=self.stage.apart(address), **options)
        started.namespace, started.host = namespace, address
        return started

    def start_all(self, odd=None, may_give_up=False):
        """Relays, broadcaster and listeners, all of which have media then;
        those that have given up are no listeners any more, if they may. One
        that is to be odd is returned: (its place among the listeners, its
        options, its link)."""
        place, words, link = odd or (None, (), {})
        for number in range(self.options.relays):
            self.start_node(name=f"relay-{number + 1}")
        self.start_broadcaster()
        for number in range(self.options.listeners):
            if number == place:
                self.start_listener(*words, link=link)
            else:
                self.start_listener()
            self.stage.pause(self.options.stagger / 1000)
        self.wait_tuned(self.listeners, may_give_up=may_give_up)
        chosen = self.listeners[place] if odd else None
        if may_give_up:
            self.listeners = [p for p in self.listeners if p.is_running]
        self.stage.pause(SETTLE_SECONDS)
        return chosen

    def kill(self, program, kind):
        """As others; nft: by a rule of the router on the way."""
        if kind != "nft":
            super().kill(program, kind)
            return
        self.internet.silence(program.host)
        self.silenced.add(program)

    def silence(self, program):
        self.internet.set_link(program.host, cut=1)

    def restore(self, program):
        self.internet.set_link(program.host, cut=0)

    def all_losses(self):
        """Of each survivor, when (time.monotonic) the packets that it lacks
        were due: from its first to the last that any of them has."""
        lost = {p: self.losses(p) for p in self.survivors()}
        last = {p: p.comparison.positions[-1] for p in lost}
        due = self.origin() + self.latency_ms / 1000
        return {p: dues + [due + self.timeline.time(position) for position
                           in range(last[p] + 1, max(last.values()) + 1)]
                for p, dues in lost.items()}
