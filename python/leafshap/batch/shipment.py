"""A scorer on its way to worker processes."""

from __future__ import annotations

import hashlib
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable

from leafshap.batch.scoring import Scorer

# Scorers of this process by the digest of their bytes: the last few only, since a worker may
# outlive the jobs it works for.
_MOST = 4
_unpacked: OrderedDict[str, Scorer] = OrderedDict()
_lock = threading.Lock()


class ShippedScorer:
    """A scorer as bytes that every process unpacks once, however many tasks it runs.

    Spark and Ray unpickle their function for every task: of bytes, that is a copy, while unpacking
    an explainer and computing its plan takes as long as explaining thousands of rows.

    Parameters
    ----------
    scorer : Scorer
        It is sent with one thread and without the user's model.
    dumps : callable
        The engine's pickler, which also takes functions that no module holds.
    """

    def __init__(self, scorer: Scorer, dumps: Callable[[object], bytes]) -> None:
        self._payload = dumps(scorer.for_workers(n_jobs=1))
        self._digest = hashlib.sha256(self._payload).hexdigest()

    def unpack(self) -> Scorer:
        """Give the scorer of this process."""
        with _lock:
            scorer = _unpacked.pop(self._digest, None)
            if scorer is None:
                scorer = pickle.loads(self._payload)
            _unpacked[self._digest] = scorer
            while len(_unpacked) > _MOST:
                _unpacked.popitem(last=False)
            return scorer
