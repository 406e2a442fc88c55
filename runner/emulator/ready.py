"""What the command says once it serves: one line of JSON for programs, or words for people."""

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from runner.emulator.answers import Json

REMOTE = """\
[acd]
type = amazon cloud drive
client_id = emulator
client_secret = emulator
token = {token}
"""


@dataclass(slots=True)
class Ready:
    """A serving emulator. token: in rclone's form, if one was asked for; proxy, ca: of an intercept."""

    folder: Path
    url: str
    token: Json | None = None
    proxy: str | None = None
    ca: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables by which clients find the proxy and trust it (acd-api §13.5)."""
        assert self.proxy is not None
        trusted = (
            "RCLONE_CA_CERT",
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "NODE_EXTRA_CA_CERTS",
        )
        # Another proxy of the user's must not get what discovery sends to this machine.
        here = {"HTTPS_PROXY": self.proxy, "NO_PROXY": "127.0.0.1,localhost"}
        return here | {name: str(self.ca) for name in trusted}

    def as_json(self) -> Json:
        """Return the ready line."""
        ready: Json = {"url": self.url, "pid": os.getpid()}
        if self.token is not None:
            ready["token"] = self.token
        if self.proxy is not None:
            ready["intercept"] = {"proxy": self.proxy, "ca": str(self.ca), "environment": self.environment}
            if self.token is not None:
                ready["intercept"]["rclone"] = self._remote()
        return ready

    def as_text(self) -> str:
        """Return the same in words, with lines to paste into a shell and into rclone.conf."""
        text = f"serving {self.folder} on {self.url} (pid {os.getpid()})\n"
        if self.proxy is not None:
            exports = "".join(
                f"export {name}={shlex.quote(value)}\n" for name, value in self.environment.items()
            )
            text += f"\nFor the client's environment:\n\n{exports}"
            text += f"\nFor rclone.conf, if the client is rclone:\n\n{self._remote()}"
        elif self.token is not None:
            text += f"token: {json.dumps(self.token)}\n"
        return text

    def _remote(self) -> str:
        # No auth_url and token_url: they would end with this process's port, the proxy's names do not.
        return REMOTE.format(token=json.dumps(self.token))
