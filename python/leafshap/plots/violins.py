"""The bodies of `shap.plots.violin`, coloured by a feature that is missing in some rows.

shap colours a body by running means of the feature over the rows; from a row without the feature
on these are NaN, and what has the colour NaN is not drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREY = "#9a9a9a"


def filled(data: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Put the mean of a column where it is missing; a column without any number stays."""
    out, missing = data.copy(), np.isnan(data)
    for j in np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0)):
        out[missing[:, j], j] = data[~missing[:, j], j].mean()
    return out


def grey_missing(axis: Axes, values: npt.NDArray[Any], missing: npt.NDArray[np.bool_]) -> None:
    """Colour bodies that have got no colour, and the points of rows without the feature.

    Parameters
    ----------
    axis : Axes
        With the bodies, and points of all rows in their order for every feature.
    values, missing : ndarray, shape (n, F)
        phi, and where data are missing.
    """
    from matplotlib.collections import PathCollection, PolyCollection

    for drawn in axis.collections:
        colors: Any = drawn.get_facecolor()
        if isinstance(drawn, PolyCollection) and len(colors) and not colors[0][3]:
            drawn.set_color(_GREY)
        elif isinstance(drawn, PathCollection):
            x = np.ma.getdata(drawn.get_offsets())[:, 0]
            same = [j for j in range(values.shape[1]) if np.array_equal(x, values[:, j])]
            shades = drawn.get_array()
            if len(same) == 1 and shades is not None:
                drawn.set_cmap(drawn.get_cmap().with_extremes(bad=_GREY))
                drawn.set_array(np.ma.masked_array(shades, missing[:, same[0]]))
