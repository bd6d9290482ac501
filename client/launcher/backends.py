# SPDX-License-Identifier: Apache-2.0
"""The backend folder Triton is given: the server's own backends plus our `auction` and `mpc`."""

from __future__ import annotations

from pathlib import Path

from bls.errors import SkynetError
from bls.settings import REPOSITORY
from client.launcher.install import TritonInstall

BUILD = REPOSITORY / "kernels_cuda" / "build"
OURS = ("auction", "mpc")
"""Our backends: `libtriton_NAME.so` in `BUILD`."""

ACCELERATORS = ("libskynet_auction_cuda.so", "libskynet_auction_host.so")
"""What `auction` loads from beside itself when a model asks for it; built where possible."""


def assemble_backends(install: TritonInstall, folder: Path, build: Path = BUILD) -> Path:
    """Fill `folder` with links and return it. Raises `backend_missing` when ours are not built."""
    libraries = {name: build / f"libtriton_{name}.so" for name in OURS}
    for name, library in libraries.items():
        if not library.is_file():
            raise SkynetError(
                "backend_missing", f"The {name} backend is not built; run `make setup`.", 500
            )
    folder.mkdir(parents=True, exist_ok=True)
    for backend in install.backends.iterdir():
        if backend.is_dir() and backend.name not in ("python", *OURS):
            _link(folder / backend.name, backend)
    python = folder / "python"
    python.mkdir(exist_ok=True)
    for file in (install.backends / "python").iterdir():
        if not file.name.startswith("__"):
            _link(python / file.name, file)
    if install.stub is not None:
        _link(python / install.stub.name, install.stub)
    for name, library in libraries.items():
        (folder / name).mkdir(exist_ok=True)
        _link(folder / name / library.name, library)
    for name in ACCELERATORS:
        if (build / name).is_file():
            _link(folder / "auction" / name, build / name)
    return folder


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)
