"""The link of the soak, a process: `python -m faults.soak.relay PORT LOSS`; a line "move HOST" rebinds it.

Owns: the process around the relay. It tells its port as a line of JSON and ends with its standard input. May
not know: what is carried.
"""

from __future__ import annotations

import json
import sys

from programs.lossy_relay import LossyRelay


def main() -> None:
    """Carry datagrams until standard input ends."""
    with LossyRelay(int(sys.argv[1]), loss=float(sys.argv[2])) as relay:
        print(json.dumps({"port": relay.port}), flush=True)
        for line in sys.stdin:
            relay.move(line.split()[1])


if __name__ == "__main__":
    main()
