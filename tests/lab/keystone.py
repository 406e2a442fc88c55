"""A small stand-in for Keystone's identity API v3, as a filter in front of Swift. Part of `swift_server.py`'s program.

Written from the public description of `POST /v3/auth/tokens`: a password with a project for its scope, or an
application credential, is answered with 201, the token in `X-Subject-Token` and the catalog in the body. The tokens
are those of Swift's own TempAuth, which is asked behind it. There are one domain (id `default`, name `Default`), the
project `test` (id `p-test`), the user `tester` (id `u-tester`) with the password `testing`, and its application
credential `cred-1` (named `nightly`, secret `cred-secret`). The catalog has two regions and three interfaces, of which
only `public` in `RegionOne` and `internal` in `RegionTwo` lead to a storage that is there.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

_DOMAIN = {"id": "default", "name": "Default"}
_PASSWORD = "testing"
_CREDENTIAL = {"id": "cred-1", "name": "nightly", "secret": "cred-secret"}
_DAY = "2099-01-01T00:00:00.000000Z"

Start = Callable[..., Any]


class Refused(Exception):
    """The identity that was given is none."""


def _named(given: Any, id_: str, name: str, *, domain: bool = True) -> None:
    """Does it name this one, by its id or by its name and domain?"""
    if given.get("id") == id_:
        return
    if given.get("name") != name:
        raise Refused
    if domain and not (given["domain"].get("id") == "default" or given["domain"].get("name") == "Default"):
        raise Refused


def _check(auth: dict[str, Any]) -> str:
    """The method, once the identity is found right."""
    identity = auth["identity"]
    (method,) = identity["methods"]
    if method == "password":
        user = identity["password"]["user"]
        _named(user, "u-tester", "tester")
        if user["password"] != _PASSWORD:
            raise Refused
        _named(auth["scope"]["project"], "p-test", "test")
    elif method == "application_credential":
        if "scope" in auth:
            raise KeyError("a credential has its own scope")
        given = identity["application_credential"]
        if "id" in given:
            _named(given, _CREDENTIAL["id"], "", domain=False)
        else:
            _named(given, "", _CREDENTIAL["name"], domain=False)
            _named(given["user"], "u-tester", "tester")
        if given["secret"] != _CREDENTIAL["secret"]:
            raise Refused
    else:
        raise Refused
    return str(method)


def _catalog(storage: str) -> list[dict[str, Any]]:
    nowhere = "http://127.0.0.1:9/v1/none"
    places = [
        ("RegionOne", "public", storage), ("RegionOne", "internal", nowhere), ("RegionOne", "admin", nowhere),
        ("RegionTwo", "public", nowhere), ("RegionTwo", "internal", storage),
    ]  # fmt: skip
    ends = [{"id": f"{region}-{face}", "region": region, "region_id": region, "interface": face, "url": url}
            for region, face, url in places]  # fmt: skip
    return [
        {"type": "identity", "name": "keystone", "id": "1", "endpoints": []},
        {"type": "object-store", "name": "swift", "id": "2", "endpoints": ends},
    ]


def identity(global_conf: Any, **local_conf: Any) -> Any:
    """The filter."""

    def wrap(app: Any) -> Any:
        def run(env: dict[str, Any], start: Start) -> Iterable[bytes]:
            if not env.get("PATH_INFO", "").startswith("/v3"):
                result: Iterable[bytes] = app(env, start)
                return result
            if (env["PATH_INFO"], env["REQUEST_METHOD"]) != ("/v3/auth/tokens", "POST"):
                return _answer(start, "404 Not Found", {})
            try:
                auth = json.loads(env["wsgi.input"].read(int(env["CONTENT_LENGTH"])))["auth"]
                method = _check(auth)
            except Refused:
                return _answer(start, "401 Unauthorized", _complaint(401, "Unauthorized"))
            except (KeyError, ValueError, TypeError, AttributeError):
                return _answer(start, "400 Bad Request", _complaint(400, "Bad Request"))
            headers = _tempauth(app, env)
            token = {
                "methods": [method], "expires_at": _DAY,
                "user": {"id": "u-tester", "name": "tester", "domain": _DOMAIN},
                "project": {"id": "p-test", "name": "test", "domain": _DOMAIN},
                "catalog": _catalog(headers["x-storage-url"]),
            }  # fmt: skip
            more = [("X-Subject-Token", headers["x-auth-token"])]
            return _answer(start, "201 Created", {"token": token}, more)

        return run

    return wrap


def _complaint(code: int, title: str) -> dict[str, Any]:
    return {"error": {"code": code, "title": title, "message": title}}


def _tempauth(app: Any, env: dict[str, Any]) -> dict[str, str]:
    """What TempAuth says to the same user."""
    got: dict[str, str] = {}

    def note(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        got.update((name.lower(), value) for name, value in headers)

    inner = {name: value for name, value in env.items() if not name.startswith(("HTTP_X_", "CONTENT_"))}
    inner.update(REQUEST_METHOD="GET", PATH_INFO="/auth/v1.0", QUERY_STRING="",
                 HTTP_X_AUTH_USER="test:tester", HTTP_X_AUTH_KEY=_PASSWORD)  # fmt: skip
    list(app(inner, note))
    return got


def _answer(start: Start, status: str, body: object, more: Iterable[tuple[str, str]] = ()) -> list[bytes]:
    data = json.dumps(body).encode()
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(data))), *more])
    return [data]
