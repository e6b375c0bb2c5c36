"""Folders, parquet and tars: the same images from each, odd ones read, bad ones left out and named."""

import io
import multiprocessing
import os
import signal
import tarfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from ademamix.cli import cli
from ademamix.data import image_prepare, released
from ademamix.data.crops import draws
from ademamix.data.decoding import Unreadable, decode
from ademamix.data.image_files import Files
from ademamix.data.image_prepare import Recipe, manifest_of, prepare
from ademamix.data.image_sources import Folders, find
from ademamix.data.pictures import Crops, Wish
from ademamix.data.released import Released
from ademamix.errors import UserError
from ademamix.tasks.vision import Augmentation

CLASSES, EACH, SIZE = 3, 4, 16
NAMES = [f"n{i:03d}" for i in range(CLASSES)]


def wish(indices: tuple[int, ...] = tuple(range(CLASSES * EACH))) -> Wish:
    plan = lambda t: Crops(np.array(indices), draws(0, t, len(indices)))  # noqa: E731
    return Wish(SIZE, Augmentation(), plan)


def encoded(number: int, suffix: str = "JPEG", mode: str = "RGB") -> bytes:
    """An image of its own grey, 30 × 24."""
    buffer = io.BytesIO()
    if mode == "I;16":
        Image.fromarray(np.full((24, 30), 257 * 20 * number, np.uint16)).save(buffer, "PNG")
    else:
        Image.new("RGB", (30, 24), (20 * number,) * 3).convert(mode).save(buffer, suffix)
    return buffer.getvalue()


def every(split: str) -> list[tuple[int, int, bytes]]:
    """(label, number within its class, bytes) of the images of a split."""
    each = EACH if split == "train" else 1
    return [(label, i, encoded(label * each + i)) for label in range(CLASSES) for i in range(each)]


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for split in ("train", "val"):
        for label, i, raw in every(split):
            path = tmp_path / "set" / split / NAMES[label] / f"{i}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)
    return tmp_path / "set"


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    from datasets import Dataset, Features, Value
    from datasets import Image as ImageFeature

    features = Features({"image": ImageFeature(decode=False), "label": Value("int64")})
    for split, name in (("train", "train"), ("val", "validation")):
        rows = [
            {"image": {"bytes": raw, "path": f"{label}-{i}.jpg"}, "label": label}
            for label, i, raw in every(split)
        ]
        (tmp_path / "parquet" / "data").mkdir(parents=True, exist_ok=True)
        found = Dataset.from_list(rows, features=features)
        found.to_parquet(tmp_path / "parquet" / "data" / f"{name}-00000-of-00001.parquet")
    return tmp_path / "parquet"


@pytest.fixture
def tars(tmp_path: Path) -> Path:
    (tmp_path / "tars").mkdir()
    for split in ("train", "val"):
        images = every(split)
        for half in (0, 1):
            with tarfile.open(tmp_path / "tars" / f"imagenet1k-{split}-{half}.tar", "w") as tar:
                for label, i, raw in images[half::2] if split == "val" else images[half * 6 : half * 6 + 6]:
                    for suffix, content in (("jpg", raw), ("cls", str(label).encode())):
                        member = tarfile.TarInfo(f"{label}-{i}.{suffix}")
                        member.size = len(content)
                        tar.addfile(member, io.BytesIO(content))
    return tmp_path / "tars"


@pytest.mark.parametrize("form", ["folders", "parquet", "tars"])
def test_the_same_images_in_any_order(form: str, request: pytest.FixtureRequest, folders: Path) -> None:
    folder = request.getfixturevalue(form)
    files, plain = Files(folder, CLASSES, wish()), Files(folders, CLASSES, wish())
    assert files.counts == {"train": CLASSES * EACH, "test": CLASSES}
    order = np.array([7, 2, 2, 11])
    one, other = files.whole("train", order), plain.whole("train", order)
    assert np.array_equal(one.images, other.images)
    assert one.labels.tolist() == other.labels.tolist() == [1, 0, 0, 2]
    assert np.array_equal(files.training(3).images, plain.training(3).images)
    again = Files(folder, CLASSES, wish())  # tars from their index
    assert again.digest == files.digest
    assert np.array_equal(again.training(3).images, files.training(3).images)
    assert len({files.digest, plain.digest}) == (1 if form == "folders" else 2)
    assert files.sources["train"].name(2)


