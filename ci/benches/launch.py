"""Runs one command and writes what it cost to a file, as JSON. Usage: launch.py FILE COMMAND...

It is a process of its own because it is small: what a child inherits from its parent counts as the child's peak.
"""

import json
import os
import sys
import time

began = time.perf_counter()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ, setsigmask=[])
_, status, usage = os.wait4(pid, 0)
cost = {
    "wall_s": time.perf_counter() - began,
    "cpu_s": usage.ru_utime + usage.ru_stime,
    "peak_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    "code": os.waitstatus_to_exitcode(status),
}
with open(sys.argv[1], "w") as file:
    json.dump(cost, file)
