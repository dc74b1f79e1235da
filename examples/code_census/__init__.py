"""Code census: a system that measures every Python file under a directory.

Read in this order: `tree.py` (who is there, and who needs whom), `messages.py` (what they
say), `coordinator.py`, `worker.py`, `collector.py`; then `chaos.py`, which kills them, and
`report.py`, what telemetry saw of it. `survey.py`, `discover.py`, `summary.py` and `progress.py`
are plain functions and know nothing of processes. `python -m examples.code_census --help`
says how to run it.
"""
