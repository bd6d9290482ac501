# SPDX-License-Identifier: Apache-2.0
"""Where the Triton server is: a container's, one on PATH, or the one inside the pip wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bls.errors import SkynetError

_CONTAINER_BACKENDS = Path("/opt/tritonserver/backends")


@dataclass(frozen=True)
class TritonInstall:
    """One usable server.

    Attributes:
        binary: the `tritonserver` executable.
        backends: folder with its backends; `python` is among them.
        libraries: LD_LIBRARY_PATH it needs, or None.
        stub: Python backend stub to use, or None when the backend folder has its own.
    """

    binary: Path
    backends: Path
    libraries: Path | None = None
    stub: Path | None = None

    def knows(self, flag: str) -> bool:
        """Whether this server's help names the flag."""
        return flag in _help(self)


def find_triton(explicit: str = "") -> TritonInstall:
    """The server to run. Raises `triton_missing` saying how to get one."""
    named = explicit or shutil.which("tritonserver")
    if named:
        binary = Path(named)
        if not binary.is_file():
            raise SkynetError("triton_missing", f"No tritonserver at {named}.", 500)
        backends = binary.resolve().parents[1] / "backends"
        return TritonInstall(binary, backends if backends.is_dir() else _CONTAINER_BACKENDS)
    return _from_wheel()


def _from_wheel() -> TritonInstall:
    spec = find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        raise SkynetError(
            "triton_missing",
            "No tritonserver on PATH and no nvidia-pytriton wheel; run `make setup`.",
            500,
        )
    package = Path(next(iter(spec.submodule_search_locations)))
    root = package / "tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = root / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.is_file():
        raise SkynetError("triton_missing", f"The wheel has no stub for Python {version}.", 500)
    libraries = package.parent / "nvidia_pytriton.libs"
    _check_libpython(stub, libraries, version)
    return TritonInstall(root / "bin" / "tritonserver", root / "backends", libraries, stub)


def _check_libpython(stub: Path, libraries: Path, version: str) -> None:
    """The stub needs the shared libpython of its version; say so before the server fails."""
    environment = {"LD_LIBRARY_PATH": str(libraries), "PATH": "/usr/bin:/bin"}
    linked = subprocess.run(
        ["ldd", str(stub)], capture_output=True, text=True, env=environment, check=False
    )
    if f"libpython{version}.so.1.0 => not found" in linked.stdout:
        raise SkynetError(
            "libpython_missing",
            f"The shared library libpython{version} is missing: apt-get install libpython{version}",
            500,
        )


def _help(install: TritonInstall) -> str:
    environment = {"LD_LIBRARY_PATH": str(install.libraries)} if install.libraries else None
    result = subprocess.run(
        [str(install.binary), "--help"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    return result.stdout + result.stderr
