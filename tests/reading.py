"""What all tests of the input read rows with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.inputs import InputRows, InputSchema

NAN = float("nan")


def read(X: Any, schema: InputSchema | None = None) -> npt.NDArray[Any]:
    """All blocks stacked, after checking what the core relies on."""
    if schema is None:
        schema = InputSchema(n_features=X.shape[-1])
    rows = InputRows(X, schema)
    blocks = []
    end = 0
    for start, stop, block in rows.blocks():
        assert start == end
        assert block.shape == (stop - start, schema.n_features)
        assert block.flags.c_contiguous
        assert block.flags.aligned
        assert block.dtype.isnative
        assert block.dtype in (np.float32, np.float64)
        blocks.append(block)
        end = stop
    assert end == rows.n_rows
    return np.concatenate(blocks) if blocks else np.empty((0, schema.n_features))
