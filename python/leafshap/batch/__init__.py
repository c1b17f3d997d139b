"""Large data sets: explain Arrow record batches, files and distributed frames in constant memory.

Needs pyarrow (``pip install "leafshap[batch]"``).
"""

from __future__ import annotations

from leafshap.batch.aggregates import Aggregates, GroupAggregates
from leafshap.batch.files import RunReport, explain_files
from leafshap.batch.scoring import Scorer
from leafshap.batch.stream import explain_batches

__all__ = [
    "Aggregates",
    "GroupAggregates",
    "RunReport",
    "Scorer",
    "explain_batches",
    "explain_files",
]
