"""The exceptions of leafshap; each also derives from the builtin that callers would expect."""

from __future__ import annotations


class LeafshapError(Exception):
    """Base class of all errors raised by leafshap."""


class InvalidModelError(LeafshapError, ValueError):
    """A model, or a model file, is damaged or contradicts itself."""


class InvalidInputError(LeafshapError, ValueError):
    """Data or an argument does not fit the model or the call."""


class UnsupportedModelError(LeafshapError, NotImplementedError):
    """A kind of model, or of request, that leafshap does not represent."""


class LinearTreeError(UnsupportedModelError):
    """A tree whose leaves are functions: taken for one with constant leaves it predicts wrongly."""


class AdditivityError(LeafshapError):
    """What leafshap computes does not add up to, or agree with, the model's own prediction."""


class ModelCallError(LeafshapError, RuntimeError):
    """The user's function raised an exception, which is the cause of this one."""


class MissingDependencyError(LeafshapError, ImportError):
    """What was asked for needs a package that is not installed."""
