"""Places where a fault test may kill or stop this process; without the variables they do nothing.

SYNTHLAB_FAIL="name:kill" or "name:stop" acts at the first passage, "name@3:kill" at the third.
SYNTHLAB_MUTATE="name" switches a safeguard off, to show that its test would notice.
"""

import os
import signal
from collections import Counter

FAILPOINTS = (
    "intent.committed",  # the intent is in the database, nothing is sent
    "reply.journalled",  # the reply is on disk, the database does not know it
    "reply.settled",  # the receipt is in the database, the answer is not read
    "vectors.intended",  # the intents for vectors are in the database, nothing is sent
    "vectors.settled",  # the receipts are in the database, no vector is marked
    "slot.finished",  # the suggestion is in the database
    "import.staged",  # the rows are in files, the database does not know it
    "import.open",  # a chunk of samples is written, its transaction is open
    "import.chunk",  # a chunk of samples is in the database
    "import.written",  # all samples are, and none can be seen
    "draw.chunk",  # some items of a round are written, not all
    "export.chunk",  # another thousand samples are in the unfinished file
)
MUTATIONS = (
    "no_journal",  # replies are not written to disk before the database
    "no_fence",  # a slot is written without looking at its version
    "claim_unseen",  # slots are claimed that another worker holds
    "check_apart",  # the budget is looked at before, not within, the intent's transaction
    "claim_apart",  # a seat is chosen before, not within, the statement that takes it
    "no_lease_version",  # an answer is taken without looking at the version of its lease
    "no_replay",  # an answer that was sent before is not recognised
    "own_clock",  # leases are judged by the clock of the process that looks
    "no_sweep",  # what dead workers held is not returned
    "import_in_sight",  # samples are seen before their import is done
    "position_apart",  # how far an import came is not written with its samples
    "no_chunks",  # an import is written in one transaction
    "no_import_fence",  # an import is written without looking at its version
    "draw_in_sight",  # a round is seen before all of it is drawn
    "stale_draft",  # a codebook draft is saved without looking at its version
    "settled_unseen",  # a settlement is written over one that its adjudicator has not seen
    "no_moment",  # an export reads what is there when it gets to it: no snapshot, no mark
    "no_part",  # an export writes under the final name from the beginning
)
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_passed: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Fail here if a test asked for it."""
    if not (wanted := os.environ.get("SYNTHLAB_FAIL")):
        return
    place, _, fault = wanted.rpartition(":")
    where, _, passage = place.partition("@")
    _passed[name] += 1
    if name == where and _passed[name] == int(passage or 1):
        os.kill(os.getpid(), SIGNALS[fault])


def mutated(name: str) -> bool:
    """Is this safeguard switched off by a test?"""
    return name in os.environ.get("SYNTHLAB_MUTATE", "").split(",")
