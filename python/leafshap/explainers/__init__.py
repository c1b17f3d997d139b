"""Explainers: check the input, run the core, return the result. None imports a framework."""
