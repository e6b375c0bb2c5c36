"""A branch follows its trunk: where that is trained anew, it is trained again."""

from dataclasses import replace
from pathlib import Path

import pytest

from ademamix.errors import UserError
from ademamix.lineage import follows, history, past
from ademamix.plan import Branch, entries, unite
from ademamix.quantities import ReserveLoss
from ademamix.scale import scale
from ademamix.schedules import Constant
from ademamix.spec import Need, RunSpec
from ademamix.store import Run, Store
from ademamix.tasks import LanguageRun
from analysis.results import Results
from tests.training.test_training import OBSERVE, VALIDATION, job, train

AT_THE_END = {VALIDATION: frozenset({60})}


class World:
    """A store, and what is wanted there: a trunk with its checkpoints 20 and 60, and branches."""

    def __init__(self, root: Path, data_root: Path, trunk: RunSpec, *branches: RunSpec) -> None:
        self.store, self.data_root = Store(root), data_root
        self.trunk, self.branches = trunk, branches
        self.store.open()
        needs = [Need(trunk, 60, keep=frozenset({20, 60}))]
        needs += [Need(branch, 60, keep=frozenset({40, 60}), observe=AT_THE_END) for branch in branches]
        self.wanted = unite({"4": needs})

    def undone(self) -> list[str]:
        return [e.wanted.spec.id for e in entries(self.wanted, self.wanted, self.store) if not e.done]

    def train(self, *only: str) -> None:
        for entry in entries(self.wanted, self.wanted, self.store):
            w = entry.wanted
            if not entry.done and (not only or w.spec.id in only):
                asked = job(w.spec, until=w.until, keep=w.keep, forks=entry.forks, observe=w.observe)
                assert train(asked, self.store.root, self.data_root) == 0

    def run(self, spec: RunSpec) -> Run:
        return self.store.run(spec.id)


@pytest.fixture
def trained(tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun) -> World:
    """A trunk and a branch that are done."""
    world = World(tmp_path, data_root, ademamix_spec, ademamix_spec.branch(20))
    world.train()
    return world


def train_anew(run: Run) -> None:
    """Leave a run as another training of it does, with its checkpoints: the same up to rounding."""
    outcome = run.outcome()
    assert outcome
    run.write_metrics(
        {**row, "loss": row["loss"] * (1 + 1e-6)} if row.get("loss") else row for row in run.metrics()
    )
    run.finish(outcome)


def noted(run: Run) -> str:
    outcome = run.outcome()
    assert outcome
    return outcome.past


@pytest.mark.parametrize("extendable", [False, True])
def test_a_branch_follows_a_trunk_that_was_trained_anew(
    tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun, extendable: bool
) -> None:
    """Even where its own last checkpoint, of the other training, is there."""
    trunk = ademamix_spec
    if extendable:
        trunk = trunk.changed(schedule=Constant(kind="constant", warmup=5))
    branch = trunk.branch(20)
    world = World(tmp_path, data_root, trunk, branch)
    world.train()
    assert world.undone() == []
    before = noted(world.run(branch))
    assert before == past(branch, world.store) == history(trunk, 20, world.store)
    assert noted(world.run(trunk)) == ""
    train_anew(world.run(trunk))
    assert world.undone() == [branch.id]
    world.train()
    assert world.undone() == []
    assert noted(world.run(branch)) == history(trunk, 20, world.store) != before


def test_an_interrupted_branch_does_not_go_on_from_the_other_training(
    tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    branch = ademamix_spec.branch(20)
    world = World(tmp_path, data_root, ademamix_spec, branch)
    world.train(ademamix_spec.id)
    assert train(job(branch, until=40, keep=frozenset({40}), observe={}), tmp_path, data_root) == 0
    world.run(branch).reopen()
    train_anew(world.run(ademamix_spec))
    world.train()
    assert world.undone() == []


def test_a_branch_of_a_branch_follows_both(
    tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    """Even where nothing of its own trunk was logged before it left."""
    branch = ademamix_spec.branch(20)
    inner = branch.branch(21)
    world = World(tmp_path, data_root, ademamix_spec, branch, inner)
    world.train()
    assert world.undone() == []
    train_anew(world.run(ademamix_spec))
    assert world.undone() == [branch.id, inner.id]
    world.train()
    assert world.undone() == []


def test_a_trunk_that_goes_on_keeps_what_later_branches_start_from(
    tmp_path: Path, data_root: Path, ademamix_spec: LanguageRun
) -> None:
    """Those that are done, too: what is trained now may differ by rounding, which nobody knows before."""
    done = ademamix_spec.branch(20)
    branch = Branch(Need(done, 60, observe=AT_THE_END), {})
    whole = job(ademamix_spec, keep=frozenset(), forks={20: (branch,)})
    assert train(whole, tmp_path, data_root) == 0
    assert train(job(done), tmp_path, data_root) == 0
    run = Store(tmp_path).run(ademamix_spec.id)
    run.remove_checkpoints_except(())
    lacking = replace(whole, observe={**OBSERVE, ReserveLoss(batch=0): frozenset({10})})
    assert train(lacking, tmp_path, data_root) == 0
    assert run.checkpoint_steps() == {20}


def test_nothing_is_drawn_of_a_branch_and_another_training(trained: World) -> None:
    curve = Results(scale("smoke"), trained.store).curve(trained.branches[0], VALIDATION, 60)
    assert [step for step, _ in curve] == [60]
    train_anew(trained.run(trained.trunk))
    with pytest.raises(UserError, match="branch of another training of its trunk"):
        Results(scale("smoke"), trained.store).curve(trained.branches[0], VALIDATION, 60)


def test_a_damaged_trunk_is_no_other_training(trained: World) -> None:
    path = trained.run(trained.trunk).metrics_path
    path.write_text(path.read_text().replace("3.", "2.", 1))
    with pytest.raises(UserError, match="is not as it was written"):
        trained.undone()


def test_without_a_note_nothing_is_known(trained: World) -> None:
    """As of runs from before there were notes: their seals still hold."""
    run = trained.run(trained.branches[0])
    outcome = run.outcome()
    assert outcome
    run.finish(replace(outcome, past=""))
    assert "past" not in (run.folder / "outcome.json").read_text()
    train_anew(trained.run(trained.trunk))
    assert run.complete()[0].past == ""
    assert follows(trained.branches[0], run.complete()[0], trained.store)
