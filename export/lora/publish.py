# SPDX-License-Identifier: Apache-2.0
"""`python -m export.lora.publish`: which adapters are live from now on.

    python -m export.lora.publish VERSION=acme,globex [VERSION=initech] [--key FILE]

A VERSION is a folder below the models folder (`<state>/models` by default); its files are checked
here as the server will check them. Without any, all adapters are taken away. `skynet keys rollback
/cg/lora` makes the value before live again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bls.errors import SkynetError, invalid
from bls.keys.entry import Entry
from bls.keys.private import load
from bls.keys.publish import Publisher
from bls.keys.signing import load_trusted
from bls.keys.store import open_store
from bls.llm.adapter_file import check_folder
from bls.llm.adapters_key import LORA_KEY, Adapters
from bls.models.places import Places
from bls.models.pointer import Target
from bls.settings import Settings, load_settings
from export.errors import ExportError
from export.manifest import MANIFEST_NAME, file_sha256


def publish(named: Sequence[str], settings: Settings, key: Path | None = None) -> Entry:
    """Make `FOLDER=advertiser,...` the live adapters. Raises `SkynetError` or `ExportError`."""
    value = Adapters.of({"adapters": [_adapter(one, settings) for one in named]}).value()
    names = settings.models_public_keys
    trusted = load_trusted(names, "models_public_keys") if names else None
    if trusted is not None and key is None:
        raise invalid("key_needed", "Adapters are signed here: name a key with --key.")
    store = open_store(settings.key_store, settings.etcd_password)
    kept = open_store(settings.keys_kept)
    try:
        private = None if key is None else load(key)
        return Publisher(store, trusted, [kept]).publish(LORA_KEY, value, private)
    finally:
        store.close()
        kept.close()


def _adapter(one: str, settings: Settings) -> dict[str, object]:
    folder, _, advertisers = one.partition("=")
    path = Path(folder).resolve()
    sha256 = file_sha256(path / MANIFEST_NAME) if (path / MANIFEST_NAME).is_file() else ""
    check_folder(path, sha256)
    places = Places(settings.models_folder, settings.models_fetched)
    places.folder(Target(path.name, Path(), sha256, path.as_uri()))
    return {
        "name": path.name,
        "uri": path.as_uri(),
        "sha256": sha256,
        "advertisers": [name for name in advertisers.split(",") if name],
    }


def main() -> int:
    """Exit status: 0 published, 1 with the error on stderr."""
    parser = argparse.ArgumentParser(prog="python -m export.lora.publish", description=__doc__)
    parser.add_argument("named", nargs="*", metavar="VERSION=ADVERTISER,...")
    parser.add_argument("--key", type=Path, help="file with the signing key")
    arguments = parser.parse_args()
    try:
        entry = publish(arguments.named, load_settings(), arguments.key)
    except (SkynetError, ExportError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{entry.key} version {entry.version}: {len(entry.value['adapters'])} adapters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
