"""An hour on one GPU: what is worth most comes first, and every call goes on where the last one ended.

    make gpu-day MINUTES=9 OUT=DIR                (or: python -m benchmarks.gpu_day --minutes 9 --out DIR)

The tests that need a GPU; what a step of the optimizer and of the training costs; packs against runs one by
one; then the figures of scale `gpu`, each after the learning rates that it needs were tuned. DIR holds what
came out, small enough to carry: `results.tar.gz` is all of it in one file, from which another machine goes
on. docs/gpu.md says how. With --device cpu --scale smoke it is rehearsed anywhere.
"""

import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from ademamix.checkout import checkout, data_root
from ademamix.scale import Scale, scale
from ademamix.training.stop import Stop, catching
from analysis.artifacts import needs
from benchmarks import tuned
from benchmarks.steps import Ledger, Step
from experiments import registry

FIRST = ("1", "12", "4", "9", "5", "16", "17", "13", "14", "6", "30")  # then the others, by number
TUNED = ("110M", "330M", "1.3B", "6-layer")  # set-ups whose learning rates are searched
RATES = "1e-3,1.5e-3,2.1e-3,3e-3,4.2e-3,6e-3"
ROUNDS = 3  # of a search: after each, rates are added on a side where none was worse
SEED = "100"  # of the trials; no figure reports it
GPU_TESTS = (
    "tests/optim/test_gpu.py",
    "tests/training/test_pack.py::test_a_pack_on_a_gpu",
    "tests/training/test_step.py::test_nothing_in_a_step_waits_for_the_gpu",
)
ARCHIVE = "results.tar.gz"
LIMIT = 16 * 2**20  # bytes that can be carried


@dataclass(frozen=True)
class Places:
    """What a call works on.

    Attributes:
        out: results.
        runs: the store, which stays here.
        data: the data root.
        device: 'cuda' or 'cpu'.
        pack: members of a pack; None: the scale's.
        quick: a rehearsal: a few updates for each timing.
    """

    out: Path
    runs: Path
    data: Path
    device: str
    pack: str | None
    quick: bool

    @property
    def scale_file(self) -> Path:
        return self.out / "scale" / "gpu-day.yaml"

    @property
    def records(self) -> Path:
        return self.out / "figures" / self.scale_file.stem / "records"

    def minutes(self, usual: float) -> float:
        """That have to be left to begin what usually takes so many."""
        return 0.2 if self.quick else usual

    def trains(self, *arguments: str) -> list[str]:
        """A verb that trains, here."""
        more = ["--pack", self.pack] if self.pack else []
        one = ["--jobs", "1"] if self.device == "cpu" else []
        return [*self.looks(*arguments), "--device", self.device, *one, *more]

    def looks(self, *arguments: str) -> list[str]:
        """A verb that trains nothing."""
        return [*self.stores(*arguments), "--scale", str(self.scale_file)]

    def stores(self, *arguments: str) -> list[str]:
        """A verb that knows the store. Which corpus there is, and so which runs, depends on the data root."""
        return ["-m", "ademamix", *arguments, "--runs", str(self.runs), "--data", str(self.data)]


def measurements(at: Places, of: str) -> Iterator[Step]:
    """Tests and timings, up to those of packs; `of`: the scale whose runs are packed."""
    device, out = at.device, str(at.out / "benchmarks")
    on_device = {"TRITON_INTERPRET": "0"} if device == "cuda" else {}
    tests = ["-m", "pytest", "-q", "-rs", "-n", "0", *GPU_TESTS]
    yield Step("tests", tests, at.minutes(8), environment=on_device)
    short = ["--list", "1M", "--rounds", "2"] if at.quick else []
    yield Step(
        "optimizer", ["-m", "benchmarks.optimizer", "--device", device, "--out", out, *short], at.minutes(6)
    )
    yield training(at, "110M")
    few = ["--rounds", "1", "--updates", "3", "--members", "1,2"] if at.quick else []
    packs = ["-m", "benchmarks.packing", "--device", device, "--scale", of, "--out", out, *few]
    yield Step("packing", packs, at.minutes(5))


def training(at: Places, size: str) -> Step:
    """The timing of one size's training."""
    few = ["--rounds", "1", "--updates", "2"] if at.quick else ["--rounds", "5"]
    where = ["--device", at.device, "--out", str(at.out / "benchmarks")]
    return Step(
        f"training-{size}", ["-m", "benchmarks.training", "--size", size, *where, *few], at.minutes(8)
    )


def tune(at: Places, size: str, optimizer: str, rates: Sequence[float], number: int) -> Step:
    """The trials of one optimizer and set-up."""
    values = "optimizer.lr=" + ",".join(f"{lr:g}" for lr in rates)
    asked = ["sweep", "run", "--size", size, "--optimizer", optimizer, "--set", values, "--seeds", SEED]
    report = ["--evidence", "--name", f"{size}-{optimizer}", "--out", str(at.runs / "sweeps")]
    return Step(f"tune-{size}-{optimizer}-{number}", at.trains(*asked, *report), 1, resumes=True)


