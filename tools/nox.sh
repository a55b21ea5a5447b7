#!/bin/sh
# Runs nox from a virtual environment of the project's own, which it makes on first use.
# Needs nothing but Python 3.10 or newer:  sh tools/nox.sh -s demo
set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
python=${PYTHON:-python3}
home="$root/.nox/bootstrap"
stamp="$home/.ready-$(cksum < "$root/requirements/nox.txt" | tr ' ' '-')"
if [ ! -f "$stamp" ]; then
    rm -rf "$home"
    "$python" -m venv "$home"
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check -r "$root/requirements/nox.txt"
    touch "$stamp"
fi
cd "$root"
# Bytecode caches make every start of Python several times faster.
unset PYTHONDONTWRITEBYTECODE
exec "$home/bin/python" -m nox "$@"
