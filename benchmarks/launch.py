"""Runs one command and writes what it cost to a file: `launch.py FILE COMMAND...`, with the command's exit status.

A process of its own, and a small one: the kernel counts the memory of whoever starts a program into the program's peak.
"""

import os
import sys
import time


def main() -> int:
    """Seconds of wall time, seconds of processor time and peak resident KiB, on one line."""
    begun = time.perf_counter()
    child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - begun
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.write(f"{seconds} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}\n")
    return abs(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    sys.exit(main())
