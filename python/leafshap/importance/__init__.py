"""Permutation importance: what a model's score loses when a feature's values are shuffled.

``permutation`` checks arguments and chooses the way: ``sampled`` and ``exact`` work on converted
trees, ``generic`` calls any other estimator. ``scorers`` reads what `scoring` means, ``losses``
computes the usual scores, ``predictions`` and ``stand_in`` make of raw margins what the estimator's
own methods return.
"""

from __future__ import annotations
