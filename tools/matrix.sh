#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
#
# The tests of the transports with every ansible-core from 2.16 on that a Python on this machine can run, one environment each.
# Usage: tools/matrix.sh [2.16 2.19 ...]
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

declare -A pythons=([2.16]="3.11 3.12" [2.17]="3.11 3.12" [2.18]="3.11 3.12 3.13" [2.19]="3.11 3.12 3.13" [2.20]="3.12 3.13 3.14" [2.21]="3.12 3.13 3.14" [2.22]="3.13 3.14")
cores=("$@")
[ "${#cores[@]}" -gt 0 ] || cores=(2.16 2.17 2.18 2.19 2.20 2.21 2.22)

find_python() { # versions...
    local version candidate
    for version in "$@"; do
        for candidate in "$(command -v "python$version" || true)" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python; do
            if [ -x "$candidate" ] && "$candidate" -c "import ensurepip, sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null; then
                echo "$candidate"
                return
            fi
        done
    done
}

failed=0
for core in "${cores[@]}"; do
    read -ra wanted <<<"${pythons[$core]:-3.13}"
    python=$(find_python "${wanted[@]}")
    if [ -z "$python" ]; then
        echo "matrix: ansible-core $core not run: this machine has none of Python ${wanted[*]}"
        continue
    fi
    environment=".cache/matrix/$core"
    if [ requirements.txt -nt "$environment/ready" ]; then
        "$python" -m venv "$environment" || { failed=1; continue; }
        if ! "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "ansible-core>=$core.0b1,<2.$((${core#2.} + 1))" -r requirements.txt pytest pytest-timeout hypothesis cryptography psrpcore asyncssh pypsrp requests-credssp; then
            echo "matrix: ansible-core $core not run: it cannot be installed"
            failed=1
            continue
        fi
        # Kerberos is built where it is installed; without it its cells of the table say so.
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/requirements-kerberos.txt >"$environment/kerberos" 2>&1 || true
        touch "$environment/ready"
    fi
    version=$("$environment/bin/python" -c 'import ansible.release as r, sys; print(r.__version__, "on Python %d.%d" % sys.version_info[:2])')
    log="$environment/log"
    if "$environment/bin/python" -m pytest -q tests/unit tests/integration/test_transports.py tests/integration/test_connections.py tests/integration/test_onboarding.py -k 'not cost_of' >"$log" 2>&1; then
        echo "matrix: ansible-core $version ok: $(grep -E ' passed' "$log" | tail -n 1)"
    else
        echo "matrix: ansible-core $version FAILED"
        tail -n 40 "$log"
        failed=1
    fi
done
exit "$failed"
