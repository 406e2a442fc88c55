"""A drive with something to lose, a job that would trash it, and ways to look at what became of both."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.stories.conftest import Drive, Machine
from tests.stories.conftest import Said as Told
from tests.stories.test_places import Account

JOB = """\
version: 1
name: nightly
remotes:
  cloud: {{type: acd, server: "{url}", auth: {{token: {{env: TOKEN}}}}}}
jobs:
  photos:
    pairs:
      - source: {source}
        destination: {destination}
        mode: mirror
        retry: {retry}
        {more}
"""

QUICK = "{attempts: 2, calls: 2, backoff: 1ms..5ms, budget: 20s}"


@dataclass(frozen=True)
class Scene:
    """A machine, an account, and a folder on it that no other test has."""

    machine: Machine
    account: Account
    folder: str

    @property
    def drive(self) -> Drive:
        """The account as a stranger sees it."""
        return self.account.drive

    def stored(self) -> dict[str, str]:
        """Path to MD5 of what lies in the folder."""
        lead = self.folder + "/"
        return {path[len(lead) :]: md5 for path, md5 in self.drive.files().items() if path.startswith(lead)}

    def number(self) -> int:
        """Files of the whole account, those that no listing shows yet among them."""
        usage = self.account.http.get("drive/v1/account/usage").raise_for_status().json()
        return sum(part["total"]["count"] for part in usage.values() if isinstance(part, dict))

    def names(self) -> list[str]:
        """The name of every live file of the folder, as often as it is there."""
        return sorted(str(node["name"]) for node in self._in_folder("status:AVAILABLE AND kind:FILE"))

    def trashed(self) -> list[dict[str, object]]:
        """The nodes of the folder that are in the trash."""
        return self._in_folder("status:TRASH")

    def uploads(self) -> int:
        """How many uploads were begun, by whomever."""
        return self.account.uploads()

    def seed(self, files: Mapping[str, bytes]) -> None:
        """Store these files on the drive, as another client would."""
        self.seed_folder("", files)

    def seed_folder(self, name: str, files: Mapping[str, bytes]) -> str:
        """Likewise, in a folder of the folder; return its id."""
        http = self.account.http
        body = {"name": name or self.folder, "kind": "FOLDER"} | ({"parents": [self._id()]} if name else {})
        folder: str = http.post("drive/v1/nodes", json=body).raise_for_status().json()["id"]
        for file, content in files.items():
            metadata = json.dumps({"name": file, "kind": "FILE", "parents": [folder]})
            form: dict[str, Any] = {"metadata": (None, metadata), "content": (file, content, "image/jpeg")}
            answer = http.post("cdproxy/nodes", params={"suppress": "deduplication"}, files=form)
            answer.raise_for_status()
        return folder

    def _id(self) -> str:
        (folder,) = self.drive.nodes(f"kind:FOLDER AND name:{self.folder}")
        return str(folder["id"])

    def _in_folder(self, filters: str) -> list[dict[str, object]]:
        folder = self._id()
        return [node for node in self.drive.nodes(filters) if node["parents"] == [folder]]

    def faults(self, *rules: dict[str, Any]) -> None:
        """Faults of the emulator from now on."""
        self.account.http.delete("admin/faults").raise_for_status()
        if rules:
            self.account.http.post("admin/faults", json=list(rules)).raise_for_status()

    def requests(self) -> int:
        """How many requests the account has seen."""
        counts = self.account.http.get("admin/counts").raise_for_status().json()
        return sum(counts["requests"].values())

    def job(self, url: str = "", more: str = "", *, down: bool = False, retry: str = QUICK) -> str:
        """The job file: to the drive, or from it to `../back`."""
        ends = ["../photos", f'"cloud:{self.folder}"']
        if down:
            ends = [ends[1], "../back"]
        return self.machine.nightly(
            JOB.format(
                url=url or self.account.url, source=ends[0], destination=ends[1], more=more, retry=retry
            )
        )

    def run(self, url: str = "", more: str = "", *args: str, down: bool = False, retry: str = QUICK) -> Told:
        """Run the job."""
        job = self.job(url, more, down=down, retry=retry)
        return self.machine.acdrun(job, *args, TOKEN=self.account.token)


def md5(content: bytes) -> str:
    """As the drive writes it."""
    return hashlib.md5(content).hexdigest()
