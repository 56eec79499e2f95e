"""The keys, JWTs and .creds files of a NATS operator and its users."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import nkeys

CREDENTIALS = """\
-----BEGIN NATS USER JWT-----
{jwt}
------END NATS USER JWT------

************************* IMPORTANT *************************
The seed below is a secret: whoever has it is this user.

-----BEGIN USER NKEY SEED-----
{seed}
------END USER NKEY SEED------
"""


@dataclass(frozen=True, slots=True)
class Permissions:
    """The subjects a user may publish and subscribe to, nothing else."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]

    @classmethod
    def for_companies(
        cls, companies: Sequence[str], *, session: str | None = None
    ) -> Self:
        """Return what the upstream service allows a shop."""
        session = session or str(uuid.uuid4())
        return cls(
            publish=(
                "$JS.API.STREAM.NAMES",
                "$JS.ACK.dbchange.>",
                "$JS.API.CONSUMER.MSG.NEXT.dbchange.>",
                "$JS.API.CONSUMER.>",
                "$JS.API.CONSUMER.*.dbchange.*",
                f"eds.client.{session}.>",
                "_INBOX.>",
                "schema.>",  # a look-up is a request
            ),
            subscribe=(
                *(f"dbchange.*.*.{company}.*.PUBLIC.>" for company in companies),
                f"eds.notify.{session}.>",
                "_INBOX.>",
            ),
        )

    @classmethod
    def for_service(cls) -> Self:
        """Return what the upstream service itself needs: everything."""
        return cls(publish=(">",), subscribe=(">",))


@dataclass(frozen=True, slots=True)
class Keys:
    """The seeds of an operator, its system account and the account of the data."""

    operator: str
    system: str
    account: str

    @classmethod
    def make(cls) -> Self:
        return cls(
            operator=_new_seed(nkeys.PREFIX_BYTE_OPERATOR),
            system=_new_seed(nkeys.PREFIX_BYTE_ACCOUNT),
            account=_new_seed(nkeys.PREFIX_BYTE_ACCOUNT),
        )

    @classmethod
    def of(cls, directory: Path) -> Self:
        """Return the keys kept in *directory*, made when there are none.

        So credentials issued before a restart stay valid after it.
        """
        path = directory / "keys.json"
        if not path.exists():
            keys = cls.make()
            members = {name: getattr(keys, name) for name in cls.__slots__}
            write_secret(path, json.dumps(members))
        return cls(**json.loads(path.read_text()))

    def operator_jwt(self) -> str:
        claims = {"type": "operator", "system_account": public_key(self.system)}
        return _sign(self.operator, public_key(self.operator), "sandbox", claims)

    def system_jwt(self) -> str:
        claims = _account_claims(jetstream=False)
        return _sign(self.operator, public_key(self.system), "SYS", claims)

    def account_jwt(self, revoked: Iterable[str] = ()) -> str:
        """*revoked* are the public keys of users whose credentials are no good now."""
        claims = _account_claims(jetstream=True)
        now = int(time.time())
        claims["revocations"] = dict.fromkeys(revoked, now)
        return _sign(self.operator, public_key(self.account), "shops", claims)


def issue_credentials(
    keys: Keys,
    companies: Sequence[str],
    *,
    name: str = "sandbox",
    expires: int | None = None,
    permissions: Permissions | None = None,
) -> str:
    """Return the text of a .creds file for a new user.

    *expires* is in seconds since the epoch and may lie in the past.
    *permissions* replace those of a shop with these *companies*.
    """
    allowed = permissions or Permissions.for_companies(companies)
    seed = _new_seed(nkeys.PREFIX_BYTE_USER)
    jwt = _sign(
        keys.account, public_key(seed), name, _user_claims(allowed), expires=expires
    )
    return CREDENTIALS.format(jwt=jwt, seed=seed)


def write_secret(path: Path, text: str) -> Path:
    """Write a file that only its owner can read."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def public_key(seed: str) -> str:
    return str(_keypair(seed).public_key.decode())


def _new_seed(prefix: int) -> str:
    return str(nkeys.encode_seed(os.urandom(32), prefix).decode())


def _keypair(seed: str) -> nkeys.KeyPair:
    return nkeys.from_seed(bytearray(seed.encode()))


def _account_claims(*, jetstream: bool) -> dict[str, object]:
    names = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
    stores = ("mem_storage", "disk_storage", "streams", "consumer")
    unlimited = dict.fromkeys(names + stores * jetstream, -1)
    return {
        "type": "account",
        "limits": {**unlimited, "wildcards": True},
        "default_permissions": {"pub": {}, "sub": {}},
    }


def _user_claims(permissions: Permissions) -> dict[str, object]:
    return {
        "type": "user",
        "subs": -1,
        "data": -1,
        "payload": -1,
        "pub": {"allow": list(permissions.publish)},
        "sub": {"allow": list(permissions.subscribe)},
    }


def _sign(
    issuer: str,
    subject: str,
    name: str,
    claims: Mapping[str, object],
    *,
    expires: int | None = None,
) -> str:
    body: dict[str, object] = {
        "jti": "",
        "iat": int(time.time()),
        "iss": public_key(issuer),
        "name": name,
        "sub": subject,
        "nats": {**claims, "version": 2},
    }
    if expires is not None:
        body["exp"] = expires
    # The token's id is the hash of the token without an id.
    digest = hashlib.new("sha512_256", _dump(body)).digest()
    body["jti"] = base64.b32encode(digest).rstrip(b"=").decode()
    header = {"typ": "JWT", "alg": "ed25519-nkey"}
    signed = f"{_base64(_dump(header))}.{_base64(_dump(body))}"
    return f"{signed}.{_base64(_keypair(issuer).sign(signed.encode()))}"


def _dump(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
