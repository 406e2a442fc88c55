"""Calls on the content of files. Source: acd-api §8."""

from runner.emulator import downloads, uploads
from runner.emulator.answers import Answer, json_answer, unknown_node
from runner.emulator.call import Call
from runner.emulator.multipart import Upload, over_quota
from runner.emulator.nodes import find, show
from runner.emulator.routing import Route

# A multipart body is longer than its content by its boundaries, headers and metadata.
WRAPPING_BYTES = 2 << 20
# Up to this length a body has come before its metadata could be checked to spare it.
SHORT_BYTES = 256 << 10


async def upload(call: Call) -> Answer:
    """Make a file of a multipart body."""
    database = call.emulator.database
    dedup = call.params.get("suppress", "") != "deduplication"
    local_id = call.params.get("localId", "")
    arriving = _receive(call, metadata_first=True)
    length = call.request.content_length
    if length is not None and length <= SHORT_BYTES:
        await arriving.receive(call.body())
    else:
        await arriving.receive(
            call.body(), lambda body: uploads.check_early(database.near, database.root, body)
        )
    try:
        row = await database.write(
            lambda tx: uploads.create_file(
                tx,
                arriving,
                call.author,
                local_id=local_id,
                dedup=dedup,
                quota=call.emulator.quota,
                lag_ms=call.lag_ms,
                pending=call.rule is not None and call.rule.do == "pending",
            )
        )
    finally:
        arriving.discard()
    return json_answer(201, show(row))


async def overwrite(call: Call) -> Answer:
    """Give a file new content; the old stays readable until the new is whole."""
    database, node_id = call.emulator.database, call.names["id"]
    find(database.near, node_id)
    arriving = _receive(call, metadata_first=False)
    await arriving.receive(call.body())
    try:
        row = await database.write(
            lambda tx: uploads.overwrite_file(tx, arriving, node_id, call.emulator.quota, call.lag_ms)
        )
    finally:
        arriving.discard()
    return json_answer(200, show(row))


async def download(call: Call) -> Answer:
    """Send the content of a file, or a range of it."""
    return _content(call)


async def follow(call: Call) -> Answer:
    """Send the content behind a temporary link; no token is asked for."""
    database, names = call.emulator.database, call.names
    downloads.check_link(database.secret, names["id"], names["until"], names["mark"], database.clock())
    return _content(call)


def _receive(call: Call, metadata_first: bool) -> Upload:
    database = call.emulator.database
    left = max(0, call.emulator.quota - database.used)
    if metadata_first and (call.request.content_length or 0) > left + WRAPPING_BYTES:
        raise over_quota()
    kind = call.request.headers.get("Content-Type", "")
    return Upload(database.shelf, kind, metadata_first, left if metadata_first else call.emulator.quota)


def _content(call: Call) -> Answer:
    database, wanted = call.emulator.database, call.request.headers.get("Range")
    row = find(database.near, call.names["id"])
    if row["status"] == "PENDING":
        raise unknown_node(row["id"])  # its content is not complete
    while True:
        try:
            return downloads.download(row, database.shelf, wanted)
        except FileNotFoundError:
            newer = find(database.near, call.names["id"])
            if newer["content_version"] == row["content_version"]:
                raise
            row = newer


ROUTES = [
    Route("POST", "/cdproxy/nodes", "write", upload),
    Route("PUT", "/cdproxy/nodes/{id}/content", "write", overwrite),
    Route("GET", "/cdproxy/nodes/{id}/content", "read", download),
    Route("HEAD", "/cdproxy/nodes/{id}/content", "read", download),
    Route("GET", "/templink/{id}/{until}/{mark}", "open", follow),
    Route("HEAD", "/templink/{id}/{until}/{mark}", "open", follow),
]
