"""Bad input gets one short message: what, where, what to do. Never a secret."""

import asyncio
import re
import socket
import time
from contextlib import closing

import pytest

import servers
from acceptance.harness import SCRIPTS, STRANGER, process, serving
from acceptance.tables import execute
from eds_core.sandbox import COMPANY, Keys, Permissions, Sandbox, issue_credentials

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
    "driver missing": (2, "snowflake", "pip install eds-driver-snowflake"),
    "mysql missing": (2, "mariadb", "pip install eds-driver-mysql"),
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
    "nats unreachable",
    "database unreachable",
    "database missing",
    "password wrong",
    "privilege missing",
    "url bad port",
    "url bad parameter",
    "server no url",
)


class Situation:
    """Everything that is wrong, made once."""

    def __init__(self, sandbox, postgres, directory, silent_port):
        self.sandbox, self.directory = sandbox, directory
        self.good = f"sqlite:///{directory / 'shop.db'}"
        self.creds = sandbox.credentials
        self.silent = f"127.0.0.1:{silent_port}"
        self.closed = f"127.0.0.1:{servers.free_port()}"
        self.postgres = postgres.new_database()
        self.poor = re.sub("//eds:", "//poor:", self.postgres)
        self.texts = [sandbox.credentials.read_text()]

    def file(self, name, text):
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def command(self, name):
        """The arguments of a case; what a case leaves out is all right."""
        made = getattr(self, "_" + re.sub(r"\W", "_", name))()
        creds = made.get("creds", self.creds)
        return [
            *(["--creds", creds] if creds else []),
            *["--server", made.get("server", self.sandbox.url)],
            *made.get("args", ()),
            *made.get("urls", [self.good]),
        ]

    def _no_creds(self):
        return {"creds": None}

    def _no_url(self):
        return {"urls": []}

    def _creds_missing(self):
        return {"creds": self.directory / "nowhere.creds"}

    def _creds_empty(self):
        return {"creds": self.file("empty.creds", "\n")}

    def _creds_garbage(self):
        return {"creds": self.file("garbage.creds", "{}\n" * 9)}

    def _creds_cut_off(self):
        text = self.creds.read_text()
        return {"creds": self.file("cut.creds", text[: len(text) // 2])}

    def _creds_changed(self):
        lines = self.creds.read_text().splitlines()
        lines[1] = (
            lines[1][:100] + ("A" if lines[1][100] != "A" else "B") + lines[1][101:]
        )
        return {"creds": self.file("changed.creds", "\n".join(lines) + "\n")}

    def _creds_a_directory(self):
        return {"creds": self.directory}

    def _creds_expired(self):
        return {"creds": self.sandbox.issue(expires=int(time.time()) - 60)}

    def _creds_of_nobody(self):
        text = issue_credentials(Keys.make(), [COMPANY])
        self.texts.append(text)
        return {"creds": self.file("nobody.creds", text)}

    def _creds_without_company(self):
        return {"creds": self.sandbox.issue(permissions=Permissions.for_companies([]))}

    def _creds_of_another_account(self):
        return {"urls": [f"sqlite:///{self.directory / 'other.db'}"]}

    def _scheme_unknown(self):
        return {"urls": ["foo://user:secret%40word@host/db"]}

    def _driver_missing(self):
        return {"urls": ["snowflake://user:secret%40word@account/db"]}

    def _mysql_missing(self):
        return {"urls": ["mariadb://user:secret%40word@host/db"]}

    def _nats_unreachable(self):
        return {"server": f"nats://{self.closed}"}

    def _nats_silent(self):
        return {"server": f"nats://{self.silent}"}

    def _database_unreachable(self):
        return {"urls": [f"postgresql://eds:secret%40word@{self.closed}/db"]}

    def _database_silent(self):
        return {"urls": [f"postgresql://eds:secret%40word@{self.silent}/db"]}

    def _password_wrong(self):
        return {"urls": [self.postgres.replace("secret", "wrong-secret")]}

    def _database_missing(self):
        return {"urls": [self.postgres + "x"]}

    def _privilege_missing(self):
        return {"urls": [self.poor]}

    def _url_no_url(self):
        return {"urls": ["shop.db"]}

    def _url_bad_port(self):
        return {"urls": ["postgresql://eds:secret%40word@host:port/db"]}

    def _url_bad_parameter(self):
        return {"urls": [self.postgres + "?sslmode=sometimes"]}

    def _sqlite_no_directory(self):
        return {"urls": [f"sqlite:///{self.directory / 'no' / 'shop.db'}"]}

    def _sqlite_no_database(self):
        return {"urls": [f"sqlite:///{self.file('text.db', 'no database' * 99)}"]}

    def _sqlite_memory(self):
        return {"urls": ["sqlite:///:memory:"]}

    def _start_time_bad(self):
        return {"args": ["--consumer-start-time", "yesterday"]}

    def _start_time_long(self):
        return {"args": ["--consumer-start-time", "169h"]}

    def _prefix_bad(self):
        return {"args": ["--consumer-prefix", "a.b"]}

    def _verbose_and_silent(self):
        return {"args": ["--verbose", "--silent"]}

    def _option_unknown(self):
        return {"args": ["--wat"]}

    def _dump_dir_a_file(self):
        return {"args": ["--dump-dir", self.file("file", "")]}

    def _server_no_url(self):
        return {"server": "nats://user:secret%40word@[::1"}

    def _server_a_web_page(self):
        return {"server": "https://user:secret%40word@host"}


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
    assert seconds < 20  # 10 to connect, the rest is a busy machine's


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
