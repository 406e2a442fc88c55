"""The consent page of Login with Amazon: one button. Source: acd-api §2.2."""

import html
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from runner.emulator.answers import Answer
from runner.emulator.oauth import Tokens, oauth_error
from runner.emulator.paging import sign

_KEPT = ("client_id", "redirect_uri", "response_type", "scope", "state")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Cloud Drive emulator</title></head>
<body><h1>Cloud Drive emulator</h1>
<p><b>{client}</b> asks for access to this drive: {scope}.</p>
<form method="post" action="/ap/oa">{fields}<button type="submit">Allow</button></form>
</body></html>
"""
_NO_FRAMES = {"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def ask(params: Mapping[str, str], secret: bytes) -> Answer:
    """Return the page; its form carries the request and a mark that only this server can make."""
    _check(params)
    kept = {name: params[name] for name in _KEPT if name in params}
    fields = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
        for name, value in [*kept.items(), ("mark", _mark(params, secret))]
    )
    page = _PAGE.format(
        client=html.escape(params["client_id"]), scope=html.escape(_scope(params)), fields=fields
    )
    return Answer(200, page.encode(), {"Content-Type": "text/html; charset=utf-8", **_NO_FRAMES})


async def allow(params: Mapping[str, str], tokens: Tokens, secret: bytes | None) -> Answer:
    """Send the browser back with a code, or with a token for the implicit grant.

    secret: to check the page's mark with; None when no page was shown.
    """
    _check(params)
    if secret is not None and params.get("mark") != _mark(params, secret):
        raise oauth_error(400, "invalid_request", "The page is not one of this server")
    redirect, scope, client = params["redirect_uri"], _scope(params), params["client_id"]
    back = {"state": params["state"]} if "state" in params else {}
    if params["response_type"] == "token":
        made = await tokens.pair(client, scope)
        fragment = {
            "access_token": made["access_token"],
            "token_type": "bearer",
            "expires_in": made["expires_in"],
        }
        return _redirect(redirect.partition("#")[0] + "#" + urlencode(fragment | {"scope": scope} | back))
    code = await tokens.code(client, scope, redirect)
    mark = "&" if urlsplit(redirect).query else "?"
    return _redirect(redirect.partition("#")[0] + mark + urlencode({"code": code, "scope": scope} | back))


def _redirect(url: str) -> Answer:
    return Answer(302, b"", {"Location": url, **_NO_FRAMES})


def _scope(params: Mapping[str, str]) -> str:
    return " ".join(params.get("scope", "").split()) or "clouddrive:read_all clouddrive:write"


def _mark(params: Mapping[str, str], secret: bytes) -> str:
    return sign(secret, "consent", "\0".join(params.get(name, "") for name in _KEPT))


def _check(params: Mapping[str, str]) -> None:
    redirect = params.get("redirect_uri", "")
    try:
        parts = urlsplit(redirect)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if (
        not good
        or not redirect.isascii()
        or not redirect.isprintable()
        or " " in redirect
        or len(redirect) > 2000
    ):
        raise oauth_error(400, "invalid_request", "redirect_uri must be an http or https URL")
    if not params.get("client_id") or len(params["client_id"]) > 500:
        raise oauth_error(400, "invalid_request", "client_id is required")
    if params.get("response_type") not in ("code", "token"):
        raise oauth_error(400, "unsupported_response_type", "response_type must be code or token")
