"""One example per service: each a program, one story, and what it prints in its docstring.

`python -m examples.services.scheduler` runs one; `examples/README.md` lists them.
"""
