"""Benchmarks of services, each against its goal."""
