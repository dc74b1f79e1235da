"""suptree measured beside its peers, in one run: `make bench`, or `python -m benchmarks`.

    rows        what is measured, in which unit, and the figures to reach
    lineup      who is measured: suptree, Python peers, Erlang, Elixir
    ours        suptree's workloads; plain: those of a bare asyncio actor; peers, beam: the others'
    worker      a contestant as a program: one line asks, one line answers (`protocol`)
    contest     rounds: every row on every side before the next round begins
    record      what came out, as JSON; page and drawing make the document of it

Same machine, same core, same minute, alternating: what disturbs one side disturbs all. Numbers are medians with their
spread, and the ratios are what to read.
"""
