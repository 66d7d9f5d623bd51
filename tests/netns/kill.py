"""Who hears it when somebody dies: on one broadcast after the other, each
way of dying and each parity, ss-node and every listener die in turn, each
replaced by a newcomer. Prints after each death who lost what; exits 1 if
anybody lost anything."""

import argparse
import json
import os
import sys
import time

from air import Air
from lib import Failure, Skip, Stage, handle_signals
from namespaces import Namespace
from packets import make_source

KINDS = ("sigkill", "sigstop", "drop")
START_SECONDS = 0.25  # between two listeners
QUIET_SECONDS = 4  # from a death to the newcomer


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", metavar="BUILD", help="build directory")
    parser.add_argument("--listeners", type=int, default=8)
    parser.add_argument("--victims", type=int, metavar="N",
                        help="only the first so many, ss-node among them")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--parities", default="1,0")
    parser.add_argument("--step", type=float, default=7, metavar="SECONDS",
                        help="between two deaths")
    parser.add_argument("--latency", type=int, default=1500, metavar="MS")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)  # others run elsewhere
    return options


class Deaths:
    """One broadcast."""

    def __init__(self, air, kind, options):
        self.air, self.kind, self.options = air, kind, options
        self.deaths = []  # dicts
        self.unblamed = {}  # lost before anybody died

    def die(self, victim):
        """One death, and the newcomer after it."""
        air, start = self.air, time.monotonic()
        self.deaths.append({"at": start, "victim": victim.name,
                            "interior": victim.children(), "lost": {}})
        air.kill(victim, self.kind)
        air.stage.pause(QUIET_SECONDS)
        air.bury(victim)
        if air.namespace is not None:
            air.namespace.restore()
        if victim is air.node:
            air.start_node(name="node-again")
        else:
            air.start_listener()
        air.stage.pause(self.options.step - (time.monotonic() - start))

    def run(self):
        air = self.air
        air.start_node()
        air.start_broadcaster()
        for _ in range(self.options.listeners):
            air.start_listener()
            air.stage.pause(START_SECONDS)
        air.wait_tuned(air.listeners)
        air.stage.pause(2)
        for victim in [air.node, *air.listeners][:self.options.victims]:
            self.die(victim)
        air.wait_tuned([p for p in air.listeners if air.is_alive(p)])
        air.stage.pause(2)
        air.stop()
        self.attribute()

    def attribute(self):
        """Blames each lost packet on the last death before its time was
        up. The dead count until their own."""
        for listener in self.air.listeners:
            ended = [death["at"] for death in self.deaths
                     if death["victim"] == listener.name]
            for due in self.air.losses(listener):
                before = [death for death in self.deaths if death["at"] < due]
                if ended and due >= ended[0]:
                    continue
                blamed = before[-1]["lost"] if before else self.unblamed
                blamed[listener.name] = blamed.get(listener.name, 0) + 1


def said(lost):
    if not lost:
        return "nobody lost a frame"
    return "LOST: " + ", ".join(f"{name} {count}"
                                for name, count in sorted(lost.items()))


def run_one(options, kind, parity):
    n_victims = min(options.victims or options.listeners + 1,
                    options.listeners + 1)
    length = int(n_victims * (options.step + 0.5)
                 + options.listeners * START_SECONDS) + 20
    with Stage(options.build) as stage:
        namespace = Namespace(stage)
        air = Air(stage, make_source(options.build, "opus", length),
                  namespace=namespace, latency_ms=options.latency,
                  parity=parity)
        deaths = Deaths(air, kind, options)
        deaths.run()
        return deaths


def main():
    handle_signals()
    options = parse_arguments()
    n_lost, results = 0, []
    for parity in map(int, options.parities.split(",")):
        for kind in options.kinds.split(","):
            print(f"{kind}, parity {parity}, latency {options.latency} ms, "
                  f"{options.listeners} listeners:", flush=True)
            try:
                deaths = run_one(options, kind, parity)
            except Skip as reason:
                print(f"kill.py: {reason}", file=sys.stderr)
                return 1
            except Failure as failure:
                print(f"  FAILED: {failure}", flush=True)
                n_lost += 1
                continue
            for death in deaths.deaths:
                print(f"  {death['victim']:<12} interior in "
                      f"{death['interior']:>2}  {said(death['lost'])}",
                      flush=True)
            if deaths.unblamed:
                print(f"  before any death: {said(deaths.unblamed)}")
            lost = [death["lost"] for death in deaths.deaths]
            n_lost += sum(map(bool, [*lost, deaths.unblamed]))
            results.append({"kind": kind, "parity": parity,
                            "deaths": deaths.deaths,
                            "before": deaths.unblamed})
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
            file.write("\n")
    print(f"{sum(len(r['deaths']) for r in results)} deaths; "
          + ("nobody lost a frame" if not n_lost
             else f"after {n_lost} of them somebody lost something"))
    return 1 if n_lost else 0


if __name__ == "__main__":
    sys.exit(main())
