"""Which tables and columns reach the destination."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest
from click.testing import CliRunner

from eds_core.cli import main
from eds_core.errors import ConfigError, TransientError
from eds_core.policy import Action, Policy, Rule, parse_rule
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.transforms import find_transforms

CUSTOMER = TableSchema(
    "customer",
    "m1",
    (
        Column("id", ColumnType.TEXT),
        Column("companyId", ColumnType.TEXT),
        Column("email", ColumnType.TEXT),
        Column("emails", ColumnType.JSON),
        Column("visits", ColumnType.INTEGER),
    ),
    ("id",),
)
ROW = {
    "id": "1",
    "companyId": "c",
    "email": "ada@example.com",
    "emails": ["a", {"b": 1}],
    "visits": 7,
    "private": "p",
}


def policy(*rules, **others):
    parsed = tuple(parse_rule(Action(name), text) for name, text in rules)
    return Policy(rules=parsed, salt=b"0123456789abcdef", **others)


def written(*rules, row=None, table=CUSTOMER):
    """The columns that are written of a row, and what they hold."""
    transform = find_transforms(policy(*rules).plugins()).of(table)
    tokens = {n: msgspec.Raw(json.dumps(v).encode()) for n, v in (row or ROW).items()}
    changed = transform.change(tokens) if transform.change else tokens
    values = {name: json.loads(bytes(token)) for name, token in changed.items()}
    return transform.table.types, values


def test_an_excluded_column_is_neither_in_the_table_nor_in_the_row():
    types, values = written(("exclude", "customer.email"))

    assert [*types] == ["id", "companyId", "emails", "visits"]
    assert values == {name: ROW[name] for name in ROW if name != "email"}


def test_a_hashed_column_is_text():
    types, values = written(("hash", "customer.visits"), ("hash", "*.emails"))

    assert types["visits"] is types["emails"] is ColumnType.TEXT
    assert len(values["visits"]) == len(values["emails"]) == 80
    assert values["email"] == ROW["email"]


def test_a_redacted_column_keeps_its_type():
    types, values = written(
        *(("redact", f"customer.{n}") for n in ("email*", "visits", "private"))
    )

    assert types == CUSTOMER.types
    assert values["email"] == values["emails"] == values["private"] == "[redacted]"
    assert values["visits"] is None


def test_null_stays_null():
    row = dict.fromkeys(ROW) | {"id": "1"}

    for action in ("hash", "redact"):
        assert written((action, "*.*"), row=row)[1] == row


def test_of_several_actions_the_one_that_tells_least_is_taken():
    rules = [("hash", "*.*"), ("redact", "customer.email*"), ("exclude", "*.email")]
    _, values = written(*rules)

    assert "email" not in values
    assert values["emails"] == "[redacted]"
    assert len(values["private"]) == 80


def test_upper_and_lower_case_are_the_same():
    _, values = written(("redact", "CUSTOMER.EMAIL"))

    assert values["email"] == "[redacted]"


def test_a_pattern_leaves_alone_what_eds_itself_goes_by():
    _, values = written(("exclude", "*.*"))

    assert values == {"id": "1", "companyId": "c"}


@pytest.mark.parametrize("column", ["id", "companyId", "ID"])
def test_who_names_a_column_that_has_to_stay_is_told(column):
    with pytest.raises(ConfigError, match="has to stay") as caught:
        written(("hash", f"customer.{column}"))

    assert f"--hash-column customer.{column}" in str(caught.value)


def test_a_row_twice_changed_is_as_once():
    rules = [("hash", "*.email*"), ("redact", "*.visits"), ("exclude", "*.private")]
    types, once = written(*rules)
    table = TableSchema(
        "customer", "m1", tuple(Column(n, t) for n, t in types.items()), ("id",)
    )

    assert written(*rules, row=once, table=table) == (types, once)


def test_another_table_is_left_alone():
    transforms = find_transforms(policy(("hash", "order.*")).plugins())

    assert transforms.of(CUSTOMER).table is CUSTOMER
    assert transforms.of(CUSTOMER).change is None


@pytest.mark.parametrize(
    ("only", "leaves_out", "dropped"),
    [
        (("order",), (), {"customer", "order_signed_invoice"}),
        (("order*",), (), {"customer"}),
        ((), ("cust*",), {"customer"}),
        (("order*",), ("order_*",), {"customer", "order_signed_invoice"}),
        (("ORDER",), (), {"customer", "order_signed_invoice"}),
    ],
)
def test_tables_are_left_out(only, leaves_out, dropped):
    transforms = find_transforms(policy(only=only, leaves_out=leaves_out).plugins())
    tables = ("order", "customer", "order_signed_invoice")

    assert {table for table in tables if transforms.drops(table)} == dropped
    assert not transforms.changes


def check(found, ask=None, caplog=None):
    async def known(table):
        return {"customer": CUSTOMER}.get(table)

    with caplog.at_level("INFO", "eds"):
        asyncio.run(found.check(ask or known))
    told = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    caplog.clear()
    return told


def test_names_that_there_are_not_are_told_with_those_near_them(caplog):
    found = policy(
        ("redact", "custmer.email"),
        ("redact", "customer.emial"),
        only=("odrer", "customer"),
        leaves_out=("x*y",),
    )

    none = "there is no such table"
    column = "there is no such column in customer"
    assert check(found, caplog=caplog) == [
        f"--only odrer: {none}; there is order",
        f"--except x*y: {none}",
        f"--redact-column custmer.email: {none}; there is customer, user",
        f"--redact-column customer.emial: {column}; there is email, emails",
    ]


def test_names_that_there_are_are_not_told(caplog):
    found = policy(("redact", "customer.*"), ("hash", "*.email"), only=("c*",))

    assert check(found, caplog=caplog) == []


def test_a_column_that_has_to_stay_is_told_at_the_start(caplog):
    with pytest.raises(ConfigError, match="customer has to stay"):
        check(policy(("hash", "customer.id")), caplog=caplog)


def test_nobody_who_answers_is_no_reason_to_warn_of_names(caplog):
    async def refuses(table):
        raise TransientError("no answer")

    async def waits(table):
        await asyncio.sleep(3600)

    found = policy(("redact", "customer.nothing"), only=("customer",))

    assert check(found, refuses, caplog) == []
    assert "not checked" in check(found, waits, caplog)[0]


def test_without_a_service_only_tables_are_checked(caplog):
    found = policy(("redact", "customer.nothing"), only=("custmer",))
    with caplog.at_level("INFO", "eds"):
        asyncio.run(found.check(None))

    assert caplog.messages == [
        f"in force: {found}",
        "--only custmer: there is no such table; there is customer, user",
    ]


def eds(*arguments, env=None):
    # a server's options are read before the credentials, and these are missing
    command = ["--creds", "missing.creds", "sqlite:///shop.db", *map(str, arguments)]
    return CliRunner().invoke(main, command, env=env)


@pytest.mark.parametrize(
    ("arguments", "env", "told"),
    [
        (["--redact-column", "email"], {}, "'email' is not TABLE.COLUMN"),
        (["--redact-column", "a.b.c"], {}, "names have letters"),
        (["--only", "a;b"], {}, "names have letters"),
        (["--hash-column", "a.b"], {}, "neither of --hash-salt-file and EDS_HASH_SALT"),
        (["--hash-column", "a.b"], {"EDS_HASH_SALT": "short"}, "shorter than 16"),
        (["--hash-column", "a.b", "--hash-salt-file", "no"], {}, "cannot read"),
        (
            ["--hash-column", "a.b", "--hash-salt-file", "no"],
            {"EDS_HASH_SALT": "0123456789abcdef"},
            "both of --hash-salt-file",
        ),
        ([], {"EDS_HASH_COLUMN": "a.b"}, "neither of"),
        (["--hash-column", "a.b"], {"EDS_HASH_SALT": "0123456789abcdef"}, "missing."),
        (["--only", "a,b*", "--except", "c"], {}, "missing.creds"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_told(arguments, env, told):
    result = eds(*arguments, env=env)

    assert result.exit_code == 2
    assert told in result.output
    assert "0123456789abcdef" not in result.output


def test_a_secret_that_others_can_read_is_told(tmp_path):
    path = tmp_path / "salt"
    path.write_text("0123456789abcdef\n")
    path.chmod(0o644)

    result = eds("--hash-column", "a.b", "--hash-salt-file", path)

    assert f"others can read {path} (mode 0644)" in result.output.replace("\n", " ")
    assert "missing.creds" in result.output  # it is read, and goes on
    path.chmod(0o600)
    assert "others" not in eds("--hash-column", "a.b", "--hash-salt-file", path).output


def test_the_secret_is_in_no_repr():
    assert "0123456789abcdef" not in repr(policy(("hash", "a.b")))
    assert str(Rule(Action.HASH, "a", "b")) == "--hash-column a.b"
