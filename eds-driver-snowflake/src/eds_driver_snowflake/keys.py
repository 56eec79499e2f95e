"""The private key of a user who logs in without a password."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from eds_core.errors import ConfigError

from .address import Address

PASSWORD = "EDS_SNOWFLAKE_PASSWORD"  # noqa: S105 - a variable's name
PRIVATE_KEY = "EDS_SNOWFLAKE_PRIVATE_KEY"
PASSPHRASE = "EDS_SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"  # noqa: S105 - a variable's name

log = logging.getLogger("eds.snowflake")


def proof(address: Address) -> dict[str, object]:
    """What the connector is to log in with: a password or a key.

    What the URL names comes first, then EDS's own variables. Raises ConfigError.
    """
    if address.private_key_path or address.private_key_env:
        return _by_key(_given(address), address)
    if password := address.password or os.environ.get(PASSWORD, ""):
        return {"password": password}
    if text := os.environ.get(PRIVATE_KEY):
        return _by_key(text.encode(), address)
    raise ConfigError(
        f"no password and no private key for {address.user} of {address.account}",
        advice=f"put either into the URL, or set {PASSWORD} or {PRIVATE_KEY}",
    )


def _by_key(pem: bytes, address: Address) -> dict[str, object]:
    return {"authenticator": "SNOWFLAKE_JWT", "private_key": _decoded(pem, address)}


def _given(address: Address) -> bytes:
    if not address.private_key_path:
        text = os.environ.get(address.private_key_env)
        if not text:
            raise ConfigError(
                f"the variable {address.private_key_env} holds no private key",
                advice="set it to the key's PEM text, BEGIN and END lines included",
            )
        return text.encode()
    path = Path(address.private_key_path)
    try:
        if path.stat().st_mode & 0o077:
            log.warning("others can read %s; run: chmod 600 %s", path, path)
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read the private key {path}: {error.strerror}",
            advice="correct private_key_path in the destination's URL",
        ) from error


def _decoded(pem: bytes, address: Address) -> bytes:
    variable = address.private_key_passphrase_env or PASSPHRASE
    passphrase = os.environ.get(variable, "").encode() or None
    try:
        key = load_pem_private_key(pem, passphrase)
    except TypeError:
        wrong = "is encrypted" if passphrase is None else "is not encrypted"
    except (ValueError, UnsupportedAlgorithm):
        wrong = "cannot be decoded, or its passphrase is wrong"
    else:
        return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    raise ConfigError(
        f"the private key {wrong}",
        advice=f"it has to be a PKCS#8 key in PEM; its passphrase comes from {variable}"
        if passphrase or wrong == "is encrypted"
        else "it has to be a PKCS#8 key in PEM form",
    )
