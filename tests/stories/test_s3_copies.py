"""From bucket to bucket of one service: the service copies, and this machine carries no byte."""

from collections import Counter

import pytest

from tests.lab.servers import served
from tests.stories.between import Asked, Between, between
from tests.stories.conftest import Machine
from tests.stories.test_s3 import FILES, content, fill, on_disk, shop_at

PER_FILE = Counter({"HEAD": 2, "PUT": 1})
"""On a server that guards no copies: two looks and a copy. Where copies are guarded the looks fall away."""


class Mirror:
    """A job from bucket to bucket, and between it and the server somebody who counts."""

    def __init__(self, machine: Machine, stage: Between) -> None:
        self.machine, self.stage = machine, stage
        server = served("moto")._replace(url=stage.url)
        self.shop = shop_at(machine, server)
        self.job = self.shop.job({"source": "store:", "destination": "other:", "mode": "mirror"})

    def more(self, *numbers: int) -> tuple[Counter[str], int]:
        """Run the job with these files as new ones: requests by method, and bytes of content that went by."""
        folder = self.machine.home / f"files-{numbers[0]}"
        fill(self.machine, {f"{n % 3}/{n}": f"{n}" for n in numbers}, folder)
        assert self.shop.run("copy", folder.name, "store:").code == 0
        requests, carried = Counter[str](), 0

        def count(asked: Asked) -> None:
            nonlocal carried
            carried += len(asked.body)
            carried += len(asked.real().body) if asked.method == "GET" and "?" not in asked.path else 0
            requests[asked.method] += 1

        self.stage.rule = count
        said = self.shop.run(self.job)
        self.stage.rule = lambda asked: None
        assert said.code == 0, said.out + said.err
        assert f"sent {len(numbers)} file" in said.out
        return requests, carried


def test_a_mirror_of_a_bucket_costs_three_requests_a_file_and_carries_nothing(machine: Machine) -> None:
    with between(served("moto").url) as stage:
        mirror = Mirror(machine, stage)
        mirror.more(0)
        few, _ = mirror.more(*range(1, 4))
        many, carried = mirror.more(*range(4, 27))
        again = mirror.shop.run("--plan", "--detailed-exitcode", mirror.job)

    assert many - few == Counter({method: 20 * times for method, times in PER_FILE.items()})
    assert carried == 0
    assert again.code == 0, again.out


@pytest.mark.slow
@pytest.mark.parametrize("server", ["moto", "swift"])
def test_what_was_copied_is_what_was_stored(machine: Machine, server: str) -> None:
    shop = shop_at(machine, server)
    fill(machine, FILES)
    assert shop.run("copy", "photos", "store:").code == 0
    assert shop.run("copy", "store:", "other:below").code == 0

    assert shop.run("copy", "other:below", "down").code == 0

    assert on_disk(machine.home / "down") == content(FILES)
