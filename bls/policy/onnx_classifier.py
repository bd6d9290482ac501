# SPDX-License-Identifier: Apache-2.0
"""A classifier from a folder with `model.onnx`, `tokenizer.json` and `manifest.json`.

The graph takes `input_ids` and `attention_mask` (int64 [n, L]) and gives `unsafe` (f32 [n], a
probability). Files are hashed as they are read and loaded from those same bytes; nothing but ONNX
and the tokenizer's JSON is ever opened, so there is no pickle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import onnxruntime as ort
from pydantic import Field, ValidationError, model_validator
from tokenizers import Encoding, Tokenizer

from bls.errors import SkynetError
from bls.request import Name, Strict

MANIFEST = "manifest.json"
MODEL, TOKENIZER = "model.onnx", "tokenizer.json"
_INPUTS = ["input_ids", "attention_mask"]
_OUTPUT = "unsafe"
_FILES = (MODEL, TOKENIZER)
_BATCH = 16


class PolicyManifest(Strict):
    """What travels with the model.

    Attributes:
        files: SHA-256 of `model.onnx` and of `tokenizer.json`.
        threshold: probability at and above which a text is refused.
        max_tokens: longest input; of a longer text the end is kept.
    """

    schema_version: Literal[1]
    name: Name
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]
    threshold: Annotated[float, Field(gt=0, le=1)]
    max_tokens: Annotated[int, Field(ge=1, le=512)]

    @model_validator(mode="after")
    def _names_both_files(self) -> PolicyManifest:
        if sorted(self.files) != sorted(_FILES):
            raise ValueError(f"files: expected {', '.join(_FILES)}")
        return self


class OnnxClassifier:
    """The model on one CPU thread."""

    def __init__(self, folder: Path) -> None:
        """Raises `bad_policy_model` saying what is wrong with the folder."""
        manifest = _manifest(folder)
        model, tokenizer = (_checked(folder, name, manifest) for name in _FILES)
        self.threshold = manifest.threshold
        try:
            self._tokenizer = Tokenizer.from_buffer(tokenizer)
            self._windowing = Tokenizer.from_buffer(tokenizer)
            self._session = _session(model)
        except Exception:  # both libraries raise bare exceptions with paths and graph details
            raise _bad("the model or the tokenizer cannot be loaded") from None
        self._check_graph()
        self._tokenizer.enable_truncation(manifest.max_tokens, direction="left")
        self._tokenizer.enable_padding()
        overlap = manifest.max_tokens // 8
        self._windowing.enable_truncation(manifest.max_tokens, stride=overlap, direction="left")

    def unsafe(self, texts: Sequence[str]) -> list[float]:
        """Raises `ValueError` when the model answers anything but probabilities."""
        return self._probabilities(self._tokenizer.encode_batch(list(texts)))

    def windows(self, text: str, most: int) -> list[float]:
        """Of the last `most` windows of a text. Windows of `max_tokens` overlap by an eighth.

        Windows share a batch with others of the same length and text alone: their scale of
        activations is common, so the same text has the same bits always. Raises as `unsafe`.
        """
        whole = self._windowing.encode(text)
        cut = [whole, *whole.overflowing][:most]  # from the end of the text
        by_length: dict[int, list[Encoding]] = {}
        for one in cut:
            by_length.setdefault(len(one.ids), []).append(one)
        found: list[float] = []
        for same in by_length.values():
            for first in range(0, len(same), _BATCH):
                found += self._probabilities(same[first : first + _BATCH])
        return found

    def _probabilities(self, encodings: Sequence[Encoding]) -> list[float]:
        tensors = {
            "input_ids": np.array([encoding.ids for encoding in encodings], np.int64),
            "attention_mask": np.array([e.attention_mask for e in encodings], np.int64),
        }
        (answer,) = self._session.run([_OUTPUT], tensors)
        if answer.shape != (len(encodings),):
            raise ValueError(f"{_OUTPUT}: expected [{len(encodings)}], got {list(answer.shape)}")
        if not ((answer >= 0) & (answer <= 1)).all():
            raise ValueError(f"{_OUTPUT}: not a probability")
        return [float(value) for value in answer]

    def _check_graph(self) -> None:
        takes = sorted(tensor.name for tensor in self._session.get_inputs())
        gives = [tensor.name for tensor in self._session.get_outputs()]
        if takes != sorted(_INPUTS) or gives != [_OUTPUT]:
            raise _bad(f"expected {_INPUTS} to [{_OUTPUT!r}], got {takes} to {gives}")


def _session(model: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _manifest(folder: Path) -> PolicyManifest:
    try:
        raw = json.loads((folder / MANIFEST).read_bytes())
        return PolicyManifest.model_validate(_guards(raw) if "details" in raw else raw)
    except OSError:
        raise _bad(f"{MANIFEST} cannot be read") from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise _bad(f"{MANIFEST} is not complete") from None
    except ValidationError as error:
        raise _bad(f"{MANIFEST}: {error.errors()[0]['msg']}") from None


def _guards(raw: dict[str, Any]) -> dict[str, Any]:
    """What this reader needs of the manifest of a `policy_guard` version."""
    details, files = raw["details"], raw["files"]
    return {
        "schema_version": raw["schema_version"],
        "name": raw["name"],
        "files": {name: files[name] for name in _FILES},
        "threshold": details["thresholds"]["reply"],
        "max_tokens": details["max_tokens"],
    }


def _checked(folder: Path, name: str, manifest: PolicyManifest) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError:
        raise _bad(f"{name} cannot be read") from None
    if hashlib.sha256(content).hexdigest() != manifest.files[name]:
        raise _bad(f"{name} does not match its SHA-256")
    return content


def _bad(why: str) -> SkynetError:
    return SkynetError("bad_policy_model", f"Policy model: {why}.", 500)
