"""ss-sim run SCENARIO --csv FILE: figures for plots, or a clear word why not.
Usage: figures.py SS_SIM"""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lint"))
import tap  # noqa: E402


def ss_sim(*args):
    return subprocess.run([sys.argv[1], *args], text=True,
                          capture_output=True, check=False)


def run(*args):
    return ss_sim("run", *args)


class Checks(tap.Tap):
    def that(self, rule, is_right, otherwise):
        self.check(rule, [] if is_right else str(otherwise).splitlines())


def main():
    output = Checks()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "figures.csv")
        done = run("one-death", "--nodes", "6", "--seed", "3", "--csv", path)
        with open(path, encoding="utf-8") as file:
            rows = [line.strip().split(",") for line in file]
        output.that("each death is a point", done.returncode == 0
                    and len(rows) == 7  # six listeners and the relay
                    and all(row[:3] == ["repair", "3", "6"] for row in rows),
                    done.stdout)
        times = [float(row[3]) for row in rows]
        most = done.stdout.split("median, p99, most")[1].split()[4]
        output.that("sorted, up to the table's most", times == sorted(times)
                    and times[-1] == float(most), f"{times} {most}")

        path = os.path.join(folder, "none.csv")
        done = run("join", "--nodes", "4", "--csv", path)
        output.that("a scenario without figures says so",
                    done.returncode == 2 and "no figures" in done.stderr
                    and not os.path.exists(path), done.stderr)
        done = ss_sim("swarm", "--runs", "1", "--csv", path)
        output.that("nor has the swarm any",
                    done.returncode == 2 and "no figures" in done.stderr
                    and not os.path.exists(path), done.stderr)
    done = run("growth", "--nodes", "4", "--csv", "/nonexistent/figures.csv")
    output.that("a file that cannot be written is named",
                done.returncode == 1
                and "cannot write /nonexistent/figures.csv" in done.stderr,
                done.stderr)
    done = run("growth", "--nodes", "4", "--csv", "/dev/full")
    output.that("what could not be written is an error",
                done.returncode == 1
                and "cannot write /dev/full" in done.stderr, done.stderr)
    return output.end()


if __name__ == "__main__":
    sys.exit(main())
