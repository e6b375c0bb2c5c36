"""The world that tests damage: made once, with the runs of Figure 9 in it."""

from collections.abc import Iterator

import pytest

from ademamix.store import Store
from tests.damage.world import World, fill


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    fill(Store(made.runs))
    drawn = made.draw(made.out)
    assert drawn.code == 0, drawn
    yield made
    made.close()
