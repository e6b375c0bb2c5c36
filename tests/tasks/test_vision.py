"""Vision through the seam: resumed inside an epoch, cut over ranks and passes, the same bits; quantities."""

import signal
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ademamix.data import crops
from ademamix.data.image_sets import Digits, Glyphs, Images
from ademamix.errors import UserError
from ademamix.models.vit import ViTConfig
from ademamix.optimizers import AdamWConfig, AdEMAMixConfig
from ademamix.quantities import Quantity, ReserveLoss, parse
from ademamix.schedules import Cosine
from ademamix.spec import override
from ademamix.spec import parse as parse_spec
from ademamix.store import Store
from ademamix.tasks import VisionRun, vision
from ademamix.tasks.vision import Augmentation
from ademamix.training import checkpoint
from ademamix.training.job import Job
from ademamix.training.ranks import Ranks
from ademamix.training.trainer import Trainer
from ademamix.training.worker import work
from ademamix.values import canonical
from tests.hit import Worker

STEPS = 24
LOSS = {
    parse(f"{name}:40"): frozenset({8, STEPS})
    for name in ("clean_training_loss", "test_loss", "top1", "top5")
}


def spec(**changes: Any) -> VisionRun:
    """A run of milliseconds a step whose epochs are 10 updates."""
    plain = {
        "model": ViTConfig(width=8, mlp=16, layers=1, heads=2, patch=4, image=8, classes=6, dropout=0.1),
        "data": Glyphs.here(classes=6, images=60, tests=48, size=8),
        "optimizer": AdEMAMixConfig(lr=5e-3, weight_decay=0.1, beta3=0.99, alpha=2.0),
        "schedule": Cosine(warmup=2, horizon=STEPS),
        "batch": 6,
        "seed": 0,
        "augmentation": Augmentation(crop=0.5),
    }
    return VisionRun(**{**plain, **changes})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root that all tests share."""
    return tmp_path_factory.mktemp("images")


def job(of: VisionRun, **changes: Any) -> Job:
    return replace(Job(of, STEPS, frozenset({STEPS}), {}, LOSS, 4, 1e9), **changes)


def weights(store: Path, of: VisionRun) -> dict[str, torch.Tensor]:
    state = checkpoint.load(Store(store).run(of.id), STEPS, torch.device("cpu"))
    assert state is not None
    return dict(state["model"])


def task(of: VisionRun, root: Path):  # type: ignore[no-untyped-def]
    return of.open(root, torch.device("cpu"))


def test_killed_inside_an_epoch_it_resumes_bit_for_bit(root: Path, tmp_path: Path) -> None:
    of, straight, killed = spec(), tmp_path / "straight", tmp_path / "killed"
    assert work(job(of), straight, root, "cpu", 1) == 0
    often = job(of, checkpoint_seconds=0.0)
    worker = Worker(often, killed, root, pause=0.02)
    worker.wait_for(13)  # in the second epoch
    assert worker.kill() == -signal.SIGKILL
    there = Store(killed).run(of.id).checkpoint_steps()
    assert any(step % 10 for step in there)
    assert work(often, killed, root, "cpu", 1) == 0
    first, second = weights(straight, of), weights(killed, of)
    assert all(torch.equal(first[name], second[name]) for name in first)
    rows = Store(straight).run(of.id).metrics()
    assert Store(killed).run(of.id).metrics() == rows
    last = rows[-1]
    assert last["test_loss:40"] > 0
    assert 0 <= last["top1:40"] <= last["top5:40"] <= 1


@pytest.mark.parametrize("batch", [6, 7])
@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_together_train_on_the_same_images(root: Path, batch: int, ranks: int) -> None:
    of = spec(batch=batch)
    whole = task(of, root).batch(11)
    parts = [task(of, root).batch(11, Ranks(rank, ranks).rows(batch)) for rank in range(ranks)]
    for name in ("images", "labels", "others"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(part, name) for part in parts]))
    assert {part.share for part in parts} == {whole.share}


def test_batches_are_a_function_of_seed_and_update(root: Path) -> None:
    one, other = task(spec(), root), task(spec(), root)
    for t in (3, 9, 4):
        other.batch(t + 20)  # whatever was asked for before
        torch.rand(3)
        assert torch.equal(one.batch(t).images, other.batch(t).images)
    assert not torch.equal(one.batch(3).images, one.batch(4).images)
    assert not torch.equal(one.batch(3).images, task(spec(seed=1), root).batch(3).images)
    seen = torch.cat([one.batch(t).labels for t in range(1, 11)])
    once = one.pictures.whole("train", np.arange(60)).labels
    assert seen.sort().values.tolist() == sorted(once.tolist())  # an epoch has every image once


def test_mixup_is_what_it_says(root: Path) -> None:
    plain = spec(augmentation=Augmentation(crop=0.5, mixup=0.0))
    apart, mixed = task(plain, root), task(spec(), root)
    for t in (2, 5):
        share, images = crops.mixing(0, t, 0.2), apart.batch(t).images
        found = mixed.batch(t)
        partner = torch.from_numpy(crops.partners(np.arange(6), 6))
        torch.testing.assert_close(found.images, share * images + (1 - share) * images[partner])
        assert torch.equal(found.others, found.labels[partner])
    model, batch = mixed.model().eval(), mixed.batch(5)
    logits = model(batch.images).log_softmax(1)
    own, other = (-logits.gather(1, of[:, None]).mean() for of in (batch.labels, batch.others))
    torch.testing.assert_close(mixed.loss(model, batch), batch.share * own + (1 - batch.share) * other)


def test_passes_of_a_batch_have_its_gradient(root: Path) -> None:
    of = spec(optimizer=AdamWConfig(lr=1e-2, weight_decay=0.0),
              model=spec().model.model_copy(update={"dropout": 0.0}))  # fmt: skip
    found = []
    for size in (6, 4, 1):
        trainer = Trainer(job(of, micro_batch=size), task(of, root))
        trainer._backward(trainer.task.batch(1))
        found.append(torch.cat([p.grad.flatten() for p in trainer.params]))
    torch.testing.assert_close(found[1], found[0], atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(found[2], found[0], atol=1e-6, rtol=1e-4)


def test_quantities_are_of_clean_images_and_of_the_weights_as_they_are(root: Path) -> None:
    of = task(spec(), root)
    trainer = Trainer(job(spec()), of)
    before = trainer.measure(LOSS)
    assert trainer.measure(LOSS) == before
    images, labels = of._clean("test", 40)
    model = trainer.model.eval()
    with torch.inference_mode():
        logits = model(of._normalised(images))
    assert before[parse("test_loss:40")] == pytest.approx(
        float(torch.nn.functional.cross_entropy(logits, labels))
    )
    assert before[parse("top1:40")] == float((logits.argmax(1) == labels).double().mean())
    for t in (1, 2, 3):
        trainer.update(t)
    after = trainer.measure(LOSS)
    assert after != before
    with torch.no_grad():
        for p in trainer.params:
            p.zero_()
    assert trainer.measure(LOSS)[parse("test_loss:40")] == pytest.approx(np.log(6))


def test_what_it_cannot_measure_is_refused(root: Path) -> None:
    of = task(spec(), root)
    assert of.refused(ReserveLoss(batch=1)) == "cannot be observed of images"
    assert not any(of.refused(quantity) for quantity in LOSS)
    assert isinstance(parse("top1:5"), Quantity)


def test_it_is_a_spec_like_any_other() -> None:
    of = spec()
    assert parse_spec(canonical(of)) == of
    assert "augmentation" not in canonical(spec(augmentation=Augmentation()))
    assert override(of, ["augmentation.mixup=0"]).augmentation.mixup == 0  # type: ignore[attr-defined]
    assert of.epochs(STEPS) == pytest.approx(2.4)
    with pytest.raises(ValueError, match="the model has 3 classes, the data 6"):
        spec(model=of.model.model_copy(update={"classes": 3}))


def test_it_trains_on_digits_too(root: Path) -> None:
    if find_spec("sklearn") is None:  # importing it would take seconds
        pytest.skip("needs scikit-learn")
    data = Digits.here(images=320)
    of = spec(data=data, model=spec().model.model_copy(update={"classes": 10}), batch=32,
              optimizer=AdamWConfig(lr=1e-2, weight_decay=0.0),
              augmentation=Augmentation(crop=0.8, flip=0.0, mixup=0.0))  # fmt: skip
    trainer = Trainer(job(of, log_every=STEPS), task(of, root))
    loss = vision.TestLoss(images=100)
    before = trainer.measure([loss])[loss]
    for t in range(1, STEPS + 1):
        trainer.update(t)
    assert trainer.measure([loss])[loss] < before - 0.02


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a folder of small images, `made`: three classes, ten of each."""
    from PIL import Image

    root = tmp_path_factory.mktemp("files")
    for split, each in (("train", 10), ("val", 2)):
        for label in range(3):
            (root / "made" / split / str(label)).mkdir(parents=True)
            for i in range(each):
                found = Image.new("RGB", (20, 12 + i), (80 * label, 8 * i, 100))
                found.save(root / "made" / split / str(label) / f"{i}.png")
    return root


def test_it_trains_on_files_and_ranks_read_the_same_ones(files: Path) -> None:
    of = spec(data=Images(set="made", classes=3), batch=7)
    whole = task(of, files).batch(5)
    assert whole.images.shape == (7, 3, 8, 8)
    parts = [task(of, files).batch(5, Ranks(rank, 2).rows(7)) for rank in range(2)]
    for name in ("images", "labels", "others"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(part, name) for part in parts]))
    trainer = Trainer(job(of, log_every=STEPS), task(of, files))
    for t in range(1, 4):
        trainer.update(t)
    assert 0 < trainer.measure(LOSS)[parse("test_loss:40")] < 10
    with pytest.raises(UserError, match=r"no images at .*absent; put it there"):
        task(spec(data=Images(set="absent", classes=3)), files)
    with pytest.raises(UserError, match="'ademamix data check imagenet-1k' says how to get it"):
        task(spec(data=Images(set="imagenet-1k", classes=6)), files)
