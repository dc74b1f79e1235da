"""Benchmarks of the services floor: each module measures one claim, both sides in one run."""