def figures(of: Scale) -> dict[str, list[str]]:
    """Figures that train something, in order of value → their set-ups that are tuned."""
    wanted = needs(registry.figures().values(), of)
    order = [*FIRST, *sorted(wanted.keys() - {*FIRST}, key=int)]
    names = {number: {need.paper.setup.name for need in wanted[number] if need.paper} for number in order}
    return {number: [size for size in TUNED if size in found] for number, found in names.items() if found}


def search(at: Places, ledger: Ledger, size: str, first: Sequence[float]) -> bool:
    """Tune a set-up and state its rates in the scale file; False where the time is over."""
    name = f"rates-{size}"
    if ledger.state(name):
        return True
    for number in range(ROUNDS):
        rates = tuned.wider(at.scale_file, size, first)
        if not rates:
            break
        steps = [tune(at, size, kind, rates, number) for kind in tuned.KINDS]
        if not all(map(ledger.carry_out, steps)):
            return False
        if any(ledger.state(step.name) == "failed" for step in steps):
            ledger.note(name, "failed", why="its trials failed; the figures take the rates that were there")
            return True
    tuned.settle(at.scale_file, size)
    ledger.note(name, "done")
    return True


def day(at: Places, ledger: Ledger, of: str, rates: Sequence[float], only: Sequence[str]) -> bool:
    """Everything in its order; False where the time was over before the end."""
    if not all(map(ledger.carry_out, measurements(at, of))):
        return False
    for number, sizes in figures(scale(of)).items():
        if only and number not in only:
            continue
        if not all(search(at, ledger, size, rates) for size in sizes):
            return False
        # A corpus of other versions may be a little smaller than the longest run.
        command = at.trains("run", "--figure", number, "--out", str(at.out / "figures"), "--repeat-data",
                            "--format", "png")  # fmt: skip
        if not ledger.carry_out(Step(f"figure-{number}", command, 1, resumes=True)):
            return False
    larger = () if at.device == "cpu" else ("330M", "1.3B")
    return all(ledger.carry_out(training(at, size)) for size in larger)


def bring_back(at: Places) -> None:
    """What an earlier call left behind, also one on another machine: its results, and its runs' records."""
    archive = at.out / ARCHIVE
    if archive.exists() and not (at.out / "state.json").exists():
        with tarfile.open(archive) as packed:
            # Pythons before 3.11.4, such as Debian 12's, have no filters.
            packed.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
            packed.extractall(at.out)


def loading(at: Places) -> Step:
    """Records that are here, into the store."""
    return Step("import", at.stores("import", "--from", str(at.records)))


def exporting(at: Places) -> Step:
    """The runs that are done, as records."""
    return Step("export", at.looks("export", "--out", str(at.out / "figures")))


def archive(out: Path) -> int:
    """All results in one file; returns its size."""
    path = out / ARCHIVE
    with tarfile.open(path, "w:gz") as packed:
        for file in sorted(out.rglob("*")):
            if file.is_file() and file != path:
                packed.add(file, str(file.relative_to(out)))
    return path.stat().st_size


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="What came out, and the state.")
@click.option("--minutes", default=9.0, show_default=True, help="Of this call.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cuda", show_default=True)
@click.option("--scale", "scale_name", default="gpu", show_default=True)
@click.option("--rates", default=RATES, show_default=True, help="Learning rates to begin a search with.")
@click.option("--figure", "only", multiple=True, metavar="N", help="Only these. [default: all]")
@click.option("--pack", help="Runs in one program, or auto. [default: the scale's]")
@click.option("--runs", type=click.Path(path_type=Path), help="The store. [default: OUT-runs]")
@click.option("--data", type=click.Path(path_type=Path), default=data_root, help="[default: data]")
@click.option("--quick", is_flag=True, help="A rehearsal: a few updates for each timing.")
@click.option("--retry", is_flag=True, help="Try again what failed.")
def main(
    out: Path,
    minutes: float,
    device: str,
    scale_name: str,
    rates: str,
    only: tuple[str, ...],
    pack: str | None,
    runs: Path | None,
    data: Path,
    quick: bool,
    retry: bool,
) -> None:
    out = out.absolute()
    store = (runs or out.with_name(f"{out.name}-runs")).absolute()
    at = Places(out, store, data.absolute(), device, pack, quick)
    out.mkdir(parents=True, exist_ok=True)
    at.data.mkdir(parents=True, exist_ok=True)
    bring_back(at)
    tuned.begin(at.scale_file, checkout() / "configs" / "scales" / f"{scale_name}.yaml")
    with catching() as stop:
        reserve = min(1.0, minutes / 5)
        ledger = Ledger(out, minutes - reserve, stop)
        if retry:
            ledger.forget_failures()
        if at.records.exists() and not store.exists():
            ledger.again(loading(at))
        ended = day(at, ledger, scale_name, [float(lr) for lr in rates.split(",")], only)
        Ledger(out, 2 + reserve, Stop()).again(exporting(at))  # after a signal, too
    size = archive(out)
    found = {name: what["state"] for name, what in Ledger(out, 0, stop).known.items()}
    click.echo(json.dumps(found, indent=1))
    click.echo(f"{out / ARCHIVE}: {size / 2**20:.1f} MB" + " (more than can be carried)" * (size > LIMIT))
    click.echo("all is done" if ended else "the time is over; call again to go on from here")


if __name__ == "__main__":
    main()