@pytest.mark.parametrize(("mode", "suffix"), [("P", "PNG"), ("CMYK", "JPEG"), ("I;16", "PNG"), ("L", "JPEG"),
                                              ("RGBA", "PNG"), ("RGB", "WEBP")])  # fmt: skip
def test_odd_modes_are_read_as_rgb(mode: str, suffix: str) -> None:
    image = decode(encoded(5, suffix, mode))
    assert image.mode == "RGB"
    assert np.asarray(image).mean() == pytest.approx(100, abs=2)


def test_what_cannot_be_read_says_why() -> None:
    for raw in (b"", b"no image", encoded(1)[:200]):
        with pytest.raises(Unreadable, match=r"\w"):
            decode(raw)


def test_a_corrupt_image_is_left_out_counted_and_named(
    folders: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folders / "train" / NAMES[0] / "3.JPEG").write_bytes(b"torn")
    files = Files(folders, CLASSES, wish())
    read = files.training(1)
    assert read.labels[3] == 1  # the next that can be read, with its own label
    assert np.array_equal(
        files.whole("train", np.array([3])).images, files.whole("train", np.array([4])).images
    )
    files.training(2)
    assert files.unreadable["train"] == {3}
    assert capfd.readouterr().out.count("left out train/n000/3.JPEG") == 1


def test_too_many_corrupt_images_stop_the_run(folders: Path) -> None:
    for path in sorted((folders / "train").glob("*/*"))[1:]:
        path.write_bytes(b"torn")
    with pytest.raises(UserError, match=r"11 images of .* cannot be read, the first train/n000/1.JPEG"):
        Files(folders, CLASSES, wish()).training(1)


def test_wrong_sets_are_refused_in_one_line(folders: Path, tars: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="1 labels outside 0 to 1"):
        Files(_one_label_too_high(tars), 2, wish())
    with pytest.raises(UserError, match="1 of 4 classes have no image"):
        Files(folders, 4, wish())
    (folders / "val" / NAMES[2]).rename(folders / "val" / "other")
    with pytest.raises(UserError, match="lacks class folders of train: 1, the first n002"):
        Files(folders, CLASSES, wish())
    with pytest.raises(UserError, match="no train images"):
        Files(tmp_path, CLASSES, wish())


