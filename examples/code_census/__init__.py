"""Code census: a supervision tree that measures every Python file under a directory.

Read in this order: `tree.py` (who is there, and who watches whom), `coordinator.py`,
`worker.py`, `collector.py`; then `chaos.py`, which kills them. `survey.py`,
`discover.py`, `summary.py` and `progress.py` are plain functions and know nothing
of processes. `python -m examples.code_census --help` says how to run it.
"""
