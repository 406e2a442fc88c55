"""Downloads: whole files, ranges, and links that need no token. Source: acd-api §8.3 and §8.4."""

import hmac
import io
import re
import sqlite3
from urllib.parse import quote

from runner.emulator.answers import Answer, FileSlice, front, json_answer, refused
from runner.emulator.paging import sign
from runner.emulator.shelf import Shelf

LINK_LIFE_MS = 6 * 60 * 60 * 1000
_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})", re.ASCII | re.IGNORECASE)


def download(row: sqlite3.Row, shelf: Shelf, range_header: str | None) -> Answer:
    """Answer with the content of a file, or a range of it.

    A satisfiable range is 206 even if it covers everything; one that starts at or beyond the end is 416;
    one that is not understood, several at once among them, is ignored as HTTP allows.
    Raises FileNotFoundError when an overwrite came between: read the row again then.
    """
    if row["kind"] != "FILE":
        raise refused(400, f"Node {row['id']} is not a file")
    size: int = row["size"]
    headers = {
        "Content-Type": header_text(row["content_type"]),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row['name'], safe='')}",
        "Accept-Ranges": "bytes",
    }
    wanted = _RANGE.fullmatch(range_header.strip()) if range_header else None
    if wanted is None or wanted[0] == "" or (wanted[1] == "" and wanted[2] == ""):
        return Answer(200, _slice(row, shelf, 0, size), headers)
    if wanted[1] == "":
        start, end = max(0, size - int(wanted[2])), size
    else:
        start, end = int(wanted[1]), size if wanted[2] == "" else min(size, int(wanted[2]) + 1)
        if wanted[2] != "" and int(wanted[2]) < start:
            return Answer(200, _slice(row, shelf, 0, size), headers)
    if start >= size:
        answer = json_answer(416, {"message": "The requested range is not satisfiable"})
        answer.headers |= {"Content-Range": f"bytes */{size}"}
        return answer
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return Answer(206, _slice(row, shelf, start, end - start), headers)


def temp_link(base: str, secret: bytes, node_id: str, now_ms: int) -> str:
    """Return a URL from which anybody may read a file for six hours."""
    until = now_ms + LINK_LIFE_MS
    return f"{base}templink/{node_id}/{until}/{sign(secret, 'templink', f'{node_id}.{until}')}"


def check_link(secret: bytes, node_id: str, until: str, mark: str, now_ms: int) -> None:
    """Raise Refused 403 for a link that is forged or has expired."""
    good = sign(secret, "templink", f"{node_id}.{until}")
    if not hmac.compare_digest(mark.encode(), good.encode()) or int(until) < now_ms:
        raise front(403, "Request has expired")


def _slice(row: sqlite3.Row, shelf: Shelf, start: int, length: int) -> FileSlice:
    return FileSlice(io.FileIO(shelf.path(f"{row['id']}.{row['content_version']}")), start, length)


def header_text(value: str) -> str:
    """Return a value that may stand in a header; anything doubtful becomes the type of plain bytes."""
    return value if value.isascii() and value.isprintable() else "application/octet-stream"
