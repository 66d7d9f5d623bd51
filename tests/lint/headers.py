"""Every header compiles alone. Usage: headers.py SOURCE_ROOT BUILD_ROOT CC..."""

import concurrent.futures
import os
import subprocess
import sys

import tap

# Templates: they are included with parameters.
TEMPLATES = {"base/wire_declare.h", "base/wire_define.h"}

PACKAGES = ("glib-2.0 gio-unix-2.0 libsodium libisal ogg json-glib-1.0 "
            "gstreamer-1.0 gstreamer-base-1.0 gstreamer-app-1.0 "
            "gstreamer-audio-1.0 gstreamer-pbutils-1.0").split()


def main():
    root, build, compiler = sys.argv[1], sys.argv[2], sys.argv[3:]
    flags = subprocess.run(["pkg-config", "--cflags", *PACKAGES], check=True,
                           text=True, capture_output=True).stdout.split()
    flags += ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
              "-Wno-unused-parameter", "-fsyntax-only", f"-I{root}",
              f"-I{build}", "-xc", "-"]

    def compile_alone(header):
        done = subprocess.run([*compiler, *flags], text=True, check=False,
                              input=f'#include "{header}"\n',
                              capture_output=True)
        if done.returncode == 0:
            return None
        return f"{header}: {done.stderr.strip().splitlines()[0]}"

    headers = [path for path in tap.sources(root, ".h")
               if path not in TEMPLATES]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        errors = [error for error in pool.map(compile_alone, headers)
                  if error is not None]
    output = tap.Tap()
    output.check("headers compile alone", errors)
    return output.end()


sys.exit(main())
