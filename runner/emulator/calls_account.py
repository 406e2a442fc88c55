"""Calls about the account, discovery among them. Source: acd-api §1 and §6."""

import sqlite3

from runner.emulator.answers import Answer, Json, json_answer
from runner.emulator.call import Call
from runner.emulator.nodes import iso
from runner.emulator.routing import Route

_KINDS = {"image": "photo", "video": "video", "text": "doc"}
_DOCUMENTS = ("application/pdf", "application/msword", "application/vnd.")


async def endpoint(call: Call) -> Answer:
    """Answer discovery with the address under which this server was reached."""
    base = call.base
    return json_answer(
        200,
        {"contentUrl": f"{base}cdproxy/", "customerExists": True, "metadataUrl": f"{base}drive/v1/"},
    )


async def info(call: Call) -> Answer:
    """Answer that the account is in order."""
    return json_answer(200, {"termsOfUse": "1.0.0", "status": "ACTIVE"})


async def quota(call: Call) -> Answer:
    """Answer with the bytes there are and the bytes left; the trash counts as used."""
    database, most = call.emulator.database, call.emulator.quota
    body = {"quota": most, "available": max(0, most - database.used), "lastCalculated": iso(database.clock())}
    return json_answer(200, body)


async def usage(call: Call) -> Answer:
    """Answer with bytes and counts by kind of file."""
    sql = "SELECT content_type, count(*), sum(size) FROM node WHERE kind = 'FILE' GROUP BY content_type"

    def read(db: sqlite3.Connection) -> list[tuple[str, int, int]]:
        return [tuple(row) for row in db.execute(sql)]

    sums = {kind: {"bytes": 0, "count": 0} for kind in ("other", "doc", "photo", "video")}
    for content_type, count, size in await call.emulator.database.read(read):
        kind = _KINDS.get(content_type.partition("/")[0], "other")
        if content_type.startswith(_DOCUMENTS):
            kind = "doc"
        sums[kind]["bytes"] += size
        sums[kind]["count"] += count
    body: Json = {"lastCalculated": iso(call.emulator.database.clock())}
    return json_answer(
        200, body | {kind: {"total": entry, "billable": entry} for kind, entry in sums.items()}
    )


ROUTES = [
    Route("GET", "/drive/v1/account/endpoint", "read", endpoint),
    Route("GET", "/drive/v1/account/info", "read", info),
    Route("GET", "/drive/v1/account/quota", "read", quota),
    Route("GET", "/drive/v1/account/usage", "read", usage),
]
