"""A server with a proxy in front of NATS or of its database, and what it must reach."""

from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from acceptance.harness import serving, shop_is_at, until
from acceptance.tables import value
from eds_core.sandbox import COMPANY, Sandbox
from eds_core.testing.proxy import proxy

POISON = f"dbchange.tag.INSERT.{COMPANY}.NONE.PUBLIC.1.poison"

#: What is said can be read, and a peer without a sign of life is given up soon.
PLAIN = {
    "postgresql": "sslmode=disable&tcp_user_timeout=2000",
    "mariadb": "ssl_mode=DISABLED&tcp_user_timeout=2000",
}


@asynccontextmanager
async def behind_nats(directory, url, **options):
    """A sandbox, a server that reaches its NATS through a proxy, and the proxy."""
    async with Sandbox(directory, **options) as sandbox:
        with proxy("127.0.0.1", sandbox.server.port) as between:
            nats = f"nats://127.0.0.1:{between.port}"
            async with serving(sandbox, url, nats=nats) as server:
                yield sandbox, server, between


@asynccontextmanager
async def behind_database(directory, url):
    """A sandbox, a server that reaches its database through a proxy, and the proxy."""
    async with Sandbox(directory) as sandbox:
        with proxied(url) as between:
            async with serving(sandbox, through(between, url)) as server:
                yield sandbox, server, between


def proxied(url):
    address = urlsplit(url)
    return proxy(address.hostname, address.port)


def through(between, url):
    address = urlsplit(url)
    login = address.netloc.rpartition("@")[0]
    return address._replace(
        netloc=f"{login}@{between.host}:{between.port}", query=PLAIN[address.scheme]
    ).geturl()


async def ends_equal(url, sandbox, server, seconds=40):
    """All that the shop has is at *url*, once, and the position is behind the last."""
    poison = await sandbox.publish_raw(POISON, b"no JSON")
    last = await sandbox.publish(sandbox.shop.insert("order"))
    await shop_is_at(url, sandbox, seconds, server)
    seq = f"SELECT seq FROM _eds_checkpoint WHERE company = '{COMPANY}'"
    kept = f"SELECT count(*) FROM _eds_quarantine WHERE seq = {poison}"
    await until(lambda: value(url, seq) >= last, 10, server.tail)
    assert value(url, seq) == last, server.tail()
    assert value(url, kept) == 1
    assert "parked" not in server.err, server.tail()
    assert "are gone from the stream" not in server.err, server.tail()
