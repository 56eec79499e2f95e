"""Certificates for the acceptance tests."""

import pytest
import trustme

from eds_core.sandbox import TlsFiles


@pytest.fixture
def tls(tmp_path):
    """A certificate for NATS, and the authority that a client must trust."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    files = TlsFiles(tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(files.certificate)
    issued.private_key_pem.write_to_path(files.key)
    authority.cert_pem.write_to_path(files.ca)
    return files
