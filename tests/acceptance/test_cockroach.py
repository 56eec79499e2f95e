"""CockroachDB behind the guide's own URL: conflicts and lost answers on the way."""

import asyncio

import pytest

from acceptance.harness import serving, shop_is_at
from acceptance.test_equal import take
from eds_core.sandbox import Sandbox


def test_3000_events_end_equal_whatever_commits_do(tmp_path, cockroach, cockroach_url):
    if cockroach.faults is None:
        pytest.skip("a real CockroachDB fails when it likes")
    faults = cockroach.faults
    url = cockroach_url.replace("cockroachdb://", "postgresql://", 1)

    async def scenario():
        async with Sandbox(tmp_path) as sandbox, serving(sandbox, url) as server:
            faults.fail("jsonb_array_elements", times=20)
            await sandbox.publish_many(take(sandbox, 2000), gzip_share=0.3)
            await shop_is_at(url, sandbox, server=server)
            faults.lose_answer()
            faults.fail_commit(times=10)
            await sandbox.publish_many(take(sandbox, 1000))
            await shop_is_at(url, sandbox, server=server)
            return server.err

    said = asyncio.run(scenario())

    assert "CockroachDB: result is ambiguous" in said
    assert "quarantined" not in said
    assert [rule.times for rule in faults.rules] == [0, 0, 0]
    assert faults.refused == []
