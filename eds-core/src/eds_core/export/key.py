"""The API key: kept from every log, and asked where its service is. Pure."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import msgspec

from eds_core.errors import ConfigError

from .address import checked_api

DEFAULT_API = "https://api.shopmonkey.cloud"
# What the keys of the service call their issuer, and where its API is.
_ISSUERS = {"https://shopmonkey.io": DEFAULT_API}
_MASK = "***"


class _Claims(msgspec.Struct):
    iss: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class ApiKey:
    """A key that is shown nowhere. Raises ConfigError for what cannot be one."""

    _text: str

    def __post_init__(self) -> None:
        text = self._text
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise ConfigError(
                "the API key is empty or holds characters that no key has",
                advice="set SM_APIKEY to the key alone, without quotes or blanks",
            )

    def __repr__(self) -> str:
        return f"ApiKey({_MASK})"

    def authorization(self) -> str:
        """What the header of that name says. A secret."""
        return f"Bearer {self._text}"

    def masked(self, text: str) -> str:
        """Return *text*, which came from elsewhere, without the key."""
        return text.replace(self._text, _MASK)

    def api(self) -> str:
        """Where the key's issuer says that its API is; nothing is verified."""
        issuer = self._issuer().rstrip("/")
        if not issuer.startswith(("https://", "http://")):
            return DEFAULT_API
        return checked_api(_ISSUERS.get(issuer, issuer))

    def _issuer(self) -> str:
        _, _, rest = self._text.partition(".")
        claims, signed, _ = rest.partition(".")
        if not signed:
            return ""
        try:
            padded = claims + "=" * (-len(claims) % 4)
            decoded = base64.b64decode(padded, altchars=b"-_", validate=True)
            return msgspec.json.decode(decoded, type=_Claims).iss
        except (binascii.Error, ValueError, msgspec.MsgspecError):
            return ""
