# SPDX-License-Identifier: Apache-2.0
"""What every command on the key store shares: which store, which signatures count, who signs.

What needs the cryptography is imported when it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from bls.brain import params
from bls.errors import SkynetError, invalid
from bls.keys.store import KeyStore, open_store
from bls.llm.adapters_key import LORA_KEY, Adapters
from bls.models.model_key import SUBSYSTEMS, ModelKey, canary_key, model_key
from bls.phantom.experiments import KEY as EXPERIMENTS
from bls.phantom.experiments import read_experiments
from bls.settings import Settings, load_settings
from client.palette import printable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from bls.keys.entry import Entry
    from bls.keys.publish import Publisher
    from bls.keys.signing import TrustedKeys

KEY_VARIABLE = "PARAMS_SIGNING_KEY"
MODEL_KEYS = frozenset(of(name) for of in (model_key, canary_key) for name in SUBSYSTEMS)


def default_store() -> str:
    """The key store of the local stack."""
    return load_settings().key_store


store_option = click.option(
    "--store",
    default=default_store,
    show_default="the local stack's",
    help="Folder of the key store, or etcd://HOST:PORT[/PREFIX].",
)


def key_option(required: bool) -> Callable[[Any], Any]:
    """`--key FILE`."""
    return click.option(
        "--key",
        "key_file",
        type=click.Path(path_type=Path, dir_okay=False),
        required=required,
        envvar=KEY_VARIABLE,
        show_envvar=True,
        help="File with the signing key.",
    )


@dataclass(frozen=True)
class Rule:
    """What a server with these settings asks of a key's value. `trusted` None: no signature."""

    trusted: TrustedKeys | None
    read: Callable[[Mapping[str, Any]], object]

    @classmethod
    def of(cls, key: str, settings: Settings) -> Rule:
        """Nothing is asked of a key that no server here reads."""
        from bls.keys.signing import load_trusted  # noqa: PLC0415

        if key == params.KEY:
            return cls(load_trusted(settings.params_public_keys), params.read_params)
        if key == EXPERIMENTS:
            return cls(None, read_experiments)
        if key not in MODEL_KEYS and key != LORA_KEY:
            return cls(None, dict)
        names = settings.models_public_keys
        trusted = load_trusted(names, "models_public_keys") if names else None
        return cls(trusted, Adapters.of if key == LORA_KEY else ModelKey.of)

    def verdict(self, entry: Entry) -> str:
        """`ok`, or why a server refuses it."""
        from bls.keys.refusal import RefusedError  # noqa: PLC0415

        try:
            if self.trusted is not None:
                self.trusted.verify(entry)
            self.read(entry.value)
        except RefusedError as refusal:
            return f"refused: {refusal}"
        except SkynetError as fault:
            return f"refused: {fault.message}"
        return "ok"


def opened(store: str) -> KeyStore:
    """The store that `--store` names."""
    return open_store(store, load_settings().etcd_password)


def judged(store: KeyStore, key: str) -> tuple[Entry | None, str]:
    """What is live in the store, and `ok` or why a server refuses it."""
    from bls.keys.refusal import RefusedError  # noqa: PLC0415

    rule = Rule.of(key, load_settings())
    try:
        entry = store.get(key)
    except RefusedError as refusal:
        return None, f"refused: {refusal}"
    return entry, "ok" if entry is None else rule.verdict(entry)


def publisher(
    key: str, key_file: Path | None, store: KeyStore
) -> tuple[Ed25519PrivateKey | None, Publisher]:
    """The signing key, and a publisher that trusts it besides what the settings trust.

    Raises `no_signing_key` where a server asks for a signature and no key file is given.
    """
    from bls.keys.private import load  # noqa: PLC0415
    from bls.keys.publish import Publisher  # noqa: PLC0415
    from bls.keys.signing import key_id  # noqa: PLC0415

    settings = load_settings()
    trusted, seen = Rule.of(key, settings).trusted, [open_store(settings.keys_kept)]
    if trusted is None:
        return None, Publisher(store, None, seen)
    if key_file is None:
        raise invalid("no_signing_key", f"{key} must be signed: --key FILE or {KEY_VARIABLE}.")
    private = load(key_file)
    if key_id(private.public_key()) not in trusted.names():
        variable = "MODELS" if key in MODEL_KEYS else "PARAMS"
        click.echo(f"note: SKYNET_{variable}_PUBLIC_KEYS does not name this key here", err=True)
    return private, Publisher(store, trusted.with_key(private.public_key()), seen)


def completed(store: str | None, key: str, incomplete: str) -> list[CompletionItem]:
    """Versions of `key` that begin so."""
    with closing(opened(store or default_store())) as found:
        versions = [str(entry.version) for entry in found.history(key)]
    return [CompletionItem(text) for text in versions if text.startswith(incomplete)]


def signed(entry: Entry) -> str:
    """Version, time and signer in words."""
    name = printable(entry.key_id) or "nobody"
    return f"version {entry.version}, {when(entry)}, signed by {name}"


def when(entry: Entry) -> str:
    """When it was made."""
    try:
        return datetime.fromtimestamp(entry.created, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(entry.created)
