#!/bin/sh
# Make or complete the environment $1. An environment that we made is made equal to requirements.lock;
# one that the user brought keeps its own torch and gets only what is missing. $ADEMAMIX_PYTHON names an
# interpreter to make it with, if that will do.
set -eu
venv=$1
if [ ! -x "$venv/bin/python" ]; then
    found=
    for python in ${ADEMAMIX_PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            found=$python
            break
        fi
    done
    if [ -z "$found" ]; then
        echo "setup: no Python 3.11 or newer with venv found; install one, or name yours with PYTHON=" >&2
        exit 1
    fi
    echo "setup: making $venv with $("$found" -c 'import sys; print(sys.executable, sys.version.split()[0])')"
    mkdir -p "$venv"
    touch "$venv/.ademamix-managed" # first: an environment cut short is ours, and made again
    "$found" -m venv "$venv"
fi
uv=$(command -v uv || echo "$venv/bin/uv")
[ -x "$uv" ] || "$venv/bin/python" -m pip --version >/dev/null 2>&1 || python3 -m venv "$venv"
[ -x "$uv" ] || "$venv/bin/python" -m pip install -q uv
echo "setup: installing packages"
if [ -e "$venv/.ademamix-managed" ]; then
    "$uv" pip install -q --python "$venv/bin/python" -r requirements.lock
    "$uv" pip install -q --python "$venv/bin/python" --no-deps -e .
else
    "$uv" pip install -q --python "$venv/bin/python" -e '.[suite,data,dev]'
fi
