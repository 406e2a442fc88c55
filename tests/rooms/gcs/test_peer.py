"""From one remote to another of the same log-in: the service copies."""

import json

import httpx
import pytest

from runner.backends.contract.rule import TIME_NS, read, write
from runner.backends.gcs.backend import Gcs
from runner.backends.gcs.config import GcsConfig
from runner.model.backend import Copied, Copy, Copying, Setting
from runner.model.checksum import Checksum
from runner.model.errors import Unsupported
from runner.remote.remote import Remote
from tests.lab import gcs
from tests.lab.gcs_forms import Answer, Asked
from tests.lab.spoilt import Spoil
from tests.rooms.gcs.conftest import Bucket


def copied(bucket: Bucket, known: Checksum | None = None) -> Copied | None:
    """Copy `from/file` as it stands to `to/file`."""

    async def act(remote: Remote) -> Copied | None:
        node = await remote.stat("from/file")
        copy = Copy("file", node.generation, node.size, node.mtime_ns, "file", known)
        (done,) = await remote.at("to").copy_from(remote.at("from"), [copy], Copying())
        return done

    return bucket.use(act)


def composed(bucket: Bucket) -> None:
    """Put `from/file` together of another object: the service knows no MD5 of it."""
    bucket.use(lambda remote: write(remote, "part", b"content", mtime_ns=TIME_NS))
    about = dict(bucket.held.live["part"].about)
    said = {"sourceObjects": [{"name": "part"}], "destination": {"metadata": about["metadata"]}}
    httpx.post(f"{bucket.service.url}/storage/v1/b/shelf/o/from%2Ffile/compose", json=said).raise_for_status()


def test_what_has_no_md5_is_copied_and_proven_by_what_there_is(bucket: Bucket) -> None:
    composed(bucket)

    done = copied(bucket)

    assert done is not None
    assert (done.proof, done.checksum, done.node.mtime_ns) == ("crc32c", None, TIME_NS)
    assert bucket.use(lambda remote: read(remote, "to/file", expect=done.node.generation)) == b"content"
    assert bucket.service.count("GET", "alt=media") == 1, "ours, just now"


def test_a_digest_that_somebody_has_read_goes_with_it(bucket: Bucket) -> None:
    composed(bucket)

    done = copied(bucket, Checksum.of("md5", b"content"))

    assert done is not None
    assert done.checksum == Checksum.of("md5", b"content")


@pytest.mark.parametrize("field", ["md5Hash", "size", "metadata"])
def test_a_copy_that_is_told_to_be_something_else_is_taken_back(bucket: Bucket, field: str) -> None:
    bucket.use(lambda remote: write(remote, "from/file", b"content", mtime_ns=TIME_NS))
    other = {"md5Hash": "XUFAKrxLKna5cZ2REBfFkg==", "size": "8", "metadata": {}}[field]

    def hook(asked: Asked) -> Answer | None:
        if "/rewriteTo/" not in asked.path:
            return None
        said = bucket.service.answer(asked)
        data = json.loads(said.body)
        return said._replace(body=json.dumps(data | {"resource": data["resource"] | {field: other}}).encode())

    bucket.service.hook = hook

    assert copied(bucket) is None
    assert set(bucket.held.live) == {"from/file"}


def test_what_cannot_be_copied_is_left_to_who_says_why(bucket: Bucket) -> None:
    bucket.use(lambda remote: write(remote, "from/file", b"content", mtime_ns=TIME_NS))
    bucket.engine.spoil(Spoil("POST", "rewriteTo", "refused", times=9, status=403, body=b"{}"))

    assert copied(bucket) is None


def test_a_remote_of_another_log_in_is_no_peer(bucket: Bucket) -> None:
    bucket.use(lambda remote: write(remote, "file", b"content"))

    async def act(remote: Remote) -> None:
        bucket.fields["user_project"] = "payer"
        config = GcsConfig.model_validate(gcs.fields(bucket.service.url, "shelf") | bucket.fields)
        other = Remote("other", await Gcs.open(config, Setting("other", bucket.state, bucket.state, "run")))
        try:
            assert not remote.takes_from(other)
            with pytest.raises(Unsupported):
                await remote.copy_from(other, [], Copying())
        finally:
            await other.close()

    bucket.use(act)
