"""Which hosts speak for a server, and where its two halves are found. Source: acd-api §1."""

import re
from typing import NamedTuple

from runner.model.errors import BadAnswer
from runner.remote.http import loopback, origin

_DRIVE = re.compile(r"(?:[a-z0-9-]+\.)*drive\.amazonaws\.com|cdws\.[a-z0-9-]+\.amazonaws\.com")
_LINKS = re.compile(r"(?:[a-z0-9-]+\.)+(?:amazonaws|amazon|cloudfront)\.(?:com|net)")

ANY_CLIENT = "acdrun"
"""The client id for a server that is not Amazon's, where the user has registered none; RFC 6749 wants one."""


class Endpoints(NamedTuple):
    """The metadata and the content address, both ending in a slash."""

    metadata: str
    content: str


class Server(NamedTuple):
    """Where to begin. own: the host that a named server lives on; "" for Amazon."""

    discovery: str
    defaults: Endpoints
    token_url: str
    own: str

    def check(self, url: str) -> str:
        """The address with a slash at its end, if the token may be sent there; BadAnswer if not.

        A discovery answer is not believed when it points elsewhere: whoever names the host gets the token.
        """
        _, host, _ = origin(url)
        if not (_DRIVE.fullmatch(host) if not self.own else self._is_own(host)):
            raise BadAnswer(f"the service named a foreign host {host!r}; no token is sent there")
        return url if url.endswith("/") else url + "/"

    def check_link(self, url: str) -> str:
        """The signed address of a content, asked without a token; BadAnswer if it leads elsewhere."""
        _, host, _ = origin(url)
        if not (_LINKS.fullmatch(host) if not self.own else self._is_own(host)):
            raise BadAnswer(f"the service sent us to a foreign host {host!r} for the content")
        return url

    def _is_own(self, host: str) -> bool:
        return host == self.own or (loopback(host) and loopback(self.own))


AMAZON = Server(
    discovery="https://drive.amazonaws.com/drive/v1/account/endpoint",
    defaults=Endpoints(
        "https://drive.amazonaws.com/drive/v1/", "https://content-na.drive.amazonaws.com/cdproxy/"
    ),
    token_url="https://api.amazon.com/auth/o2/token",  # noqa: S106
    own="",
)


def server(word: str) -> Server:
    """The server a manifest means: `amazon`, or the address of one that speaks its protocol."""
    if word == "amazon":
        return AMAZON
    base = word.rstrip("/")
    return Server(
        discovery=f"{base}/drive/v1/account/endpoint",
        defaults=Endpoints(f"{base}/drive/v1/", f"{base}/cdproxy/"),
        token_url=f"{base}/auth/o2/token",
        own=origin(word)[1],
    )
