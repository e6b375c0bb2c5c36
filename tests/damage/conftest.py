"""The world that tests damage: made once, with Figure 9 trained in it."""

from collections.abc import Iterator

import pytest

from tests.damage.world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    drawn = made.draw(made.out)
    assert drawn.code == 0, drawn
    yield made
    made.close()
