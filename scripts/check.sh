#!/bin/sh
# Every check of `make check`, all of them run even when one fails, and a table at the end.
set -u

BIN=${BIN:-.venv/bin}
PY=$BIN/python
failed=''

step() {  # step NAME COMMAND...
    name=$1; shift
    printf '\n== %s: %s\n' "$name" "$*"
    if "$@"; then :; else failed="$failed $name"; fi
}

sources=''
for folder in src examples tests scripts benchmarks; do
    [ -d "$folder" ] && sources="$sources $folder"
done

# shellcheck disable=SC2086  # $sources is a list of words
{
step format     "$BIN/ruff" format --check $sources
step lint       "$BIN/ruff" check $sources
step mypy       "$BIN/mypy"
step pyright    "$BIN/pyright"
step contracts  "$BIN/lint-imports" --no-cache
step one-place  "$PY" scripts/check_imports.py
step conformance "$PY" scripts/conformance_table.py --check --strict
step reference  "$PY" scripts/reference.py --check
[ -f docs/reference/benchmarks.json ] && step benchmarks "$PY" -m benchmarks --check
step docs       "$PY" -m pytest -q --no-header tests/public/test_docs_examples.py
}

if [ -n "$failed" ]; then
    printf '\ncheck: FAILED:%s\n' "$failed"
    exit 1
fi
printf '\ncheck: all good\n'
