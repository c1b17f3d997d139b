"""A model beside its ensemble, for those who need both and would convert it twice."""

from __future__ import annotations

from dataclasses import dataclass

from leafshap.ensemble import TreeEnsemble


@dataclass(frozen=True)
class Converted:
    """A model and what became of it; explainers take it in the place of a model.

    Attributes
    ----------
    model : object
        The user's, which predictions are compared with.
    ensemble : TreeEnsemble
    """

    model: object
    ensemble: TreeEnsemble

    @classmethod
    def of(cls, model: object) -> Converted:
        """Convert a model, unless it is converted.

        Raises
        ------
        UnsupportedModelError, InvalidModelError
            See `TreeEnsemble.from_model`.
        """
        return model if isinstance(model, cls) else cls(model, TreeEnsemble.from_model(model))
