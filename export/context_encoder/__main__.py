# SPDX-License-Identifier: Apache-2.0
"""`python -m export.context_encoder`: fit P_K to texts, or time the encoder."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bls.brain.context import files
from bls.brain.context.minilm import MiniLM
from bls.errors import SkynetError
from export.context_encoder import bench
from export.context_encoder.fit import fit, principal
from export.context_encoder.report import report
from export.context_encoder.texts import read_texts
from export.context_encoder.write import write
from export.errors import ExportError

_HELD_OUT = 0.2


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m export.context_encoder", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fitting = commands.add_parser("fit", help="fit P_K and write it with its manifest")
    fitting.add_argument(
        "--texts", nargs="+", required=True, help="see export.context_encoder.texts"
    )
    fitting.add_argument("--out", type=Path, required=True)
    fitting.add_argument("--tokenizer", type=Path, default=files.FOLDER / files.TOKENIZER)
    fitting.add_argument("--most", type=int, default=4000, help="texts of one source")
    fitting.add_argument("--seed", type=int, default=7)
    fitting.add_argument("--version", default="1")
    commands.add_parser("bench", help="milliseconds a text at 16, 64 and 128 word pieces")
    return parser.parse_args()


def embed_all(minilm: MiniLM, texts: Sequence[str]) -> NDArray[np.float32]:
    """f32 [n, 384], with a line of progress every tenth."""
    out = []
    for at, text in enumerate(texts):
        if at * 10 // len(texts) != (at - 1) * 10 // len(texts):
            print(f"{at / len(texts):4.0%} of {len(texts)} texts embedded", flush=True)
        out.append(minilm.embed(text))
    return np.stack(out)


def _fit(arguments: argparse.Namespace) -> None:
    generator = np.random.default_rng(arguments.seed)
    texts: list[str] = []
    for source in arguments.texts:
        found = read_texts(source)
        generator.shuffle(found)
        texts += found[: arguments.most]
    texts = list(dict.fromkeys(texts))
    generator.shuffle(texts)
    held_out = int(len(texts) * _HELD_OUT)
    tokenizer = arguments.tokenizer.read_bytes()
    embedded = embed_all(MiniLM(files.load_backbone(files.BACKBONE), tokenizer), texts)
    test, train = embedded[:held_out], embedded[held_out:]
    p_k = fit(train)
    metrics = report(p_k, test, arguments.seed)
    plain = report(principal(train).astype(np.float32), test, arguments.seed)
    metrics |= {"texts_fitted": len(train), "texts_held_out": len(test)}
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.tokenizer.resolve() != (arguments.out / files.TOKENIZER).resolve():
        shutil.copy(arguments.tokenizer, arguments.out / files.TOKENIZER)
    digest = hashlib.sha256("\0".join(sorted(texts)).encode()).hexdigest()
    write(
        arguments.out,
        p_k,
        version=arguments.version,
        dataset_sha256=digest,
        seed=arguments.seed,
        metrics=metrics,
    )
    for name, value in metrics.items():
        without = f"   not turned: {plain[name]:.4f}" if name in plain else ""
        print(f"{name:24} {value:10.4f}{without}")


def main() -> int:
    """Exit status: 0 done, 1 with the error on stderr."""
    arguments = _arguments()
    start = time.monotonic()
    try:
        if arguments.command == "bench":
            bench.run()
        else:
            _fit(arguments)
    except (ExportError, SkynetError) as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    print(f"{time.monotonic() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
