"""The strict server of Google Cloud Storage's JSON API on a port of this machine."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from tests.lab.gcs_forms import Asked
from tests.lab.gcs_service import Service


@contextmanager
def serving() -> Iterator[Service]:
    """Have one, on a port of its own."""
    service = Service()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service))
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, format: str, *args: object) -> None:
            """Stay quiet."""

        def _serve(self) -> None:
            body = self._body()
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, query, headers, body)
            with service.lock:
                service.seen.append(asked.line)
                said = service.hook(asked) or service.answer(asked)
            if isinstance(said, bytes):
                self.wfile.write(said)
                self.close_connection = True
                return
            self.send_response(said.status)
            empty = said.status in (204, 304)
            for name, value in said.headers.items():
                self.send_header(name, value)
            if not empty:
                self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(b"" if empty else said.body)
            self.wfile.flush()

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    return Handler
