"""The .creds file: who we are for NATS, which companies, until when.

The token and the seed never leave this module: neither in a value, nor in a
message, nor as the cause of an error.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import nkeys
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from .errors import ConfigError
from .private import exposed

#: How long before they expire credentials are warned of.
EXPIRES_SOON = timedelta(days=14)

_LARGEST = 64 * 1024  # a real file has about 1 KiB
_COMPANY = re.compile(r"dbchange\.\*\.\*\.([a-f0-9-]+)\.")
_SESSION = re.compile(r"eds\.notify\.([a-f0-9-]+)\.")
_ASK = "ask Shopmonkey for a new credentials file"
_WHOLE = f"download the file again, change nothing in it; else {_ASK}"
#: What `eds explain` knows them as.
_UNREADABLE, _DAMAGED, _EXPIRED, _USELESS = "E1101", "E1102", "E1103", "E1104"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a credentials file says; the secrets stay in the file."""

    path: Path
    name: str
    companies: tuple[str, ...]  # in the file's order
    account: str  # the public key of the NATS account
    expires: datetime | None = None
    session: str | None = None
    exposed: int = 0  # the file's permission bits, if too many may read it

    def warnings(self, now: datetime) -> list[str]:
        """What the user should mend, one sentence each; empty when all is well."""
        found = []
        if self.exposed:
            found.append(
                f"others can read {self.path} (mode {self.exposed:04o}): "
                f"chmod 600 {shlex.quote(str(self.path))}"
            )
        if self.expires is not None and self.expires - now <= EXPIRES_SOON:
            found.append(f"{self.path} expires at {_utc(self.expires)}: {_ASK}")
        return found


class _Permission(msgspec.Struct):
    allow: list[str] | None = None


class _Nats(msgspec.Struct):
    type: str = ""
    sub: _Permission | None = None
    issuer_account: str = ""


class _Claims(msgspec.Struct):
    iss: str
    sub: str
    nats: _Nats
    name: str = ""
    exp: int = 0


def read_credentials(path: Path, now: datetime | None = None) -> Credentials:
    """Read and check the file at *path*. Raises ConfigError, also when expired."""
    text, mode = _read(path)
    found = parse_credentials(text, path=path, exposed=mode)
    if found.expires is not None and found.expires <= (now or datetime.now(UTC)):
        raise ConfigError(
            f"{path} expired at {_utc(found.expires)}", advice=_ASK, code=_EXPIRED
        )
    return found


def parse_credentials(
    text: str, *, path: Path = Path("credentials"), exposed: int = 0
) -> Credentials:
    """Return what the decorated file *text* says. Raises ConfigError.

    Its expiry is for the caller to judge. *path* is named in errors.
    """
    token, seed = _secrets(text, path)
    claims = _claims(token, path)
    _check_signature(token, claims.iss, path)
    _check_seed(seed, claims.sub, path)
    subjects = (claims.nats.sub and claims.nats.sub.allow) or []
    return Credentials(
        path=path,
        name=claims.name,
        companies=_companies(subjects, path),
        account=claims.nats.issuer_account or claims.iss,
        expires=_expires(claims.exp, path),
        session=next(iter(_matches(_SESSION, subjects)), None),
        exposed=exposed,
    )


def _read(path: Path) -> tuple[str, int]:
    try:
        with path.open("rb") as file:
            mode = exposed(os.fstat(file.fileno()))
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(path, error) from error
    if len(data) > _LARGEST:
        raise ConfigError(
            f"{path} is too large for a credentials file", advice=_WHOLE, code=_DAMAGED
        )
    return data.decode("utf-8", "replace"), mode


def _unreadable(path: Path, error: Exception) -> ConfigError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    advices: dict[type[Exception], str] = {
        FileNotFoundError: "give the path of the .creds file from Shopmonkey",
        IsADirectoryError: "give the path of the .creds file inside it",
        PermissionError: "let the user that runs EDS own the file, with mode 600",
    }
    advice = advices.get(type(error), "give the path of a file that EDS can read")
    return ConfigError(
        f"cannot read the credentials {path}: {reason}", advice=advice, code=_UNREADABLE
    )


def _secrets(text: str, path: Path) -> tuple[str, str]:
    """The token and the seed, where the NATS library will look for them."""
    if not text.strip():
        raise ConfigError(f"{path} is empty", advice=_WHOLE, code=_DAMAGED)
    if "\r" in text:
        raise ConfigError(
            f"{path} has Windows line ends, which NATS does not understand",
            advice=f"dos2unix {shlex.quote(str(path))}, or download the file again",
            code=_DAMAGED,
        )
    return _block(text, "NATS USER JWT", path), _block(text, "USER NKEY SEED", path)


def _block(text: str, title: str, path: Path) -> str:
    lines = rf"^-{{3,}}BEGIN {title}-{{3,}}\n(\S+)\n-{{3,}}END {title}-{{3,}}\s*$"
    if not (match := re.search(lines, text, re.MULTILINE)):
        raise ConfigError(
            f"{path} holds no block `{title}`", advice=_WHOLE, code=_DAMAGED
        )
    return match[1]


def _claims(token: str, path: Path) -> _Claims:
    try:
        _, payload, _ = token.split(".")
        claims = msgspec.json.decode(_base64(payload), type=_Claims)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # no cause: it would quote the token
        raise ConfigError(
            f"the JWT in {path} is damaged", advice=_WHOLE, code=_DAMAGED
        ) from None
    if claims.nats.type != "user":
        raise ConfigError(
            f"the JWT in {path} is not a user's", advice=_ASK, code=_USELESS
        )
    return claims


def _check_signature(token: str, issuer: str, path: Path) -> None:
    signed, _, signature = token.rpartition(".")
    try:
        key = _base32(issuer)[1:33]  # between its prefix and its checksum
        VerifyKey(key).verify(signed.encode(), _base64(signature))
    except (CryptoError, ValueError):
        raise ConfigError(
            f"the JWT in {path} was changed: its signature does not fit",
            advice=_WHOLE,
            code=_DAMAGED,
        ) from None


def _check_seed(seed: str, user: str, path: Path) -> None:
    try:
        public = nkeys.from_seed(bytearray(seed.encode())).public_key.decode()
    except (nkeys.NkeysError, CryptoError, ValueError, TypeError):
        raise ConfigError(
            f"the seed in {path} is damaged", advice=_WHOLE, code=_DAMAGED
        ) from None
    if public != user:
        raise ConfigError(
            f"the seed in {path} is of another user", advice=_WHOLE, code=_DAMAGED
        )


def _companies(subjects: Iterable[str], path: Path) -> tuple[str, ...]:
    if not (found := tuple(_matches(_COMPANY, subjects))):
        raise ConfigError(
            f"{path} allows to read no company's events", advice=_ASK, code=_USELESS
        )
    return found


def _matches(pattern: re.Pattern[str], subjects: Iterable[str]) -> list[str]:
    """What *pattern* finds at the start of each subject, without repeats."""
    found = (match[1] for s in subjects if (match := pattern.match(s)))
    return list(dict.fromkeys(found))


def _expires(seconds: int, path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"the JWT in {path} is damaged", advice=_WHOLE, code=_DAMAGED
        ) from None


def _base64(text: str) -> bytes:
    return _unpadded(base64.urlsafe_b64decode, text, 4)


def _base32(text: str) -> bytes:
    return _unpadded(base64.b32decode, text, 8)


def _unpadded(decode: Callable[[str], bytes], text: str, block: int) -> bytes:
    return decode(text + "=" * (-len(text) % block))


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
