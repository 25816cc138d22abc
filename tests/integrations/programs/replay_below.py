"""One replay of recorded barge-ins below the interface: `replay_below.py STORE TIMES`.

Prints the frames that the SDK's model sends, and at last what the replay found.
"""

from __future__ import annotations

import logging
import sys

from realtape.replay import run
from support.barge_ins import Caller
from support.below import played_below

if __name__ == "__main__":
    logging.getLogger("openai.agents").setLevel(logging.CRITICAL)
    store, times = sys.argv[1:]
    played, sent = run(played_below(store, Caller(int(times))))
    for connection in sent:
        sys.stdout.writelines(f"{frame}\n" for frame in connection)
    sys.stdout.write(f"{played.verdict}\n")
