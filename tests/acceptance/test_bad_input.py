"""Bad input gets one short message: what, where, what to do. Never a secret."""

import asyncio
import re
import socket
import time
from contextlib import closing

import pytest

import servers
from acceptance.harness import SCRIPTS, STRANGER, process, serving
from acceptance.situations import Situation
from acceptance.tables import execute
from eds_core.sandbox import COMPANY, Sandbox

#: What is wrong: the exit code, and what the message has to say.
CASES = {
    "no creds": (2, "--creds is missing"),
    "no url": (2, "no database URL"),
    "creds missing": (2, "cannot read the credentials", "No such file"),
    "creds empty": (2, "is empty"),
    "creds garbage": (2, "holds no block"),
    "creds cut off": (2, "creds", "download the file again"),
    "creds changed": (2, "creds", "download the file again"),
    "creds a directory": (2, "Is a directory"),
    "creds expired": (2, "expired at", "ask Shopmonkey"),
    "creds of nobody": (2, "refused the credentials"),
    "creds without company": (2, "no company's events"),
    "creds of another account": (1, "account", "another database"),
    "scheme unknown": (2, "no driver for foo://", "pip install eds-driver-foo"),
    "driver missing": (2, "bigquery", "pip install eds-driver-bigquery"),
    "snowflake no schema": (2, "does not name a database and a schema"),
    "nats unreachable": (1, "cannot connect to NATS", "firewall"),
    "nats silent": (1, "cannot connect to NATS"),
    "database unreachable": (1, "cannot open postgresql://"),
    "database silent": (1, "cannot open postgresql://"),
    "password wrong": (2, "password", "destination's URL"),
    "database missing": (2, "does not exist", "create the database"),
    "privilege missing": (2, "permission denied", "GRANT"),
    "url no url": (2, "a destination is a URL"),
    "url bad port": (2, "postgresql://"),
    "url bad parameter": (2, "postgresql://"),
    "sqlite no directory": (2, "no directory", "mkdir"),
    "sqlite no database": (2, "not a database"),
    "sqlite memory": (2, "gone with this process"),
    "start time bad": (2, "not a duration", "1h45m"),
    "start time long": (2, "168h"),
    "prefix bad": (2, "letters, digits"),
    "verbose and silent": (2, "exclude each other"),
    "option unknown": (2, "No such option"),
    "dump dir a file": (2, "--dump-dir", "is a file"),
    "server no url": (2, "--server", "nats://host:4222"),
    "server a web page": (2, "--server", "nats://host:4222"),
}
#: Where a secret is at hand, and something to be told of it.
WITH_SECRETS = (
    "creds cut off",
    "creds changed",
    "creds expired",
    "creds of nobody",
    "creds of another account",
    "driver missing",
    "snowflake no schema",
    "nats unreachable",
    "database unreachable",
    "database missing",
    "password wrong",
    "privilege missing",
    "url bad port",
    "url bad parameter",
    "server no url",
)


async def make(situation):
    """Databases that somebody has used or spoiled before."""
    other = f"sqlite:///{situation.directory / 'other.db'}"
    async with serving(situation.sandbox, other):
        pass
    execute(other, "UPDATE _eds_checkpoint SET account = 'ASOMEBODYELSE'")


async def run_all(directory, postgres):
    """Every case, some also with all that talks; a few at a time."""
    limit = asyncio.Semaphore(4)

    async def one(situation, name, talk):
        command = [SCRIPTS / "eds-server", *situation.command(name), *talk]
        async with limit:
            begun = time.monotonic()
            with process(directory, *command) as ended:
                try:
                    await ended.ended(20)
                except AssertionError:
                    ended.kill()
                return (name, bool(talk)), (ended, time.monotonic() - begun)

    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as silent:
        async with Sandbox(directory, (COMPANY, STRANGER)) as sandbox:
            port = silent.getsockname()[1]
            situation = Situation(sandbox, postgres, directory, port)
            await make(situation)
            talking = ["--verbose", "--trace-nats"]
            pairs = [(name, []) for name in CASES]
            pairs += [(name, talking) for name in WITH_SECRETS]
            # The slow ones first, as they only wait.
            pairs.sort(key=lambda pair: "silent" not in pair[0])
            results = await asyncio.gather(*(one(situation, *p) for p in pairs))
    return dict(results), secrets_in(situation, directory)


def secrets_in(situation, directory):
    texts = [*situation.texts, *(p.read_text() for p in directory.glob("*.creds"))]
    lines = {line for text in texts for line in text.splitlines()}
    keys = {line for line in lines if re.match(r"eyJ|SU[A-Z0-9]{50}", line)}
    passwords = {servers.PASSWORD, "secret%40word", "wrong-secret", "ecret%40"}
    return passwords | keys | {key[:60] for key in keys} | {key[-40:] for key in keys}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory, postgres):
    directory = tmp_path_factory.mktemp("bad")
    postgres.start()
    postgres.execute(f"CREATE ROLE {{}} LOGIN PASSWORD '{servers.PASSWORD}'", "poor")
    return asyncio.run(run_all(directory, postgres))


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_a_short_message_and_its_exit_code(outcome, name):
    results, _ = outcome
    ended, seconds = results[name, False]
    code, *words = CASES[name]

    assert ended.code == code, ended.tail()
    assert [word for word in words if word not in ended.err] == [], ended.err
    assert "Traceback" not in ended.err
    assert "EDS itself" not in ended.err
    assert ended.out == ""
    assert len(ended.err.splitlines()) <= 5, ended.err
    assert seconds < 60  # 10 to connect, the rest is a busy machine's


@pytest.mark.parametrize("name", WITH_SECRETS)
def test_nothing_that_is_secret_is_shown_however_much_is_told(outcome, name):
    results, secrets = outcome
    (plain, _), (told, _) = results[name, False], results[name, True]

    shown = plain.out + plain.err + told.out + told.err

    assert told.code == plain.code
    assert len(secrets) > 8
    assert [secret for secret in secrets if secret in shown] == []


def test_a_bad_url_beside_a_good_one_starts_nothing(tmp_path, sqlite_url):
    command = [SCRIPTS / "eds", "--creds", "x.creds", sqlite_url, "foo://b"]

    with process(tmp_path, *command) as ended:
        assert asyncio.run(ended.ended()) == 2
    assert not list(tmp_path.glob("shop.db*"))
