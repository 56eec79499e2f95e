"""fakesnow's server, with what the connector's 5th generation expects besides.

A program for an environment of its own, as fakesnow needs an older connector than
the driver: ``python fakesnow_server.py PORT``. Knows nothing of EDS.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import duckdb
import pyarrow as pa
import uvicorn
from fakesnow import arrow, info_schema
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.server import routes as fakesnow_routes
from fakesnow.server import to_conn, to_token
from snowflake.connector.errors import ProgrammingError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Answer = Callable[[Request], Awaitable[Response]]

_REFUSED = re.compile(r"refused_(\d+)", re.IGNORECASE)
_PASSWORD = "secret@word"
_COMMITS = ("CREATE ", "ALTER TABLE ", "DROP ")
_FOUR_HOURS = 4 * 60 * 60
_sessions = count(1)
_NOT_THERE = "NOT_THERE"  # a warehouse: who asks for it has none, as with Snowflake
_without_warehouse: set[str] = set()  # tokens


def login(answer: Answer) -> Answer:
    """With a master token, how long tokens live, and the session's number.

    A user called ``refused_390100`` is refused with that number, and a password that
    is not the one there is with the number that Snowflake has for it.
    """

    async def more(request: Request) -> Response:
        asked = json.loads(await _plain(request))["data"]
        refused = _REFUSED.fullmatch(asked["LOGIN_NAME"])
        if refused or asked.get("PASSWORD", _PASSWORD) != _PASSWORD:
            number = refused[1] if refused else "390100"
            return _failure(number, "Incorrect username or password was specified.")
        body = _body(await answer(request))
        if body["success"]:
            if request.query_params.get("warehouse") == _NOT_THERE:
                _without_warehouse.add(body["data"]["token"])
            body["data"] |= {
                "masterToken": f"master {body['data']['token']}",
                "validityInSeconds": _FOUR_HOURS,
                "masterValidityInSeconds": _FOUR_HOURS,
                "sessionId": next(_sessions),
            }
        return JSONResponse(body)

    return more


def query(answer: Answer) -> Answer:
    """Statements that fakesnow lacks; a PUT with Google's storage described whole.

    After ``EXPIRE``, the session's tokens have expired.
    """
    expired: set[str] = set()

    async def more(request: Request) -> Response:
        token, text = to_token(request), await _rewrite(request)
        if text == "EXPIRE":
            expired.add(token)
        if token in expired:
            return await renew(request)
        plain = await answer(request)
        body = _body(plain)
        data = body.get("data") or {}
        if info := data.get("stageInfo"):
            if data.get("autoCompress"):
                info["presignedUrl"] += ".gz"
            info["presignedUrl"] += "?X-Goog-SignedHeaders=host"
            info["region"] = "local"
            data["overwrite"] = "OVERWRITE=TRUE" in text
        return JSONResponse(body, plain.status_code)

    return more


async def renew(_request: Request) -> Response:
    """No token is ever renewed: the user has to log in again."""
    return _failure("390114", "Authentication token has expired.")


def _failure(code: str, message: str) -> Response:
    body = {"data": {}, "code": code, "message": message, "success": False}
    return JSONResponse(body)


async def _plain(request: Request) -> bytes:
    data = await request.body()
    zipped = request.headers.get("Content-Encoding") == "gzip"
    return gzip.decompress(data) if zipped else data


async def _rewrite(request: Request) -> str:
    """Put in what fakesnow has not: a warehouse, settings of the session.

    And what makes or alters something commits first, as it does in Snowflake.
    """
    asked = json.loads(await _plain(request))
    warehouse = "NULL" if to_token(request) in _without_warehouse else "'EMULATED'"
    text = asked["sqlText"].replace("CURRENT_WAREHOUSE()", warehouse)
    if text.startswith("ALTER SESSION SET"):
        text = "SELECT 'Statement executed successfully.'"
    if text.startswith(_COMMITS):
        to_conn(to_token(request)).commit()
    data = json.dumps(asked | {"sqlText": text}).encode()
    zipped = request.headers.get("Content-Encoding") == "gzip"
    request._body = gzip.compress(data, 1) if zipped else data
    return text


async def telemetry(_request: Request) -> Response:
    return JSONResponse({"success": True, "data": None})


def _body(response: Response) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(bytes(response.body))
    return body


_MORE = {
    "/session/v1/login-request": login,
    "/queries/v1/query-request": query,
}


def app() -> Starlette:
    routes = [
        Route(
            route.path,
            _MORE.get(route.path, _as_it_is)(route.endpoint),
            methods=sorted(route.methods or ()),
        )
        for route in fakesnow_routes
    ]
    return Starlette(
        routes=[*routes, Route("/telemetry/send", telemetry, methods=["POST"])]
    )


def _as_it_is(answer: Answer) -> Answer:
    return answer


def mend() -> None:
    """Faults of fakesnow that have nothing to do with what is tested.

    DuckDB writes to one database in a transaction, and comments are in another. A
    point in time that is NULL is sent without saying so. Two errors have no number:
    one of a column that is NOT NULL; and where Snowflake waits for a lock, DuckDB
    fails at once, as if the wait had been too long.
    """
    FakeSnowflakeCursor.execute = numbered(FakeSnowflakeCursor.execute)
    info_schema.insert_table_comment_sql = lambda *_: "SELECT 1"
    plain = arrow.timestamp_to_sf_struct

    def nullable(moments: pa.ChunkedArray) -> pa.StructArray:
        array = moments.combine_chunks()
        whole = plain(array.fill_null(0))
        return pa.StructArray.from_arrays(
            whole.flatten(), fields=list(whole.type), mask=array.is_null()
        )

    arrow.timestamp_to_sf_struct = nullable


def numbered(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Give the number that Snowflake has to what fakesnow lets through."""

    def run(*args: Any, **options: Any) -> Any:
        try:
            return execute(*args, **options)
        except (duckdb.ConstraintException, duckdb.TransactionException) as error:
            # A key that is there twice is a conflict, too: EDS merges by key.
            is_null = "NOT NULL" in str(error)
            number, state = (100072, "22000") if is_null else (625, "57014")
            raise ProgrammingError(
                msg=str(error), errno=number, sqlstate=state
            ) from error

    return run


if __name__ == "__main__":
    mend()
    uvicorn.run(app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="info")
