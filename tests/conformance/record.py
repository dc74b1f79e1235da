"""What was run last and what came of it, in a file that `scripts/conformance_table.py` makes a page of.

Only commands write it (`python -m tests.conformance --record`, `python -m tests.conformance.mutants --record`), each
its own part: a family that was not run keeps what was recorded of it.
"""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.conformance.campaign import Tally
from tests.conformance.families import HOMES
from tests.conformance.family import BOTH, Family

FILE = Path(__file__).with_name("record.json")
ROOT = Path(__file__).resolve().parents[2]


def more_recorded(name: str, programs: int, modes: Sequence[str]) -> str | None:
    """Say what is recorded of the family *name* if it is more than so many programs in these modes; None if not."""
    kept = _read()["families"].get(name)
    if kept is None or (kept["programs"] <= programs and set(kept["modes"]) <= set(modes)):
        return None
    return f"{kept['programs']:,} programs ({', '.join(kept['modes'])})"


def record_family(
    family: Family[Any], tally: Tally, seeds: range, modes: Sequence[str], judge: str
) -> None:
    """Replace what is recorded of *family*."""
    recorded = _read()
    recorded["families"][family.name] = {
        "what": family.what,
        "judge": judge,
        **_here(),
        "modes": list(modes),
        "seeds": [seeds[0], seeds[0] + tally.programs - 1],
        "programs": tally.programs,
        "lines": tally.lines,
        "divergences": len(tally.divergences),
        "seconds": round(tally.seconds),
        "rules": [
            {
                "name": rule.name,
                "reason": rule.reason,
                **{mark: True for mark in ("own", "drops") if getattr(rule, mark)},
                "judge": tally.judge[rule.name],
                "ours": tally.ours[rule.name],
            }
            for rule in (*family.rules, BOTH)
        ],
    }
    in_order = [name for name in HOMES if name in recorded["families"]]
    recorded["families"] = {name: recorded["families"][name] for name in in_order}
    _write(recorded)


def record_mutants(seeds: range, rows: Sequence[Mapping[str, object]]) -> None:
    """Replace what is recorded of the mutants."""
    recorded = _read()
    recorded["mutants"] = {**_here(), "seeds": [seeds[0], seeds[-1]], "rows": list(rows)}
    _write(recorded)


def commit() -> str:
    """The commit that runs, with a `+` behind it when the sources differ from it."""
    changed = _git("status", "--porcelain", "--", "src", "tests/conformance", ":!*/record.json")
    return _git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")


def _here() -> dict[str, str]:
    return {"python": f"CPython {platform.python_version()}", "commit": commit()}


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def _read() -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    return {"families": {}, "mutants": {}} | recorded


def _write(recorded: Mapping[str, Any]) -> None:
    FILE.write_text(json.dumps(recorded, indent=2, ensure_ascii=False) + "\n")
