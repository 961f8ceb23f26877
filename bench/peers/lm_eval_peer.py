"""lm-eval's own command line, which then writes what its process took to the file $FUSECHECK_USAGE, where that is set.

    python lm_eval_peer.py run --model local-completions ...
"""

import json
import os
import resource
import sys

from lm_eval.__main__ import cli_evaluate


def main() -> None:
    sys.argv[0] = "lm-eval"
    cli_evaluate()
    file_name = os.environ.get("FUSECHECK_USAGE")
    if file_name is None:
        return
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    usage = [resource.getrusage(who) for who in whose]
    with open(file_name, "w") as file:
        cpu = sum(each.ru_utime + each.ru_stime for each in usage)
        json.dump({"cpu_seconds": cpu, "peak_mib": usage[0].ru_maxrss / 1024}, file)


if __name__ == "__main__":
    main()
