#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: hybrid.identity contributors
#
# Makes this checkout ready: Debian packages, a virtual environment in .venv, and a view of the checkout as a collection.
# Usage: tools/prepare.sh demo|test
set -euo pipefail
cd "$(dirname "$0")/.."
want="${1:?demo or test}"
python="${PYTHON:-python3}"

die() {
    echo "prepare: $*" >&2
    exit 1
}

# quietly LOG WORDS command...: its output goes to a file; where it fails, one sentence names the last error and the file.
quietly() {
    local log=$1 words=$2
    shift 2
    mkdir -p .cache
    "$@" >"$log" 2>&1 || die "$words ($(grep -E '^(E:|ERROR:)' "$log" | tail -n 1 || true)); all of it is in $log."
}

# -- a view of the checkout that Ansible accepts as a collection, wherever it lies
mkdir -p .view/ansible_collections/hybrid
[ -L .view/ansible_collections/hybrid/identity ] || ln -s ../../.. .view/ansible_collections/hybrid/identity

# -- quick way out: nothing has changed since the last time, and the checkout still lies where it lay (programs in .venv name their place)
files=(requirements.txt tests/requirements-demo.txt)
[ "$want" = demo ] || files+=(tests/requirements.txt tests/requirements-kerberos.txt)
stamp=".venv/ready-$want"
fresh=yes
[ -e "$stamp" ] && [ "$(cat .venv/place 2>/dev/null)" = "$PWD" ] && [ -x /usr/sbin/samba ] || fresh=no
for file in "${files[@]}"; do
    [ "$fresh" = yes ] && [ "$file" -nt "$stamp" ] && fresh=no
done
[ "$fresh" = no ] || exit 0

# -- Debian packages
packages=()
command -v "$python" >/dev/null || die "there is no $python: install Python 3.11 or newer."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "$python is too old: the lab takes Python 3.11 or newer (PYTHON=... names another)."
"$python" -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
[ -x /usr/sbin/samba ] || packages+=(samba samba-ad-dc)
/usr/bin/python3 -c 'import samba.provision' 2>/dev/null || packages+=(python3-samba)
[ -d /usr/share/samba/setup ] || packages+=(samba-ad-provision)
compgen -G '/usr/lib/*/samba/ldb/samba_dsdb.so' >/dev/null || packages+=(samba-dsdb-modules)
[ "$want" = demo ] || command -v git >/dev/null || packages+=(git)
# What the tests over Kerberos and ssh and one bar of the bench take besides: installed by root, and not missed otherwise, they say then that
# they did not run.
if [ "$want" = test ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    for package in libkrb5-dev krb5-user gcc python3-dev openssh-client python3-ldap; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || packages+=("$package")
    done
fi
if [ "${#packages[@]}" -gt 0 ]; then
    command -v apt-get >/dev/null || die "Debian packages are missing (${packages[*]}) and there is no apt-get: install them by other means."
    [ "$(id -u)" = 0 ] || die "Debian packages are missing: run once as root, or: apt-get install --no-install-recommends ${packages[*]}"
    echo "prepare: installing ${packages[*]}"
    guard=/usr/sbin/policy-rc.d
    if [ ! -e "$guard" ]; then
        # The lab starts Samba by itself, in a folder of its own: the packages must not start a file server on this machine.
        printf '#!/bin/sh\nexit 101\n' >"$guard"
        chmod +x "$guard"
        trap 'rm -f "$guard"' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    mkdir -p .cache
    apt-get update -q >.cache/apt-update.log 2>&1 || true  # one unreachable source of several is no reason: the installation judges
    quietly .cache/apt-install.log "Debian packages could not be installed: ${packages[*]}" apt-get install -q -y --no-install-recommends "${packages[@]}"
fi

# -- the virtual environment
if [ "$(cat .venv/place 2>/dev/null)" != "$PWD" ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    quietly .cache/venv.log "$python cannot make a virtual environment" "$python" -m venv .venv
    printf '%s' "$PWD" >.venv/place
fi
echo "prepare: installing Python packages for $want"
arguments=()
for file in "${files[@]}"; do [ "$file" = tests/requirements-kerberos.txt ] || arguments+=(-r "$file"); done
quietly .cache/pip.log "Python packages could not be installed" .venv/bin/python -m pip install --disable-pip-version-check "${arguments[@]}"
if [ "$want" = test ] && ! .venv/bin/python -m pip install --disable-pip-version-check -r tests/requirements-kerberos.txt >.cache/pip-kerberos.log 2>&1; then
    echo "prepare: the Python parts of Kerberos could not be built, tests over it will not run (.cache/pip-kerberos.log)"
fi
touch "$stamp"
