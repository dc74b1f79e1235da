"""Starts the guardian in a bare interpreter: `python -I -S boot.py <socket> <pid of the program>`.

The packages above stand for themselves only: the guardian needs none of what is in them.
"""

import sys
import types
from pathlib import Path


def _boot() -> None:
    package = "suptree.services.commands.guard"
    name = ""
    for part in package.split("."):
        name = f"{name}.{part}".removeprefix(".")
        module = sys.modules[name] = types.ModuleType(name)
        module.__path__ = [str(Path(__file__).parent)] if name == package else []

    from suptree.services.commands.guard.guardian import main

    main(int(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    _boot()
