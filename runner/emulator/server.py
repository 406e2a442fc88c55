"""The server: every request in, routed, checked, faulted, answered."""

import asyncio
import re
import sys
import traceback
from collections import Counter
from typing import Literal
from urllib.parse import unquote_plus

from aiohttp import web

from runner.emulator import calls_account, calls_admin, calls_content, calls_login, calls_nodes
from runner.emulator.answers import Answer, FileSlice, Refused, front, unknown_operation
from runner.emulator.call import Call, Cut
from runner.emulator.connection import Connection, HttpServer
from runner.emulator.database import Database
from runner.emulator.faults import Faults
from runner.emulator.oauth import Tokens
from runner.emulator.routing import Route, Router, split_target
from runner.emulator.sending import Reply, close, send
from runner.emulator.whole import Whole

LINE_BYTES = 64 << 10
HEADER_BYTES = 16 << 10
SHUTDOWN_S = 1.0
Consent = Literal["page", "auto"]
_MD5 = re.compile(rb'("md5":")([0-9a-f]{32})')
_OTHER_DIGITS = bytes.maketrans(b"0123456789abcdef", b"fedcba9876543210")


class Emulator:
    """All that the calls share: the store, the tokens, the faults, the counts."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        faults: Faults,
        *,
        consent: Consent,
        quota: int,
        latency_s: float = 0.0,
        verbose: bool = False,
    ) -> None:
        """Put the parts together; `quota` is in bytes."""
        self.database = database
        self.tokens = tokens
        self.faults = faults
        self.consent = consent
        self.quota = quota
        self.latency_s = latency_s
        self.verbose = verbose
        self.url = ""
        self.address = ("", 0)
        self.counts: Counter[str] = Counter()
        calls = (calls_account, calls_admin, calls_content, calls_login, calls_nodes)
        self._router = Router(route for module in calls for route in module.ROUTES)

    async def start(self, host: str, port: int) -> web.ServerRunner:
        """Listen; sets `url` and `address`. Raises OSError when the address cannot be had."""
        server = HttpServer(
            self,
            access_log=None,
            auto_decompress=False,
            max_line_size=LINE_BYTES,
            max_field_size=HEADER_BYTES,
        )
        runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        site = web.TCPSite(runner, host, port, backlog=1024)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self.address = runner.addresses[0][:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.address[1]}/"
        return runner

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever it is, the HTTP library's way."""
        try:
            connection = request.protocol
            assert isinstance(connection, Connection)
            reply, connection.prepared = connection.prepared, None
            if reply is None:
                reply = await self.reply(request)
            return await send(request, reply.answer, reply.rule)
        except Cut:
            close(request)
            return web.Response()
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception:
            traceback.print_exc(file=sys.stderr)
            if request.writer.output_size > 0:
                close(request)  # an answer was under way; the client must see that it is not whole
                return web.Response()
            return await send(request, front(500, "Internal failure").answer, None)

    async def reply(self, request: web.BaseRequest | Whole) -> Reply:
        """Return what to answer, and the fault in force; raises Cut, and ConnectionError for a lost one."""
        try:
            call, route = self._open(request)
            reply = Reply(await self._answer(call, route), call.rule)
        except Refused as refusal:
            reply = Reply(refusal.answer, None)
        except (Cut, ConnectionError):
            raise
        except Exception:
            traceback.print_exc(file=sys.stderr)
            reply = Reply(front(500, "Internal failure").answer, None)
        finally:
            if self.verbose:
                sys.stderr.write(f"{request.method} {request.raw_path.partition('?')[0]}\n")
        if self.latency_s and not request.raw_path.startswith("/admin/"):
            await asyncio.sleep(self.latency_s)
        return reply

    def _open(self, request: web.BaseRequest | Whole) -> tuple[Call, Route]:
        """Find the route of a request, count it, pick its fault; raises Refused 400, 404 or 405."""
        try:
            words, query = split_target(request.raw_path)
        except ValueError as error:
            raise front(400, "The path cannot be decoded") from error
        found = self._router.find(words)
        is_admin = words[:1] == ("admin",)
        template = found.template if found is not None else "unknown"
        if not is_admin:
            self.counts[f"{request.method} {template}"] += 1
        call = Call(self, request, found.names if found is not None else {}, query)
        if self.faults.rules and not is_admin:
            path = "/" + "/".join(words)
            call.rule = self.faults.pick(request.method, path, template, unquote_plus(query))
        if found is None:
            raise unknown_operation()
        route = found.methods.get(request.method)
        if route is None:
            raise front(405, f"Method {request.method[:20]} is not allowed here")
        return call, route

    async def _answer(self, call: Call, route: Route) -> Answer:
        rule = call.rule
        if rule is not None:
            if rule.do == "slow" and rule.seconds:
                await asyncio.sleep(rule.seconds)
            if rule.do == "status" and not rule.after_effect:
                return rule.answer()
            if rule.do == "cut" and not rule.after_effect and call.request.method not in ("GET", "HEAD"):
                await call.cut_short(rule.fraction)
        self._admit(call, route)
        answer = await route.handler(call)
        if rule is not None:
            if rule.do == "status":
                if isinstance(answer.body, FileSlice):
                    answer.body.file.close()
                return rule.answer()
            if rule.do == "wrong_md5" and isinstance(answer.body, bytes):
                answer.body = _with_wrong_md5(answer.body)
        return answer

    def _admit(self, call: Call, route: Route) -> None:
        """Check that the caller may make the call; raises Refused 401 or 403."""
        if route.access == "open":
            return
        if route.access == "admin":
            if not call.is_local:
                raise front(403, "Only for callers on this machine")
            return
        scheme, _, token = call.request.headers.get("Authorization", "").partition(" ")
        grant = self.tokens.grant(token.strip()) if scheme.lower() == "bearer" else None
        if grant is None:
            raise front(401, "Token has expired")
        call.grant = grant
        if not (grant.may_write if route.access == "write" else grant.may_read or grant.may_write):
            raise front(403, "Insufficient permissions granted for this operation")


def _with_wrong_md5(body: bytes) -> bytes:
    return _MD5.sub(lambda found: found[1] + found[2].translate(_OTHER_DIGITS), body)