def _one_label_too_high(tars: Path) -> Path:
    folder = tars.parent / "high"
    folder.mkdir()
    for split in ("train", "val"):
        with tarfile.open(folder / f"{split}.tar", "w") as tar:
            for i, label in enumerate((0, 1, 2) if split == "train" else (0, 1)):
                for suffix, content in (("jpg", encoded(i)), ("cls", str(label).encode())):
                    member = tarfile.TarInfo(f"{i}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return folder


def test_reading_ahead_changes_nothing(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ademamix.data import image_files

    plain = {t: Files(folders, CLASSES, wish()).training(t) for t in (5, 6, 3)}
    monkeypatch.setattr(image_files, "spare_cores", lambda: 2)
    monkeypatch.setattr(image_files, "PART", 4)
    ahead = Files(folders, CLASSES, wish())
    for t, known in plain.items():  # in order, and after a jump back
        assert np.array_equal(ahead.training(t).images, known.images)


def test_prepare_re_encodes_and_goes_on_where_it_was_stopped(folders: Path, tmp_path: Path) -> None:
    (folders / "train" / NAMES[1] / "0.JPEG").write_bytes(b"torn")
    recipe, straight, stopped = Recipe(short_edge=12, of_a_tar=5), tmp_path / "a", tmp_path / "b"
    made = prepare(folders, straight, recipe, jobs=1)
    assert made["images"] == {"train": 12, "test": 3}
    assert made["left_out"] == ["train/n001/0.JPEG: " + made["left_out"][0].partition(": ")[2]]
    assert made["classes"] == NAMES
    prepare(folders, stopped, recipe, jobs=1)
    (stopped / "manifest.json").unlink()
    (stopped / "train-00001.tar").unlink()
    first = (stopped / "train-00000.tar").stat().st_mtime_ns
    (stopped / "preparing.json").write_text("{}")
    with pytest.raises(UserError, match="begun from other images or with other settings"):
        prepare(folders, stopped, recipe, jobs=1)
    (stopped / "preparing.json").unlink()
    assert prepare(folders, stopped, recipe, jobs=1) == made
    assert (stopped / "train-00000.tar").stat().st_mtime_ns == first
    for tar in straight.glob("*.tar"):
        assert tar.read_bytes() == (stopped / tar.name).read_bytes()
    source = find(straight, "train")
    assert source is not None
    assert min(decode(source.raw(0)).size) == 12
    assert source.labels.tolist() == [0] * 4 + [1] * 3 + [2] * 4
    assert manifest_of(straight) == made


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Released(train=12, test=3, classes=CLASSES, licence="of the test", source="make it")
    monkeypatch.setitem(released.RELEASED, "imagenet-1k", known)


@pytest.mark.usefixtures("small")
def test_the_command_line_checks_and_prepares(folders: Path) -> None:
    root = folders.parent
    folders.rename(root / "imagenet-1k")
    call = lambda *args: CliRunner().invoke(cli, ["data", *args, "--root", str(root)])  # noqa: E731
    right = call("check", "imagenet-1k", "--decode")
    assert right.exit_code == 0, right.output
    assert "train: 12 of 12 images, as folders" in right.output
    prepared = call("prepare", "imagenet", "--short-edge", "32", "--jobs", "1")
    assert prepared.exit_code == 0, prepared.output
    assert (root / "imagenet-1k-32px" / "train-00000.tar").exists()
    assert "re-encoded: short edge 32 pixels" in call("check", "imagenet-1k", "--short-edge", "32").output
    path = root / "imagenet-1k" / "train" / NAMES[0] / "0.JPEG"
    path.write_bytes(encoded(1, "PNG", "P"))
    (root / "imagenet-1k" / "val" / NAMES[1] / "0.JPEG").write_bytes(b"torn")
    (root / "imagenet-1k" / "train" / NAMES[0] / "1.JPEG").unlink()
    wrong = call("check", "imagenet-1k", "--decode")
    assert isinstance(wrong.exception, UserError)
    for line in ("1 are palette, used as RGB", "! train: 1 images missing", "cannot be read: val/n001/0.JPEG",
                 "licence: of the test", "get it: make it"):  # fmt: skip
        assert line in wrong.output
    absent = CliRunner().invoke(cli, ["data", "check", "imagenet-1k", "--root", str(root / "nowhere")])
    assert "12 images expected" in absent.output


class Here:
    """An executor without processes."""

    def __init__(self, jobs: int) -> None: ...

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *error: object) -> None: ...

    map = staticmethod(map)


def _killed(folders: Path, target: Path) -> None:
    image_prepare.ProcessPoolExecutor = Here  # type: ignore[assignment, misc]
    prepare(folders, target, Recipe(12, 90, 5), 1, told=lambda n: os.kill(os.getpid(), signal.SIGKILL))


def test_prepare_survives_sigkill(folders: Path, tmp_path: Path) -> None:
    target = tmp_path / "killed"
    process = multiprocessing.get_context("fork").Process(target=_killed, args=(folders, target))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(list(target.glob("*.tar"))) == 1
    made = prepare(folders, target, Recipe(12, 90, 5), jobs=1)
    assert made["left_out"] == []
    assert len(list(target.glob("*.tar"))) == 4


def test_folders_know_their_classes(folders: Path) -> None:
    source = find(folders, "train")
    assert isinstance(source, Folders)
    assert source.classes == NAMES
    assert image_prepare.images_in(folders) == CLASSES * EACH + CLASSES
