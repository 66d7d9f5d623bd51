"""The core is pure: its archives refer to no clock, entropy, socket, file,
thread or main loop, and hold no variable that threads or nodes would share.
Usage: pure.py ARCHIVE..."""

import os
import re
import subprocess
import sys

import tap

# What is forbidden, and what to use in its place.
FORBIDDEN = [
    (r"time|clock|clock_\w+|gettimeofday|ftime|timespec_get|localtime(_r)?"
     r"|gmtime(_r)?|g_get_(monotonic|real|current)_time"
     r"|g_date_time_new_now\w*|g_timer_\w+", "SsEnv.now"),
    (r"sleep|usleep|nanosleep|g_usleep|alarm|setitimer|timer_\w+|timerfd_\w+"
     r"|g_timeout_\w+|g_idle_\w+", "an SsTimer"),
    (r"getrandom|getentropy|rand|rand_r|srand|random|srandom|[dejlmn]rand48"
     r"|arc4random\w*|randombytes\w*|g_random_\w+|g_rand_\w+|sodium_init"
     r"|crypto_(?!\w*seed_)\w+_keypair|crypto_\w+_keygen|crypto_core_\w+_random"
     r"|g_uuid_\w+", "SsEnv.rng"),
    (r"socket|socketpair|bind|connect|listen|accept4?|send|sendto|sendmsg"
     r"|sendmmsg|recv|recvfrom|recvmsg|recvmmsg|shutdown|[gs]etsockopt"
     r"|getaddrinfo|gethostby\w+|getifaddrs|g_socket_\w+|g_inet_\w+",
     "the node's outbox"),
    (r"select|pselect|poll|ppoll|epoll_\w+|eventfd|pipe2?|g_poll|g_main_\w+"
     r"|g_source_\w+|g_unix_\w+", "the driver in net/"),
    (r"pthread_\w+|thrd_\w+|mtx_\w+|cnd_\w+|fork|vfork|g_thread_\w+"
     r"|g_mutex_\w+|g_cond_\w+|g_once_\w+|g_async_queue_\w+",
     "nothing: one thread drives a node"),
    (r"f?open(at|64)?|creat|close|read|write|unlink|rename|mkdir|opendir"
     r"|g_file_\w+|g_dir_\w+|g_spawn_\w+|system|popen|getenv|g_getenv"
     r"|secure_getenv|setenv|g_setenv", "the driver in net/"),
    (r"v?f?printf|f?puts|f?putc|putchar|perror|std(in|out|err)|g_print"
     r"|g_printerr", "ss_env_log"),
    (r"alloca|setjmp|longjmp|signal|sigaction|raise|exit|_exit",
     "nothing of the kind"),
]
# Fortified libc calls appear under other names.
FORTIFIED = re.compile(r"^__(\w+)_chk$")

SANITIZER = re.compile(r"^(__|\.)?(asan|ubsan|tsan|odr_asan|_?LC|\.L)")
MUTABLE = re.compile(r"^\.(data|bss|tdata|tbss|data\.rel(\.local)?)(\.|$)")


def run(*command):
    return subprocess.run(command, check=True, text=True,
                          capture_output=True).stdout


def undefined_symbols(archive):
    """Yields (object file, symbol)."""
    member = archive
    for line in run("nm", "-u", archive).splitlines():
        if line.endswith(":"):
            member = line[:-1]
        elif line.strip():
            yield member, line.split()[-1]


def mutable_symbols(archive):
    member = archive
    for line in run("objdump", "-t", archive).splitlines():
        if ":" in line and "file format" in line:
            member = line.split(":")[0]
            continue
        match = re.match(r"^[0-9a-f]+ (.{7}) (\S+)\s+[0-9a-f]+ +"
                         r"(?:\.hidden )?(\S+)$", line)
        if match is None:
            continue
        flags, section, name = match.groups()
        is_object = "O" in flags
        if section == "*COM*" or (is_object and MUTABLE.match(section)
                                  and not section.startswith(".data.rel.ro")):
            if not SANITIZER.match(name):
                yield member, name


def main():
    impure, mutable, missing = [], [], []
    rules = [(re.compile(f"^({pattern})$"), instead)
             for pattern, instead in FORBIDDEN]
    for archive in sys.argv[1:]:
        if not os.path.exists(archive):
            missing.append(f"{archive} is not built")
            continue
        for member, symbol in undefined_symbols(archive):
            fortified = FORTIFIED.match(symbol)
            name = fortified.group(1) if fortified else symbol
            for pattern, instead in rules:
                if pattern.match(name):
                    impure.append(f"{member}: {symbol}; use {instead}")
        for member, name in mutable_symbols(archive):
            mutable.append(f"{member}: {name} is a mutable static")
    output = tap.Tap()
    output.check("every archive of the core is examined", missing)
    output.check("the core calls nothing that acts", impure)
    output.check("the core has no mutable statics", mutable)
    return output.end()


sys.exit(main())
