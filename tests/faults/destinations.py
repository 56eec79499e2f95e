"""The databases of a test class: a class for each, which can be run side by side."""

import pytest


class OnSqlite:
    @pytest.fixture
    def new_url(self, tmp_path):
        """Makes the URL of another empty database."""
        numbers = iter(range(1_000_000))
        return lambda: f"sqlite:///{tmp_path / f'shop-{next(numbers)}.db'}"


class OnPostgres:
    @pytest.fixture
    def new_url(self, postgres):
        postgres.start()
        yield postgres.new_database
        postgres.drop_databases()


class OnMariadb:
    @pytest.fixture
    def new_url(self, mariadb):
        mariadb.start()
        yield mariadb.new_database
        mariadb.drop_databases()
