"""Calls on the metadata of nodes. Source: acd-api §7, §9 and §10."""

from collections.abc import Callable

from runner.emulator import changes, downloads, listing, nodes, parents, properties
from runner.emulator.answers import Answer, Json, front, json_answer, refused
from runner.emulator.call import Call
from runner.emulator.database import Transaction
from runner.emulator.patch import change
from runner.emulator.routing import Route


async def list_nodes(call: Call) -> Answer:
    """List all nodes that a filter matches."""
    return await _list(call)


async def list_children(call: Call) -> Answer:
    """List the nodes of one folder."""
    return await _list(call, parent=call.names["id"])


async def list_trash(call: Call) -> Answer:
    """List the nodes in the trash."""
    return await _list(call, trashed=True)


async def get_node(call: Call) -> Answer:
    """Show one node, trashed or not."""
    node = nodes.show(nodes.find(call.emulator.database.near, call.names["id"]))
    return json_answer(200, _with_extras(call, node))


async def create_folder(call: Call) -> Answer:
    """Make a folder."""
    body = await call.json()
    if body.get("kind") != "FOLDER":
        raise refused(400, "kind must be FOLDER")
    local_id = call.params.get("localId", "")

    def create(tx: Transaction) -> nodes.Row:
        kept = properties.check(body.get("properties"), call.author)
        return nodes.make(
            tx, "FOLDER", body, call.author, local_id=local_id, lag_ms=call.lag_ms, properties=kept
        )

    return await _write(call, create, status=201)


async def patch_node(call: Call) -> Answer:
    """Change name, labels, description or parents."""
    body = await call.json()
    return await _write(call, lambda tx: change(tx, call.names["id"], body, call.lag_ms))


async def add_parent(call: Call) -> Answer:
    """Put a node into one more folder."""
    return await _write(
        call, lambda tx: parents.add_parent(tx, call.names["id"], call.names["child"], call.lag_ms)
    )


async def remove_parent(call: Call) -> Answer:
    """Take a node out of a folder."""
    return await _write(
        call, lambda tx: parents.remove_parent(tx, call.names["id"], call.names["child"], call.lag_ms)
    )


async def replace_parent(call: Call) -> Answer:
    """Move a node from one folder to another."""
    body = await call.json()
    return await _write(call, lambda tx: parents.replace_parent(tx, call.names["id"], body, call.lag_ms))


async def delete_node(call: Call) -> Answer:
    """Refuse: apps may not purge (acd-api §7.9)."""
    raise front(403, "Insufficient permissions granted for operation: purgeNode")


async def trash_node(call: Call) -> Answer:
    """Move a node to the trash; a body, if there is one, means nothing."""
    return await _write(call, lambda tx: nodes.trash(tx, call.names["id"], call.lag_ms))


async def restore_node(call: Call) -> Answer:
    """Bring a node back from the trash."""
    return await _write(call, lambda tx: nodes.restore(tx, call.names["id"], call.lag_ms))


async def feed(call: Call) -> Answer:
    """Stream what has changed."""
    database = call.emulator.database
    newest = database.near.execute("SELECT max(seq) FROM node").fetchone()[0]
    wish = changes.read_wish(await call.json(), database.secret, newest)
    return Answer(200, changes.stream(database, wish), {"Content-Type": "application/json"})


async def put_property(call: Call) -> Answer:
    """Set one property of a node."""
    value = (await call.json()).get("value")
    node_id, owner, key = call.names["id"], call.names["owner"], call.names["key"]
    await call.emulator.database.write(
        lambda tx: properties.put(tx, node_id, owner, key, value, author=call.author, lag_ms=call.lag_ms)
    )
    return json_answer(201, _property(call, str(value)))


async def get_property(call: Call) -> Answer:
    """Show one property of a node."""
    db = call.emulator.database.near
    return json_answer(
        200, _property(call, properties.get(db, call.names["id"], call.names["owner"], call.names["key"]))
    )


async def list_properties(call: Call) -> Answer:
    """Show the properties that one owner gave a node."""
    found = properties.of(call.emulator.database.near, call.names["id"], call.names["owner"])
    return json_answer(200, {"count": len(found), "data": found})


async def delete_property(call: Call) -> Answer:
    """Remove one property of a node."""
    node_id, owner, key = call.names["id"], call.names["owner"], call.names["key"]
    await call.emulator.database.write(
        lambda tx: properties.remove(tx, node_id, owner, key, author=call.author, lag_ms=call.lag_ms)
    )
    return Answer(204)


async def _list(call: Call, parent: str | None = None, trashed: bool = False) -> Answer:
    database = call.emulator.database
    now = database.clock()
    query = listing.read_query(call.params, database.secret, now, parent, trashed)
    page = await database.read(lambda db: listing.list_page(db, query, database.root, database.secret, now))
    page["data"] = [_with_extras(call, node) for node in page["data"]]
    return json_answer(200, page)


async def _write(call: Call, change: Callable[[Transaction], nodes.Row], status: int = 200) -> Answer:
    row = await call.emulator.database.write(change)
    return json_answer(status, nodes.show(row))


def _with_extras(call: Call, node: Json) -> Json:
    if node["kind"] == "FILE":
        if call.params.get("tempLink") == "true":
            database = call.emulator.database
            node["tempLink"] = downloads.temp_link(call.base, database.secret, node["id"], database.clock())
        if call.params.get("asset") == "ALL":
            node["assets"] = []
    return node


def _property(call: Call, value: str) -> Json:
    node_id, owner, key = call.names["id"], call.names["owner"], call.names["key"]
    location = f"{call.base}drive/v1/nodes/{node_id}/properties/{owner}/{key}"
    return {"key": key, "value": value, "location": location}


_NODE = "/drive/v1/nodes/{id}"
ROUTES = [
    Route("GET", "/drive/v1/nodes", "read", list_nodes),
    Route("POST", "/drive/v1/nodes", "write", create_folder),
    Route("GET", _NODE, "read", get_node),
    Route("PATCH", _NODE, "write", patch_node),
    Route("DELETE", _NODE, "write", delete_node),
    Route("GET", f"{_NODE}/children", "read", list_children),
    Route("POST", f"{_NODE}/children", "write", replace_parent),
    Route("PUT", f"{_NODE}/children/{{child}}", "write", add_parent),
    Route("DELETE", f"{_NODE}/children/{{child}}", "write", remove_parent),
    Route("GET", f"{_NODE}/properties/{{owner}}", "read", list_properties),
    Route("GET", f"{_NODE}/properties/{{owner}}/{{key}}", "read", get_property),
    Route("PUT", f"{_NODE}/properties/{{owner}}/{{key}}", "write", put_property),
    Route("DELETE", f"{_NODE}/properties/{{owner}}/{{key}}", "write", delete_property),
    Route("GET", "/drive/v1/trash", "read", list_trash),
    Route("PUT", "/drive/v1/trash/{id}", "write", trash_node),
    Route("POST", "/drive/v1/trash/{id}/restore", "write", restore_node),
    Route("POST", "/drive/v1/changes", "read", feed),
]
