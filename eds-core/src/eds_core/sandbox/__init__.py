"""The other side: a stand-in for the upstream service, for demos and tests."""

from eds_core.sandbox.closing import disconnect
from eds_core.sandbox.credentials import Keys, Permissions, issue_credentials
from eds_core.sandbox.eds_server import EdsServer
from eds_core.sandbox.event import Encoding, ShopEvent, encode, message_headers
from eds_core.sandbox.model import Column, Model, load_models, parse_models
from eds_core.sandbox.nats_server import NatsServer, TlsFiles, find_executable
from eds_core.sandbox.oracle import State, decode_exactly, fold, public_row
from eds_core.sandbox.responder import SchemaResponder
from eds_core.sandbox.sandbox import COMPANY, Sandbox
from eds_core.sandbox.shop import Shop

__all__ = [
    "COMPANY",
    "Column",
    "EdsServer",
    "Encoding",
    "Keys",
    "Model",
    "NatsServer",
    "Permissions",
    "Sandbox",
    "SchemaResponder",
    "Shop",
    "ShopEvent",
    "State",
    "TlsFiles",
    "decode_exactly",
    "disconnect",
    "encode",
    "find_executable",
    "fold",
    "issue_credentials",
    "load_models",
    "message_headers",
    "parse_models",
    "public_row",
]
