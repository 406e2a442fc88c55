"""Buckets whose service encrypts so that an ETag is no digest: nothing is concluded from one."""

import base64
import hashlib

import pytest

from runner.backends.contract.rule import children, read, write
from runner.backends.s3.wire import Ask
from runner.model.backend import Copy, Copying
from runner.remote.remote import Remote
from tests.rooms.s3.conftest import Bucket

KMS = (
    b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms"
    b"</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
)


@pytest.fixture
def encrypted(bucket: Bucket) -> Bucket:
    """A bucket that encrypts with keys of a key service; what was known of it before is forgotten."""
    digest = base64.b64encode(hashlib.md5(KMS).digest()).decode()

    async def encrypt(remote: Remote) -> None:
        headers = (("content-md5", digest),)
        ask = Ask("PUT", bucket.name, query={"encryption": ""}, headers=headers, body=KMS)
        await remote.backend._wire.call(ask)  # type: ignore[attr-defined]

    bucket.use(encrypt)
    bucket.state = bucket.state.with_name("encrypted")
    bucket.engine.spoil()
    return bucket


def test_its_listings_carry_no_digest_once_something_was_stored(encrypted: Bucket) -> None:
    async def act(remote: Remote) -> tuple[object, object]:
        node = await write(remote, "file", b"content")
        assert await read(remote, "file", expect=node.generation) == b"content"
        return node.checksum, (await children(remote))["file"].checksum

    assert encrypted.use(act) == (None, None)

    async def again(remote: Remote) -> tuple[str, ...]:
        return remote.can.checksums

    assert encrypted.use(again) == (), "remembered, so the next plan knows it from the start"


def test_it_copies_nothing_by_itself_for_nothing_would_prove_it(encrypted: Bucket) -> None:
    async def act(remote: Remote) -> list[object]:
        node = await write(remote, "file", b"content")
        encrypted.engine.spoil()
        copy = Copy("file", node.generation, node.size, None, "file")
        return list(await remote.at("to").copy_from(remote, [copy], Copying()))

    assert encrypted.use(act) == [None]
    assert encrypted.engine.sent == []
