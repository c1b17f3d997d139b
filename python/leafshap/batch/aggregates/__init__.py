"""Sums that never leave the loop over batches, and can be merged: means, groups, histograms."""

from __future__ import annotations

from leafshap.batch.aggregates.aggregates import Aggregates
from leafshap.batch.aggregates.groups import GroupAggregates

__all__ = ["Aggregates", "GroupAggregates"]
