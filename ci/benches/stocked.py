"""The S3-like server of a case: started, filled, its requests counted by kind, its content checked."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from benches.measure import Wrong

PROGRAM = Path(__file__).resolve().parents[1] / "s3_server.py"
KEYS = {"AWS_ACCESS_KEY_ID": "BENCHKEYID", "AWS_SECRET_ACCESS_KEY": "benchsecret", "AWS_REGION": "us-east-1"}


class Stock:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = HTTPConnection(urlsplit(url).netloc, timeout=600)

    @property
    def rclone(self) -> dict[str, str]:
        """What makes `s3:` of rclone this server."""
        told = {
            "TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": self.url, "REGION": KEYS["AWS_REGION"],
            "ACCESS_KEY_ID": KEYS["AWS_ACCESS_KEY_ID"], "SECRET_ACCESS_KEY": KEYS["AWS_SECRET_ACCESS_KEY"],
        }  # fmt: skip
        return {f"RCLONE_CONFIG_S3_{name}": value for name, value in told.items()}

    def remotes(self, bucket: str) -> dict[str, object]:
        """The remote `store` of a manifest."""
        return {"store": {"type": "s3", "endpoint": self.url, "bucket": bucket}}

    def counted(self) -> dict[str, int]:
        """Requests by kind since this was asked last."""
        found: dict[str, int] = self._tell("counts")
        return found

    def late(self, seconds: float) -> None:
        """Let each answer wait so long from now on."""
        self._tell("latency", s=seconds)

    def fill(self, bucket: str, folder: Path) -> None:
        """Take in a tree as if rclone had stored it."""
        self._tell("fill", bucket=bucket, folder=folder)

    def seed(self, bucket: str, number: int) -> None:
        """Make so many small objects."""
        self._tell("seed", bucket=bucket, number=number)

    def walk(self, bucket: str) -> None:
        """List it once, so that nobody pays for pages being made."""
        after = ""
        while True:
            query = {"list-type": "2", "max-keys": "1000", "encoding-type": "url"}
            query |= {"continuation-token": after} if after else {}
            self._http.request("GET", f"/{bucket}?{urlencode(query)}")
            page = self._http.getresponse().read()
            after = page.partition(b"<NextContinuationToken>")[2].partition(b"<")[0].decode()
            if not after:
                return

    def clear(self, bucket: str) -> None:
        """Forget a bucket and make it anew."""
        self._tell("clear", bucket=bucket)
        self._http.request("PUT", f"/{bucket}")
        self._http.getresponse().read()

    def stored(self, bucket: str) -> str:
        """How many objects there are, and a digest as that of `trees.py stored`."""
        found: str = self._tell("stored", bucket=bucket)
        return found

    def _tell(self, verb: str, **query: object) -> object:
        self._http.request("GET", f"/-/{verb}?{urlencode(query)}")
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise Wrong(f"the server answered {answer.status} to {verb}")
        return json.loads(text)


@contextmanager
def stocked() -> Iterator[Stock]:
    """Serve a store; it ends with the case."""
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), "--watch-stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise Wrong("the server did not start")
            yield Stock(json.loads(line)["url"])
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
