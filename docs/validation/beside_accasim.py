"""Replays KTH-SP2 with AccaSim (PyPI) and prints the processor time that it took, to put beside `sim run`.

    python3 -m venv venv && venv/bin/pip install accasim==1.1.3
    zcat $FAIRSHARE_TRACES/swf/KTH-SP2-1996-2.1-cln.swf.gz > kth.swf
    venv/bin/python docs/validation/beside_accasim.py kth.swf FirstInFirstOut      # or EASYBackfilling
    time sim run traces/scenarios/kth.toml --trace kth.swf                  # --policy fifo,backfill=easy

One machine of 100 cores, first fit; AccaSim's own files go to `accasim-results` in the current folder.
"""

import collections
import collections.abc
import json
import pathlib
import resource
import sys

# AccaSim 1.1.3 was written for a Python whose `collections` still had these.
for name in ("Mapping", "MutableMapping", "Sequence", "Iterable"):
    setattr(collections, name, getattr(collections.abc, name))

from accasim.base import scheduler_class  # noqa: E402
from accasim.base.allocator_class import FirstFit  # noqa: E402
from accasim.base.simulator_class import Simulator  # noqa: E402

trace, policy = sys.argv[1:]
machine = pathlib.Path("accasim-machine.json")
machine.write_text(
    json.dumps({"groups": {"all": {"core": 1}}, "resources": {"all": 100}, "equivalence": {"processor": {"core": 1}}})
)
# By its path: a bare name would lie beside this script, and what AccaSim writes there is the trace over again.
results = pathlib.Path("accasim-results")
dispatcher = getattr(scheduler_class, policy)(FirstFit())
Simulator(trace, str(machine), dispatcher, RESULTS_FOLDER_PATH=str(results.resolve())).start_simulation()
used = resource.getrusage(resource.RUSAGE_SELF)
print(f"{policy}: {used.ru_utime + used.ru_stime:.1f} s of processor time")
