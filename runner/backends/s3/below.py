"""What is below a key, as if keys were paths."""

from runner.backends.s3.listing import objects
from runner.backends.s3.nodes import Found
from runner.backends.s3.objects import At
from runner.backends.s3.trash import TRASH
from runner.backends.s3.wire import S3Wire
from runner.remote.close import closing


def below(key: str) -> str:
    """What every key below this one begins with."""
    return f"{key}/" if key else ""


def hidden(key: str) -> bool:
    """Is it in a trash?"""
    return TRASH in key and TRASH in key.split("/")[:-1]


async def anything(wire: S3Wire, at: At) -> bool:
    """Is anything below it? Raises NoBucket."""
    if not at.bucket:
        return True
    async with closing(objects(wire, at.bucket, below(at.key), most=2)) as pages:
        async for page in pages:
            if any(not hidden(one.key) for one in page.objects):
                return True
            if page.objects and not at.key:
                return True
    return False


async def found_below(wire: S3Wire, at: At) -> list[Found]:
    """All objects below it but for those in a trash."""
    async with closing(objects(wire, at.bucket, below(at.key))) as pages:
        return [one async for page in pages for one in page.objects if not hidden(one.key)]
