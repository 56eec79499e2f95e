"""Databases for the fault suite."""

from __future__ import annotations

import pytest

from faults.victims import Mariadb, Postgres


@pytest.fixture(params=[Postgres, Mariadb], ids=["postgres", "mariadb"])
def victim(request):
    """A database of each kind in turn, on a server that may be ill-treated."""
    kind = request.param
    server = request.getfixturevalue(kind.fixture)
    yield kind(server, server.new_database())
    server.start()
    server.drop_databases()
