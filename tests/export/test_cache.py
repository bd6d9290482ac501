# SPDX-License-Identifier: Apache-2.0
"""The model cache: found again, never half there, one exporter at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from export.errors import ExportError
from export.llm import ensure_llm, get_current, set_current
from export.llm.cache import publish
from export.llm.graph import GraphOptions
from export.llm.tiny import write_tiny_source
from export.manifest import LLMManifest

ROOT = Path(__file__).resolve().parents[2]


def _models(cache: Path) -> list[str]:
    return [path.name for path in (cache / "llm").iterdir() if not path.name.startswith(".lock")]


def test_the_second_call_finds_the_first(tiny_source: Path, tmp_path: Path) -> None:
    told: list[str] = []
    first = ensure_llm(str(tiny_source), tmp_path)
    stamp = (first / "model.onnx").stat().st_mtime_ns
    second = ensure_llm(str(tiny_source), tmp_path, lambda what, _: told.append(what))
    assert first == second
    assert (second / "model.onnx").stat().st_mtime_ns == stamp
    assert told == ["finding the source", "ready"]


def test_export_is_reproducible(tiny_source: Path, tmp_path: Path) -> None:
    one = LLMManifest.load(ensure_llm(str(tiny_source), tmp_path / "a"))
    two = LLMManifest.load(ensure_llm(str(tiny_source), tmp_path / "b"))
    assert one == two


def test_content_and_options_make_the_key(tiny_source: Path, tmp_path: Path) -> None:
    other = write_tiny_source(tmp_path / "other", seed=1)
    folders = {
        ensure_llm(str(tiny_source), tmp_path),
        ensure_llm(str(other), tmp_path),
        ensure_llm(str(tiny_source), tmp_path, options=GraphOptions(accuracy_level=1)),
    }
    assert len(folders) == 3


def test_a_damaged_model_is_exported_again(tiny_source: Path, tmp_path: Path) -> None:
    folder = ensure_llm(str(tiny_source), tmp_path)
    (folder / "model.onnx.data").write_bytes(b"damaged")
    assert ensure_llm(str(tiny_source), tmp_path) == folder
    assert LLMManifest.load(folder).layers == 2


def test_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "model.onnx").write_bytes(b"half")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        publish(tmp_path / "llm", "key", build)
    assert _models(tmp_path) == []


def test_leftovers_of_a_killed_export_are_replaced(tiny_source: Path, tmp_path: Path) -> None:
    folder = ensure_llm(str(tiny_source), tmp_path)
    leftover = folder.with_name(f".tmp-{folder.name}")
    folder.rename(leftover)
    (leftover / "manifest.json").unlink()
    assert LLMManifest.load(ensure_llm(str(tiny_source), tmp_path)).layers == 2
    assert _models(tmp_path) == [folder.name]


def test_concurrent_exporters_agree(tiny_source: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "export.llm", "--source", str(tiny_source)]
    command += ["--cache", str(tmp_path)]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    folders = {process.communicate(timeout=60)[0].splitlines()[-1] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(folders) == 1
    assert get_current(tmp_path / "llm") == Path(folders.pop())


def test_the_pointer(tmp_path: Path) -> None:
    with pytest.raises(ExportError) as caught:
        get_current(tmp_path)
    assert caught.value.code == "pointer_missing"
    set_current(tmp_path, "abc")
    assert get_current(tmp_path) == tmp_path / "abc"
    for content in ("{", '{"folder": "../up"}', "[]"):
        (tmp_path / "current.json").write_text(content)
        with pytest.raises(ExportError) as caught:
            get_current(tmp_path)
        assert caught.value.code == "pointer_invalid"
