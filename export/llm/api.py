# SPDX-License-Identifier: Apache-2.0
"""`ensure_llm`: any supported source to an ONNX folder, exported once and found again after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from export.llm.cache import publish
from export.llm.checkpoint import Checkpoint
from export.llm.graph import GraphOptions, write_graph
from export.llm.lora_graph import write_lora_graph
from export.llm.onnx_writer import OnnxWriter
from export.llm.sources import AUTO, Source, resolve
from export.manifest import MANIFEST_NAME, PLAIN, SCHEMA_VERSION, LLMManifest, file_sha256

EXPORTER_VERSION = "1.1.0"
DEFAULT_CACHE = Path(".cache")
Progress = Callable[[str, float], None]


def ensure_llm(
    source: str = AUTO,
    cache_dir: Path = DEFAULT_CACHE,
    progress: Progress | None = None,
    options: GraphOptions | None = None,
    force: bool = False,
) -> Path:
    """Return the verified folder of the exported model, exporting it where it is not cached.

    `progress` is told (what, fraction in 0..1). The folder is `<cache_dir>/llm/<key>`, the key
    being the SHA-256 of source content, exporter version and options. Raises `ExportError`.
    """
    if progress is not None:
        progress("finding the source", 0.0)
    return export_source(resolve(source), cache_dir, progress, options, force=force)


def export_source(
    found: Source,
    cache_dir: Path = DEFAULT_CACHE,
    progress: Progress | None = None,
    options: GraphOptions | None = None,
    *,
    force: bool = False,
) -> Path:
    """`ensure_llm` for a source that was found already."""
    tell = progress or _silent
    options = options or GraphOptions()
    content = found.sha256()

    def build(folder: Path) -> None:
        tell("reading", 0.05)
        _export(found, content, options, folder, tell)

    folder = publish(cache_dir / "llm", cache_key(content, options), build, force)
    tell("ready", 1.0)
    return folder


def cache_key(source_sha256: str, options: GraphOptions) -> str:
    """Hex name of the folder for this content, exporter and options."""
    identity = [source_sha256, EXPORTER_VERSION, asdict(options)]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _export(
    source: Source, content: str, options: GraphOptions, folder: Path, tell: Progress
) -> None:
    checkpoint = source.open()
    writer = OnnxWriter(folder / PLAIN)
    try:
        write_graph(checkpoint, writer, options, lambda what, done: tell(what, 0.1 + 0.7 * done))
    finally:
        writer.close()
    write_lora_graph(folder, checkpoint.config)
    tell("tokenizer", 0.85)
    checkpoint.write_tokenizer(folder / "tokenizer.json")
    tell("hashing", 0.9)
    manifest = _manifest(source, content, checkpoint, options, folder)
    (folder / MANIFEST_NAME).write_text(manifest.to_json(), encoding="utf-8")


def _manifest(
    source: Source, content: str, checkpoint: Checkpoint, options: GraphOptions, folder: Path
) -> LLMManifest:
    config, chat = checkpoint.config, checkpoint.chat
    return LLMManifest(
        schema_version=SCHEMA_VERSION,
        name=source.name,
        source=source.label,
        source_sha256=content,
        exporter_version=EXPORTER_VERSION,
        options=asdict(options),
        files={file.name: file_sha256(file) for file in sorted(folder.iterdir())},
        layers=config.layers,
        hidden=config.hidden,
        heads=config.heads,
        kv_heads=config.kv_heads,
        head_dim=config.head_dim,
        intermediate=config.intermediate,
        vocab=config.vocab,
        max_context=config.max_context,
        bos_id=chat.bos_id,
        eos_ids=list(chat.eos_ids),
        special_tokens=dict(chat.special_tokens),
        chat_template=chat.chat_template,
        quantisation=checkpoint.quantisation(),
    )


def _silent(what: str, done: float) -> None:
    del what, done
