# SPDX-License-Identifier: Apache-2.0
"""`etcd://[USER@]HOST:PORT[,HOST:PORT...][/PREFIX][?tls=1&ca=FILE&cert=FILE&key=FILE]`."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from bls.errors import SkynetError

PREFIX = "/skynet"
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_PREFIX = re.compile(r"(/[A-Za-z0-9._-]+)+")
_OPTIONS = {"tls", "ca", "cert", "key"}


@dataclass(frozen=True)
class EtcdUrl:
    """Attributes:
    hosts: `HOST:PORT` of the members; any of them will do.
    prefix: before every key.
    tls: ask over TLS; `ca` checks the members (empty: the machine's authorities), `cert` and
        `key` show who we are.
    """

    hosts: tuple[str, ...]
    prefix: str = PREFIX
    user: str = ""
    tls: bool = False
    ca: str = ""
    cert: str = ""
    key: str = ""

    @classmethod
    def of(cls, text: str) -> EtcdUrl:
        """Raises `bad_setting`, also for a password in the URL: it would be seen in logs."""
        parts = urlsplit(text)
        user, _, hosts = parts.netloc.rpartition("@")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        prefix = parts.path.rstrip("/") or PREFIX
        members = tuple(hosts.split(","))
        if parts.scheme != "etcd" or not all(map(_HOST.fullmatch, members)) or parts.fragment:
            raise _bad("must be etcd://HOST:PORT[/PREFIX]")
        if not _PREFIX.fullmatch(prefix):
            raise _bad("has a prefix that is none")
        if ":" in user:
            raise _bad("holds a password; SKYNET_ETCD_PASSWORD is the place for it")
        if options.keys() - _OPTIONS or options.get("tls", "1") not in ("0", "1"):
            raise _bad("has an unknown option")
        files = {name: options.get(name, "") for name in ("ca", "cert", "key")}
        tls = options.get("tls", str(int(any(files.values())))) == "1"
        return cls(members, prefix, user, tls, **files)

    def urls(self) -> list[str]:
        """Where the members answer."""
        return [f"{'https' if self.tls else 'http'}://{host}/v3/" for host in self.hosts]

    def trust(self) -> ssl.SSLContext | bool:
        """What a client checks the members with. Raises `bad_setting` for files that are none."""
        if not self.tls:
            return True
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None)
        except (OSError, ssl.SSLError):
            raise _bad("names TLS files that cannot be read") from None
        return context


def _bad(why: str) -> SkynetError:
    return SkynetError("bad_setting", f"SKYNET_KEYS {why}.", 500)
