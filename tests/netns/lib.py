"""What the tests of the real programs share: a stage with a scratch
directory of its own, on which programs are started and watched.

One thread reads everything that programs write (statistics through a FIFO,
standard error, standard output) and sees them end (pidfd), so that tests wait
for what they mean, with a deadline, and never for time to pass."""

import atexit
import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

READ_MAX = 1 << 18
TERM_SECONDS = 5  # what a program has for its orderly end, and to spare
# Before a command: it shall not outlive the test, however that ends.
DIE_WITH_TEST = (["setpriv", "--pdeathsig", "KILL"]
                 if shutil.which("setpriv") else [])


class Failure(Exception):
    """What a test expected did not happen; the text says what."""


class Skip(Exception):
    """This test cannot run here; the text says why."""


def expect(condition, text):
    if not condition:
        raise Failure(text)


class Hub(threading.Thread):
    """Calls back, with `changed` held, when a descriptor can be read."""

    def __init__(self):
        super().__init__(daemon=True)
        self.changed = threading.Condition(threading.RLock())
        self.selector = selectors.DefaultSelector()
        self.stopping = False
        self.alarm, self.bell = os.pipe()
        self.selector.register(self.alarm, selectors.EVENT_READ, None)
        self.start()

    def add(self, fd, callback):
        with self.changed:
            self.selector.register(fd, selectors.EVENT_READ, callback)

    def remove(self, fd):
        """Stops watching, and closes."""
        with self.changed:
            try:
                self.selector.unregister(fd)
            except (KeyError, ValueError):
                return
            os.close(fd)

    def run(self):
        while not self.stopping:
            for key, _ in self.selector.select():
                if key.data is None:
                    continue
                with self.changed:
                    # It may have been removed since.
                    if self.selector.get_map().get(key.fd) is key:
                        key.data()

    def stop(self):
        self.stopping = True
        os.write(self.bell, b"x")
        self.join()
        for fd in (self.alarm, self.bell):
            os.close(fd)
        self.selector.close()


def media_offset(data):
    """Where the first Ogg page ends that carries media and not only codec
    headers (their pages have granule position 0); None while there is
    none."""
    at = 0
    while at + 27 <= len(data):
        if data[at:at + 4] != b"OggS":
            return None
        n_segments = data[at + 26]
        end = at + 27 + n_segments + sum(data[at + 27:at + 27 + n_segments])
        if len(data) < end or at + 27 + n_segments > len(data):
            return None
        if data[at + 6:at + 14] != bytes(8):
            return end
        at = end
    return None


