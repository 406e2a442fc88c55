"""What is below a key, as if keys were paths."""

from runner.backends.gcs.listing import objects
from runner.backends.gcs.nodes import Found
from runner.backends.gcs.wire import GcsWire
from runner.remote.close import closing
from runner.remote.dated import At, below, hidden


async def anything(wire: GcsWire, at: At) -> bool:
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


async def found_below(wire: GcsWire, at: At) -> list[Found]:
    """All objects below it but for those in a trash."""
    async with closing(objects(wire, at.bucket, below(at.key))) as pages:
        return [one async for page in pages for one in page.objects if not hidden(one.key)]
