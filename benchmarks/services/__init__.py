"""Benchmarks of the services; each runs as `python -m benchmarks.services.<name>`."""