class Program:
    """One process on a stage. What it wrote so far: `errors` (text), `output`
    (bytes, with `arrivals`: pairs of a time and the length by then) and
    `lines` (statistics, oldest first). Times are time.monotonic()."""

    def __init__(self, stage, name, argv, stdin, output, with_stats, env):
        self.stage, self.name, self.argv = stage, name, argv
        self.errors = ""
        self.error_times = []
        self.output = bytearray()
        self.arrivals = []
        self.lines = []
        self.line_times = []
        self.first_media = None
        self.returncode = None
        self.ended = None
        self.usage = None
        self.memory_peak = 0
        self.stats_text = b""
        self.stats_fd = self.output_fd = self.error_fd = None
        if with_stats:
            self._open_stats(argv)
        self._spawn(stdin, output, env)

    def _open_stats(self, argv):
        path = self.stage.path(f"{self.name}-stats.fifo")
        if os.path.exists(path):
            os.unlink(path)
        os.mkfifo(path)
        # Both ways, so that neither side waits for the other.
        self.stats_fd = os.open(path, os.O_RDWR | os.O_NONBLOCK
                                | os.O_CLOEXEC)
        argv += ["--stats", path]

    def _spawn(self, stdin, output, env):
        stdout = None
        if isinstance(output, int):
            stdout = output
        elif output is not None:
            stdout = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                             0o644)
        self.started = time.monotonic()
        self.started_wall = time.time()
        self.process = subprocess.Popen(
            self.argv, env=env, cwd=self.stage.dir, start_new_session=True,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE, bufsize=0)
        self.pid = self.process.pid
        hub = self.stage.hub
        if stdout is None:
            self.output_fd = os.dup(self.process.stdout.fileno())
            self.process.stdout.close()
            os.set_blocking(self.output_fd, False)
            hub.add(self.output_fd, self._on_output)
        elif not isinstance(output, int):
            os.close(stdout)
        self.error_fd = os.dup(self.process.stderr.fileno())
        self.process.stderr.close()
        os.set_blocking(self.error_fd, False)
        hub.add(self.error_fd, self._on_error)
        if self.stats_fd is not None:
            hub.add(self.stats_fd, self._on_stats)
        self.exit_fd = os.pidfd_open(self.pid)
        hub.add(self.exit_fd, self._on_exit)

    def _read(self, fd):
        """Bytes, b"" at the end, None when there is nothing now."""
        try:
            return os.read(fd, READ_MAX)
        except BlockingIOError:
            return None

    def _on_output(self):
        data = self._read(self.output_fd)
        if data is None:
            return False
        if not data:
            self.stage.hub.remove(self.output_fd)
            self.output_fd = None
            return False
        now = time.monotonic()
        self.output += data
        self.arrivals.append((now, len(self.output)))
        if self.first_media is None:
            if media_offset(self.output) is not None:
                self.first_media = now
                self.stage.hub.changed.notify_all()
        return True

    def _on_error(self):
        data = self._read(self.error_fd)
        if data is None:
            return False
        if not data:
            self.stage.hub.remove(self.error_fd)
            self.error_fd = None
            return False
        self.errors += data.decode("utf-8", "replace")
        self.error_times.append((time.monotonic(), len(self.errors)))
        self.stage.hub.changed.notify_all()
        return True

    def _on_stats(self):
        data = self._read(self.stats_fd)
        if not data:
            return False
        self.stats_text += data
        *complete, self.stats_text = self.stats_text.split(b"\n")
        for line in complete:
            self.lines.append(json.loads(line))
            self.line_times.append(time.monotonic())
        self._sample_memory()
        self.stage.hub.changed.notify_all()
        return True

    def _sample_memory(self):
        # Not from wait4: a child starts with the peak of who forked it.
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii",
                      errors="replace") as file:
                for line in file:
                    if line.startswith("VmHWM:"):
                        self.memory_peak = max(self.memory_peak,
                                               int(line.split()[1]) * 1024)
        except OSError:
            pass

    def _on_exit(self):
        hub = self.stage.hub
        for name in ("output", "error", "stats"):
            reader = getattr(self, f"_on_{name}")
            while getattr(self, f"{name}_fd") is not None and reader():
                pass
            if getattr(self, f"{name}_fd") is not None:
                hub.remove(getattr(self, f"{name}_fd"))
                setattr(self, f"{name}_fd", None)
        _, status, self.usage = os.wait4(self.pid, 0)
        self.returncode = os.waitstatus_to_exitcode(status)
        self.process.returncode = self.returncode
        self.ended = time.monotonic()
        hub.remove(self.exit_fd)
        hub.changed.notify_all()

    # What tests ask.

    @property
    def is_running(self):
        return self.returncode is None

    @property
    def stats(self):
        """The latest line of statistics, {} before the first."""
        return self.lines[-1] if self.lines else {}

    @property
    def station(self):
        return self.stats.get("station") or {}

    @property
    def port(self):
        address = self.stats.get("address") or ""
        return int(address.rpartition(":")[2] or 0)

    @property
    def cpu_seconds(self):
        if self.usage is None:
            return None
        return self.usage.ru_utime + self.usage.ru_stime

    def children(self):
        """In how many stripes this node has children."""
        return sum(1 for stripe in self.station.get("stripes", ())
                   if stripe["children"] > 0)

    def parents(self):
        """In how many stripes this node is fed (or is itself the root)."""
        return sum(1 for stripe in self.station.get("stripes", ())
                   if stripe["parent"] is not None or stripe.get("is_root"))

    def describe(self):
        state = ("running" if self.is_running
                 else f"ended with {self.returncode}")
        said = self.errors.strip().splitlines()[-5:]
        return f"{self.name} ({state}): " + " | ".join(said)

    # What tests do.

    def wait_until(self, condition, seconds, what):
        """Waits for condition() to be true; its value. Fails when time is up
        or the program ends first."""
        with self.stage.hub.changed:
            self.stage.hub.changed.wait_for(
                lambda: condition() or not self.is_running, seconds)
            value = condition()
            if not value:
                why = ("it ended" if not self.is_running
                       else f"not within {seconds} s")
                raise Failure(f"{what}: {why}; {self.describe()}")
            return value

    def wait_error(self, text, seconds=10, after=0):
        """Waits for text on standard error (from offset `after`)."""
        return self.wait_until(lambda: text in self.errors[after:], seconds,
                               f"'{text}' on standard error")

    def wait_state(self, *states, seconds=10):
        return self.wait_until(lambda: self.stats.get("state") in states,
                               seconds, f"state {' or '.join(states)}")

    def wait_media(self, seconds=10):
        return self.wait_until(lambda: self.first_media, seconds,
                               "media on standard output")

    def wait(self, seconds):
        """Waits for its end; its exit status."""
        with self.stage.hub.changed:
            done = self.stage.hub.changed.wait_for(
                lambda: not self.is_running, seconds)
            expect(done, f"did not end within {seconds} s; {self.describe()}")
            return self.returncode

    def send(self, number):
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):  # it just ended
                os.kill(self.pid, number)

    def stop(self, number=signal.SIGTERM, seconds=TERM_SECONDS):
        """Asks it to end, and waits; its exit status."""
        self.send(number)
        return self.wait(seconds)


