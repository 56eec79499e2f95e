"""MariaDB and MySQL keep the contract."""

from __future__ import annotations

from typing import ClassVar

import pytest

from eds_core.testing import DriverConformance, replaced


@pytest.fixture(scope="class")
def destination_url(request):
    server = request.getfixturevalue(request.cls.server)
    server.start()
    return server.new_database()


ROUNDED = replaced("rounded to microseconds", "2024-02-29T12:00:00.123457")
VALUES = {
    f"{kind}: {digits} digits": ROUNDED
    for kind in ("timestamp", "datetime")
    for digits in (7, 8, 9)
}


class TestMariadb(DriverConformance):
    scheme = server = "mariadb"
    values: ClassVar = VALUES


class TestMysql(DriverConformance):
    scheme = server = "mysql"
    values: ClassVar = VALUES
