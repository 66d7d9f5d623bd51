"""Rooms of ss-chat: what is said arrives once and in order, whoever dies.
On the loopback device, beside a node of the radio, which is in another
ring."""

import os
import re
import signal
import sys

from lib import Stage, expect, run_tests

WHERE = ("--bind", "127.0.0.1:0")
ROOM = "kitchen table"
BACKLOG = 20  # lines of each that who comes late is told
USAGE, NOT_JOINED = 2, 3


class Talker:
    """One ss-chat, what it says and what it has heard."""

    def __init__(self, stage, nick, *args):
        self.nick, self.said = nick, []
        stdin, self.stdin = os.pipe()
        self.program = stage.start(
            "chat", *WHERE, "--state-dir", stage.path(f"state-{nick}"),
            "--nick", nick, *args, stdin=stdin)
        os.close(stdin)
        self.program.wait_error("others join with", 20)
        found = re.search(r"--room '(.*)' --bootstrap (\S+)",
                          self.program.errors)
        self.entrance = ("--room", found[1], "--bootstrap", found[2])

    def wait_admitted(self):
        self.program.wait_error("you may speak", 20)

    def say(self, n):
        """So many lines at once."""
        lines = [f"line {len(self.said) + i} of {self.nick}"
                 for i in range(n)]
        self.said += lines
        os.write(self.stdin, "".join(f"{line}\n" for line in lines).encode())

    def heard(self, other):
        text = self.program.output.decode()
        return re.findall(rf"^{other.nick}#[0-9a-f]{{8}}: (.*)$", text, re.M)

    def wait_heard(self, other, lines):
        """These and no others."""
        try:
            self.program.wait_until(
                lambda: len(self.heard(other)) >= len(lines), 30,
                f"what {other.nick} said")
        finally:
            heard = self.heard(other)
            expect(heard == lines, f"{self.nick} heard of {other.nick}: "
                   f"{len(heard)} lines, not {len(lines)}: {heard[:3]} ... "
                   f"{heard[-3:]}; {self.program.describe()}")

    def end(self):
        os.close(self.stdin)
        expect(self.program.wait(15) == 0, self.program.describe())


def hear_each_other(talkers):
    for talker in talkers:
        for other in talkers:
            if other is not talker:
                talker.wait_heard(other, other.said)


def talk_and_die(build):
    """Three talk; who started the room is killed, then another; one comes
    late, and may speak when the room's key is back."""
    with Stage(build) as stage:
        stage.start("node", *WHERE).wait_state("alone")
        anna = Talker(stage, "anna", "--open", ROOM)
        bert = Talker(stage, "bert", *anna.entrance)
        carl = Talker(stage, "carl", *bert.entrance)
        for guest in (bert, carl):
            guest.wait_admitted()
        # Who may speak need not have come into the tree yet, and who comes
        # late is told the last lines only.
        for talker in (anna, bert, carl):
            talker.say(1)
        hear_each_other([anna, bert, carl])
        for talker in (anna, bert, carl):
            talker.say(30)
        carl.say(100)  # more than may be on their way
        hear_each_other([anna, bert, carl])

        anna.program.send(signal.SIGKILL)
        for talker in (bert, carl):
            talker.say(25)
        hear_each_other([bert, carl])
        dora = Talker(stage, "dora", *carl.entrance)
        for talker in (anna, bert, carl):
            dora.wait_heard(talker, talker.said[-BACKLOG:])
        dora.program.wait_error("nobody is there who could let you speak", 20)

        bert.program.send(signal.SIGKILL)
        dora.say(2)  # when it may
        said = len(carl.said)
        carl.say(30)
        dora.wait_heard(carl, carl.said[said - BACKLOG:])
        again = Talker(stage, "anna", "--open", ROOM, *carl.entrance[2:])
        expect("opened again your room" in again.program.errors,
               again.program.describe())
        expect(again.entrance[1] == anna.entrance[1], "another room")
        dora.wait_admitted()
        for talker in (carl, again):
            talker.wait_heard(dora, dora.said)
        for talker in (again, carl):
            talker.end()
        expect(dora.program.stop() == 0, dora.program.describe())


def from_a_file(build):
    """The last line is said before the room is left."""
    with Stage(build) as stage:
        anna = Talker(stage, "anna", "--open", ROOM)
        lines = [f"line {i}" for i in range(500)]
        path = stage.path("text")
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(lines))
        with open(path, "rb") as file:
            done = stage.run("chat", *WHERE, *anna.entrance, "--state-dir",
                             stage.path("file"), stdin=file, seconds=30)
        expect(done.returncode == 0, done.describe())
        anna.program.wait_until(
            lambda: anna.program.output.count(b"\n") >= len(lines), 5,
            "all lines")
        heard = re.findall(r"^guest#[0-9a-f]{8}: (.*)$",
                           anna.program.output.decode(), re.M)
        expect(heard == lines, f"{len(heard)} lines: {heard[:3]}")
        anna.end()


def invite(build):
    """A closed room: all who join hear, and who is invited speaks. The name
    alone leads to no other's room, and opens none by mistake."""
    with Stage(build) as stage:
        anna = Talker(stage, "anna", "--open", ROOM, "--closed")
        expect(f"opened your room {ROOM}, a new one: only whom you invite"
               in anna.program.errors, anna.program.describe())
        done = stage.run("chat", *WHERE, "--state-dir", stage.path("state"),
                         "--room", ROOM, *anna.entrance[2:], stdin=None)
        expect(done.returncode == USAGE, done.describe())
        expect("--room is NAME@KEY" in done.errors, done.errors)
        bert = Talker(stage, "bert", *anna.entrance)
        carl = Talker(stage, "carl", *bert.entrance)
        for guest in (bert, carl):
            expect(f"joined {ROOM}, a room of somebody else's"
                   in guest.program.errors, guest.program.describe())
            guest.program.wait_error("is closed", 20)
            guest.say(3)
            anna.program.wait_error(f"{guest.nick}#", 5)
        number = re.search(r"bert#(\w+) asks", anna.program.errors)[1]
        os.write(anna.stdin, b"/invite nobody\n")
        anna.program.wait_error("nobody asks who is 'nobody'", 5)
        os.write(anna.stdin, f"/invite {number}\n".encode())
        bert.wait_admitted()
        anna.say(3)
        for talker in (bert, carl):
            talker.wait_heard(anna, anna.said)
        for talker in (anna, carl):
            talker.wait_heard(bert, bert.said)
        expect(not anna.heard(carl), "carl was not invited")
        for talker in (bert, anna):
            talker.end()
        expect(carl.program.stop() == 0, carl.program.describe())


def nobody_there(build):
    with Stage(build) as stage:
        done = stage.run("chat", *WHERE, "--room", f"{ROOM}@{'0' * 64}",
                         "--bootstrap", "127.0.0.1:9", stdin=None)
        expect(done.returncode == NOT_JOINED, done.describe())
        expect("no bootstrap node answered" in done.errors, done.errors)


if __name__ == "__main__":
    sys.exit(run_tests([talk_and_die, from_a_file, invite, nobody_there],
                       at_once=4))
