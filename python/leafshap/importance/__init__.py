"""Importance of features: by permutation, by the trees' own splits, and side by side.

``permutation`` checks arguments and chooses the way: ``sampled`` and ``exact`` work on converted
trees, ``generic`` calls any other estimator. ``scorers`` reads what `scoring` means, ``losses``
computes the usual scores, ``predictions`` and ``stand_in`` make of raw margins what the estimator's
own methods return. ``compare`` puts the kinds of importance into one table.
"""

from __future__ import annotations
