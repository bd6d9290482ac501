# SPDX-License-Identifier: Apache-2.0
"""A key store in etcd v3, over its JSON gateway.

`/mpc/params` is the etcd key `<prefix>/mpc/params`, its past `<prefix>/mpc/params/history/N` with N
of 16 digits. A put is one transaction that holds only if nobody else has put in the meantime, so
versions only rise whoever writes. Source: https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from bls.errors import SkynetError, invalid
from bls.keys.entry import KEY_PATTERN, Entry, decode
from bls.keys.etcd_line import EtcdLine, UnavailableError, b64, unb64
from bls.keys.etcd_url import EtcdUrl
from bls.keys.etcd_watch import EtcdWatch
from bls.keys.refusal import Reason, RefusedError
from bls.keys.store import Stop

_PAST = "/history/"
_PAGE = 32
_TRIES = 64

Json = dict[str, Any]


class EtcdStore:
    """See `KeyStore`. While etcd cannot be reached `get` refuses (`unreadable`), the rest raises
    `keys_unreachable`; a watch goes on by itself when etcd is back.

    Args:
        url: see `EtcdUrl`.
        password: of the user in it.
    """

    def __init__(self, url: str, password: str = "") -> None:
        where = EtcdUrl.of(url)
        self._prefix = where.prefix
        self._line = EtcdLine(where, password)
        self._watches: list[EtcdWatch] = []

    def get(self, key: str) -> Entry | None:
        try:
            found = self._range(self._key(key))
            raw = _content(found[0]) if found else None
        except UnavailableError:
            raise RefusedError(Reason.UNREADABLE) from None
        return decode(raw, key) if raw is not None else None

    def put(self, entry: Entry) -> None:
        live = self._key(entry.key)
        past = f"{live}{_PAST}{entry.version:016d}"
        with _told("keys_unwritable", "written"):
            for _ in range(_TRIES):
                found = self._range(live, count_only=True)
                if entry.version <= self._newest(entry.key):
                    raise invalid("stale_version", "This version or a newer one exists already.")
                revision = found[0]["mod_revision"] if found else "0"
                if self._swap(live, past, revision, entry.encode()):
                    return
        raise SkynetError("keys_busy", "The key store is being written by others.", 503)

    def history(self, key: str) -> tuple[Entry, ...]:
        found = {}
        with _told("keys_unreachable", "read"):
            for stored in self._pages(self._key(key) + _PAST):
                with contextlib.suppress(RefusedError):
                    entry = decode(_content(stored), key)
                    if _version(stored) == entry.version:
                        found[entry.version] = entry
            with contextlib.suppress(RefusedError):
                if (live := self.get(key)) is not None:
                    found.setdefault(live.version, live)
        return tuple(found[version] for version in sorted(found))

    def newest(self, key: str) -> int:
        with _told("keys_unreachable", "read"):
            return self._newest(key)

    def names(self) -> tuple[str, ...]:
        with _told("keys_unreachable", "read"):
            stored = self._pages(f"{self._prefix}/", keys_only=True)
            names = (unb64(one["key"]).decode(errors="replace") for one in stored)
            found = {name.removeprefix(self._prefix).partition(_PAST)[0] for name in names}
        return tuple(sorted(key for key in found if KEY_PATTERN.fullmatch(key)))

    def watch(self, key: str, changed: Callable[[], bool]) -> Stop:
        watch = EtcdWatch(self._line, self._key(key), changed)
        self._watches.append(watch)
        return watch.stop

    def close(self) -> None:
        """Stop watching."""
        for watch in self._watches:
            watch.stop()
        self._line.close()

    def _key(self, key: str) -> str:
        """Raises `bad_key`."""
        if not KEY_PATTERN.fullmatch(key):
            raise invalid("bad_key", "A key looks like /mpc/params.")
        return self._prefix + key

    def _newest(self, key: str) -> int:
        """The largest version among the past and the live entry."""
        last = self._range(
            self._key(key) + _PAST, whole=True, keys_only=True, limit=1, sort_order="DESCEND"
        )
        try:
            live = self.get(key)
        except RefusedError as refusal:
            if refusal.reason is Reason.UNREADABLE:
                raise UnavailableError from None
            live = None
        return max(_version(last[0]) if last else 0, live.version if live else 0)

    def _swap(self, live: str, past: str, revision: str, content: bytes) -> bool:
        """Put both unless the live key has changed since, or the version exists."""
        unchanged = {"key": b64(live), "target": "MOD", "mod_revision": revision}
        fresh = {"key": b64(past), "target": "VERSION", "version": "0"}
        puts = [{"request_put": {"key": b64(key), "value": b64(content)}} for key in (past, live)]
        answer = self._line.ask("kv/txn", {"compare": [unchanged, fresh], "success": puts})
        return bool(answer.get("succeeded", False))

    def _range(self, key: str, whole: bool = False, **options: Any) -> list[Json]:
        """What is stored under `key`, or under everything that begins with it.

        `count_only`: of the live key only its revision is wanted.
        """
        if options.pop("count_only", False):
            options["keys_only"] = True
        asked = {"key": b64(key), **options}
        if whole:
            asked["range_end"] = b64(_after(key))
        found: list[Json] = self._line.ask("kv/range", asked).get("kvs", [])
        return found

    def _pages(self, prefix: str, keys_only: bool = False) -> Iterator[Json]:
        """All below a prefix, a few at a time."""
        begin, end = prefix, _after(prefix)
        while True:
            asked = {"key": b64(begin), "range_end": b64(end), "limit": _PAGE}
            page = self._line.ask("kv/range", asked | {"keys_only": keys_only}).get("kvs", [])
            yield from page
            if len(page) < _PAGE:
                return
            begin = unb64(page[-1]["key"]).decode() + "\0"


@contextlib.contextmanager
def _told(code: str, what: str) -> Iterator[None]:
    """etcd out of reach is an error that says so, without an address."""
    try:
        yield
    except UnavailableError:
        raise SkynetError(code, f"The key store cannot be {what}.", 503) from None


def _after(prefix: str) -> str:
    """The first key past everything that begins with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _content(stored: Json) -> bytes:
    """Its value, which the gateway leaves out when it is empty. Raises `UnavailableError`."""
    return unb64(stored.get("value", ""))


def _version(stored: Json) -> int:
    """The version in the name of a past entry, 0 if there is none."""
    digits = unb64(stored["key"]).rpartition(b"/")[2]
    return int(digits) if digits.isdigit() else 0