class Stage:
    """A scratch directory with a home of its own, and programs. To be used
    with `with`: whatever still runs at the end is killed."""

    def __init__(self, build, keep=None):
        self.build = os.path.abspath(build)
        self.dir = keep or tempfile.mkdtemp(prefix="ss-test-")
        self.keep = keep is not None
        self.hub = Hub()
        self.programs = []
        self.cleanups = []
        self.prefix = []  # before every command: into a namespace
        self.env = self._make_env()
        # One table of plugins for all: to make it takes seconds.
        self.env["GST_REGISTRY"] = self._make_registry()
        atexit.register(self.close)

    def _make_env(self):
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(("SS_", "XDG_"))}
        for name, folder in (("HOME", "home"), ("XDG_RUNTIME_DIR", "run"),
                             ("XDG_STATE_HOME", "state"),
                             ("XDG_DATA_HOME", "data"),
                             ("XDG_CONFIG_HOME", "config"),
                             ("XDG_CACHE_HOME", "cache"),
                             ("TMPDIR", "tmp")):
            env[name] = self.path(folder)
            os.makedirs(env[name], mode=0o700, exist_ok=True)
        env["LC_ALL"] = "C.UTF-8"
        return env

    def _make_registry(self):
        path = os.path.join(self.build, "gst-registry.bin")
        if not os.path.exists(path) and shutil.which("gst-inspect-1.0"):
            subprocess.run(["gst-inspect-1.0", "filesrc"],
                           env={**self.env, "GST_REGISTRY": path},
                           stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)
        return path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def path(self, name):
        return os.path.join(self.dir, name)

    def apart(self, name):
        """The environment of a program that shares no directory with the
        others, as if it were on a machine of its own."""
        env = {}
        for variable in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME",
                         "XDG_DATA_HOME"):
            env[variable] = self.path(f"{variable}-{name}")
            os.makedirs(env[variable], mode=0o700, exist_ok=True)
        return env

    def program(self, name):
        for folder in ("apps", "examples", "tests/tools"):
            path = os.path.join(self.build, folder, name)
            if os.path.exists(path):
                return path
        raise Failure(f"{name} is not built")

    def start(self, program, *args, name=None, stdin=None, output=None,
              with_stats=True, env=None):
        """Starts ss-PROGRAM. `output`: a path or a descriptor, else it is
        read into memory."""
        name = name or f"{program}-{len(self.programs)}"
        argv = [*self.prefix, *DIE_WITH_TEST, self.program(f"ss-{program}"),
                *[str(arg) for arg in args]]
        with self.hub.changed:
            started = Program(self, name, argv, stdin, output, with_stats,
                              {**self.env, **(env or {})})
            self.programs.append(started)
        return started

    def run(self, program, *args, seconds=20, **options):
        """Starts, waits for the end; the program."""
        options.setdefault("with_stats", False)
        started = self.start(program, *args, **options)
        started.wait(seconds)
        return started

    def wait_until(self, condition, seconds, what):
        with self.hub.changed:
            expect(self.hub.changed.wait_for(condition, seconds),
                   f"{what}: not within {seconds} s; "
                   + "; ".join(p.describe() for p in self.programs[-6:]))

    def wait_all(self, programs, condition, seconds, what):
        self.wait_until(lambda: all(condition(p) for p in programs), seconds,
                        what)

    def pause(self, seconds):
        """Lets a broadcast go on: nothing in particular is to happen. False
        as soon as a program ends."""
        running = [p for p in self.programs if p.is_running]
        with self.hub.changed:
            return not self.hub.changed.wait_for(
                lambda: not all(p.is_running for p in running), seconds)

    def kill_all(self):
        for number in (signal.SIGKILL, signal.SIGCONT):
            for program in self.programs:
                program.send(number)
        with self.hub.changed:
            self.hub.changed.wait_for(
                lambda: not any(p.is_running for p in self.programs), 10)

    def close(self):
        if self.hub is None:
            return
        atexit.unregister(self.close)
        self.kill_all()
        for cleanup in reversed(self.cleanups):
            cleanup()
        self.hub.stop()
        self.hub = None
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)


