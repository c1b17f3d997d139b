"""Results with named fields, as scikit-learn gives them."""

from __future__ import annotations

from typing import Any


class _Bunch(dict[str, Any]):
    """A dict whose keys are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]


def make_bunch(**fields: Any) -> Any:
    """Make a `sklearn.utils.Bunch`; where scikit-learn is not installed, a dict that acts alike."""
    try:
        from sklearn.utils import Bunch
    except ImportError:
        return _Bunch(fields)
    return Bunch(**fields)
