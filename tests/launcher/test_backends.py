# SPDX-License-Identifier: Apache-2.0
"""The assembled backend folder: the server's own backends, our stub, our auction and controller."""

from __future__ import annotations

from pathlib import Path

import pytest

from bls.errors import SkynetError
from client.launcher.backends import OURS, assemble_backends
from client.launcher.install import TritonInstall


@pytest.fixture
def install(tmp_path: Path) -> TritonInstall:
    backends = tmp_path / "opt" / "backends"
    for name in ("python", "onnxruntime", "tensorrt", "auction", "mpc"):
        (backends / name).mkdir(parents=True)
        (backends / name / f"libtriton_{name}.so").touch()
    (backends / "python" / "__pycache__").mkdir()
    (backends / "readme.txt").touch()
    return TritonInstall(tmp_path / "opt" / "bin" / "tritonserver", backends)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    build = tmp_path / "build"
    build.mkdir()
    for name in OURS:
        (build / f"libtriton_{name}.so").write_bytes(b"our " + name.encode())
    return build


def test_links_everything(install: TritonInstall, build: Path, tmp_path: Path) -> None:
    folder = assemble_backends(install, tmp_path / "run", build)
    assert sorted(p.name for p in folder.iterdir()) == [
        "auction",
        "mpc",
        "onnxruntime",
        "python",
        "tensorrt",
    ]
    for name in ("onnxruntime", "tensorrt"):
        assert (folder / name).resolve() == (install.backends / name).resolve()
    assert (folder / "python" / "libtriton_python.so").is_symlink()
    assert not (folder / "python" / "__pycache__").exists()


@pytest.mark.parametrize("name", OURS)
def test_ours_takes_the_place_of_any_other(
    install: TritonInstall, build: Path, tmp_path: Path, name: str
) -> None:
    folder = assemble_backends(install, tmp_path / "run", build)
    assert (folder / name / f"libtriton_{name}.so").read_bytes() == b"our " + name.encode()


def test_stub_of_the_wheel_is_added(install: TritonInstall, build: Path, tmp_path: Path) -> None:
    stub = tmp_path / "stubs" / "triton_python_backend_stub"
    stub.parent.mkdir()
    stub.write_bytes(b"stub")
    wheel = TritonInstall(install.binary, install.backends, None, stub)
    folder = assemble_backends(wheel, tmp_path / "run", build)
    assert (folder / "python" / stub.name).read_bytes() == b"stub"


def test_assembling_twice_is_fine(install: TritonInstall, build: Path, tmp_path: Path) -> None:
    for _ in range(2):
        folder = assemble_backends(install, tmp_path / "run", build)
    library = build / "libtriton_auction.so"
    assert (folder / "auction" / library.name).resolve() == library


@pytest.mark.parametrize("name", OURS)
def test_library_that_was_not_built(
    install: TritonInstall, build: Path, tmp_path: Path, name: str
) -> None:
    (build / f"libtriton_{name}.so").unlink()
    with pytest.raises(SkynetError, match=f"The {name} backend .* `make setup`") as caught:
        assemble_backends(install, tmp_path / "run", build)
    assert caught.value.code == "backend_missing"
    assert not (tmp_path / "run").exists()


def test_built_accelerators_lie_beside_the_backend(
    install: TritonInstall, build: Path, tmp_path: Path
) -> None:
    (build / "libskynet_auction_host.so").write_bytes(b"host")
    folder = assemble_backends(install, tmp_path / "run", build)
    found = sorted(path.name for path in (folder / "auction").iterdir())
    assert found == ["libskynet_auction_host.so", "libtriton_auction.so"]
