"""Command lines on which one thing is wrong each."""

import re
import time

import servers
from eds_core.sandbox import COMPANY, Keys, Permissions, issue_credentials


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
        return {"urls": ["bigquery://user:secret%40word@account/db"]}

    def _snowflake_no_schema(self):
        return {"urls": ["snowflake://user:secret%40word@account/db"]}

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
