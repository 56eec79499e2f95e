"""Destinations for the fault suite."""

import pytest


@pytest.fixture(params=["sqlite", "postgres"])
def url(request):
    """The URL of an empty destination, of each kind in turn."""
    return request.getfixturevalue(f"{request.param}_url")
