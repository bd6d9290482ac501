# SPDX-License-Identifier: Apache-2.0
"""A database in a file, the real tokenizer and embeddings, and a guard of one rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from bls.ads.database import open_database
from bls.ads.migrate import migrate
from bls.contracts import Verdict
from bls.guard.ruling import Ruling
from client.intake.columns import find_columns
from client.intake.embed import Embedder
from client.intake.importer import Importer, Means
from client.intake.product import Product, product_of
from client.intake.report import Report
from client.intake.shelf import Shelf
from client.intake.terms import Terms
from client.intake.wording import ModelTokens

BAD = "forbiddenword"
TERMS = Terms()
FIELDS = ("id", "title", "description", "brand", "website", "category")


def judge(texts: Sequence[str]) -> list[Ruling]:
    """Blocks what has the one bad word in it."""
    blocked = Ruling(Verdict.BLOCKED, "toxic", 1.0)
    return [blocked if BAD in text else Ruling() for text in texts]


def product(number: int = 1, **cells: str) -> Product:
    """The product of one row."""
    row = {
        "id": str(number),
        "title": f"Harbour Tent {number}",
        "description": "Stands in four minutes. Keeps out the rain.",
        "brand": "Brightwater",
        "website": "https://www.brightwater.example/tents",
        "category": "outdoors",
    }
    return product_of(number + 1, row | cells, find_columns(FIELDS, {}))


@pytest.fixture(scope="session")
def tokens(llm_folder: Path) -> ModelTokens:
    return ModelTokens(llm_folder)


@pytest.fixture(scope="session")
def embed() -> Iterator[Embedder]:
    made = Embedder()
    yield made
    made.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    engine = open_database(f"sqlite:///{tmp_path / 'ads.db'}")
    migrate(engine)
    yield Shelf(engine)
    engine.dispose()


@pytest.fixture
def means(shelf: Shelf, embed: Embedder, tokens: ModelTokens) -> Means:
    return Means(shelf, judge, embed, tokens)


@pytest.fixture
def take(means: Means) -> Callable[..., Report]:
    """Import products; fresh counts each time."""

    def run(*products: Product, terms: Terms = TERMS, dry_run: bool = False) -> Report:
        return Importer(means, terms, Report(), dry_run=dry_run, batch=4).run(products)

    return run
