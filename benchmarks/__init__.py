"""suptree measured beside its peers, in one run: `python -m benchmarks`.

Same machine, same minute, alternating: each round runs every row on every side before the next round begins, so what
disturbs one side disturbs all. Numbers are medians with their spread, and the ratio columns are what to read.
"""
