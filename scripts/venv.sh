#!/bin/sh
# Make or refresh the development environment: venv.sh PYTHON VENV STAMP [EXTRA]
# Called by the Makefile (extra `dev`) and by matrix.py for each other Python.
set -eu

python=$1 venv=$2 stamp=$3 extra=${4:-dev}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "venv: $python must be Python 3.11 or later; got $("$python" --version 2>&1)." \
         "Name another one: make PYTHON=python3.12 ..." >&2
    exit 1
}
# A venv whose interpreter is gone is made anew.
if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    echo "venv: making $venv with $("$python" --version)" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv" || {
        echo "venv: $python cannot make a venv. On Debian: apt-get install python3-venv" >&2
        exit 1
    }
fi
echo "venv: installing suptree[$extra] into $venv" >&2
export PIP_DISABLE_PIP_VERSION_CHECK=1
"$venv/bin/python" -m pip install -qq 'hatchling>=1.25' 'editables>=0.5'
"$venv/bin/python" -m pip install -qq --no-build-isolation --editable ".[$extra]"
cp pyproject.toml "$stamp"