def handle_signals():
    """So that a test that is told to end still cleans up."""
    def leave(number, _):
        sys.exit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def run_test(test, build):
    """Whether it did not fail, and the line and remarks that say so; the
    line lacks its number."""
    name = test.__name__.replace("_", "-")
    verdict, remarks = "ok", ""
    start = time.monotonic()
    try:
        test(build)
    except Skip as reason:
        name += f" # SKIP {reason}"
    except Failure as failure:
        verdict, remarks = "not ok", str(failure)
    except Exception:  # a fault of the test's is a failure too
        verdict, remarks = "not ok", traceback.format_exc()
    remarks += f"\n{test.__name__}: {time.monotonic() - start:.1f} s"
    return f"{verdict}|{name}", remarks.strip()


def print_test(number, line, remarks):
    verdict, _, name = line.partition("|")
    print(f"{verdict} {number} {name}")
    for remark in remarks.splitlines():
        print(f"# {remark}")
    if verdict != "ok":  # meson shows only this of what fails
        print(f"{name}: {remarks}", file=sys.stderr)
    sys.stdout.flush()
    return verdict == "ok"


def run_at_once(tests, build, at_once):
    """Each in a process of its own, some at a time: they mostly wait."""
    running = []
    verdicts = []
    try:
        for number in range(len(tests)):
            while len(running) < min(number + at_once, len(tests)):
                name = tests[len(running)].__name__
                running.append(subprocess.Popen(
                    [sys.executable, sys.argv[0], "--bare", name, build],
                    stdout=subprocess.PIPE, text=True))
            said = running[number].communicate()[0]
            line, _, remarks = said.partition("\n")
            verdicts.append(print_test(
                number + 1, line or f"not ok|{tests[number].__name__}",
                remarks))
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
                process.wait()
    return verdicts


def run_tests(tests, at_once=1):
    """Runs functions that take a build directory, as TAP; the exit status.
    The command line: TEST... BUILD."""
    handle_signals()
    names, build = sys.argv[1:-1], sys.argv[-1]
    if len(sys.argv) < 2 or not os.path.isdir(build):
        print(f"usage: {os.path.basename(sys.argv[0])} [TEST...] BUILD",
              file=sys.stderr)
        return 2
    if names[:1] == ["--bare"]:
        wanted = [test for test in tests if test.__name__ == names[1]]
        print(*run_test(wanted[0], build), sep="\n")
        return 0
    tests = [test for test in tests if not names or test.__name__ in names]
    print(f"1..{len(tests)}", flush=True)
    if at_once > 1:
        verdicts = run_at_once(tests, build, at_once)
    else:
        verdicts = [print_test(number, *run_test(test, build))
                    for number, test in enumerate(tests, 1)]
    return 0 if all(verdicts) else 1
