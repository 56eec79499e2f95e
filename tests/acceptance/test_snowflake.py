"""The whole way through fakesnow: the real connector, another database behind it."""

import asyncio
import os
import re

import pytest

from acceptance import test_equal
from acceptance.harness import serving, shop_is_at
from acceptance.tables import value
from eds_core.sandbox import Sandbox
from servers.snowflake import GIVEN_SNOWFLAKE

pytestmark = pytest.mark.skipif(
    GIVEN_SNOWFLAKE in os.environ,
    reason="the tables are read back from fakesnow only",
)


def test_3000_mixed_events_end_equal(tmp_path, snowflake_url, tls):
    test_equal.test_3000_mixed_events_over_tls_end_equal(tmp_path, snowflake_url, tls)


def test_a_server_that_waits_writes_when_it_is_stopped(tmp_path, snowflake_url):
    url = re.sub("freshness=0", "freshness=10m", snowflake_url)

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, url) as server:
                brands = [sandbox.shop.insert("brand") for _ in range(40)]
                await sandbox.publish_many(brands)
                await asyncio.sleep(2)
                assert value(url, 'SELECT max("seq") FROM "_eds_checkpoint"') == 0
            await shop_is_at(snowflake_url, sandbox, server=server)

    asyncio.run(scenario())
