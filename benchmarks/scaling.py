"""The tables of docs/scaling.md: a step on paper. Arithmetic alone; nothing is measured, torch is not needed.

python -m benchmarks.scaling
"""

from collections.abc import Iterator, Sequence

from ademamix.paper.runs import ADEMAMIX, run
from ademamix.paper.setups import PAPER_HORIZON
from ademamix.scale import scale
from ademamix.spec import RunSpec

SIZES = ("110M", "330M", "1.3B")
# Assumed, of an H100 SXM: dense bf16, the share of it that matrix products reach, memory, links.
PEAK, SHARE = 989e12, 0.5
MEMORY = 3.0e12  # bytes a second, of 3.35
LINKS = {8: 350e9, 64: 300e9}  # bus bandwidth of an all-reduce: NVLink; eight times 400 Gb/s a node
BACKWARD = 2 / 3  # of the time of a pass, which averaging gradients can hide behind
# Bytes a parameter that an update moves, in fp32: p, m1, ν (and m2) read and written, the gradient read.
UPDATE = {"AdamW": 28, "AdEMAMix": 36}
CLIP = 12  # its norm reads the gradient once; scaling it reads and writes it
STATE = {"AdamW": 16, "AdEMAMix": 20}  # bytes a parameter that are kept: weights, gradients, moments
ACTIVATIONS = 34  # bytes a token, layer and unit of width that the backward pass needs, at most
LOGITS = 12  # bytes a token and word of the vocabulary: in bf16 and fp32, and their gradients


def specs() -> dict[str, RunSpec]:
    """The paper's runs."""
    return {size: scale("paper").map(run(size, ADEMAMIX, PAPER_HORIZON)) for size in SIZES}


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    """In markdown."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def step() -> str:
    """What an update computes and moves, and what a GPU keeps for it."""

    def rows() -> Iterator[list[str]]:
        for size, spec in specs().items():
            n, model = spec.model.parameters(), spec.model
            tokens = 1024 * (scale("paper").passes(spec.task) or spec.batch)
            kept = tokens * ACTIVATIONS * model.width * model.layers / 1e9  # type: ignore[attr-defined]
            logits = tokens * LOGITS * model.vocabulary / 1e9  # type: ignore[attr-defined]
            yield [
                size, f"{n / 1e6:,.1f}M", f"{spec.batch}", f"{spec.flops_per_step / 1e12:,.1f}",
                *(f"{b * n / 1e9:.2f}" for b in UPDATE.values()), f"{CLIP * n / 1e9:.2f}",
                *(f"{b * n / 1e9:.1f}" for b in STATE.values()), f"{kept:.1f}", f"{logits:.1f}",
            ]  # fmt: skip

    return table(
        ["", "parameters", "windows", "TFLOP", "AdamW moves, GB", "AdEMAMix moves, GB",
         "norm and clipping, GB", "AdamW keeps, GB", "AdEMAMix keeps, GB", "activations of a pass ≤, GB",
         "logits, eager ≤, GB"],
        rows(),
    )  # fmt: skip


def seconds(spec: RunSpec, optimizer: str, gpus: int) -> tuple[float, float, float, float]:
    """Of an update on so many GPUs: passes, averaging, the part of it that shows, optimizer."""
    n = spec.model.parameters()
    passes = spec.flops_per_step / (PEAK * SHARE) / gpus
    average = 2 * (gpus - 1) / gpus * 4 * n / LINKS[gpus] if gpus > 1 else 0.0
    last = scale("paper").passes(spec.task) or spec.batch
    hidden = BACKWARD * passes * min(1.0, last * gpus / spec.batch)  # of the last pass alone
    return passes, average, max(0.0, average - hidden), (UPDATE[optimizer] + CLIP) * n / MEMORY


def speed() -> str:
    """Milliseconds of an update, and the efficiency that they mean."""

    def rows() -> Iterator[list[str]]:
        for size, spec in specs().items():
            for optimizer in UPDATE:
                passes, *_, update = seconds(spec, optimizer, 1)
                alone = passes + update
                for gpus in (1, 8, 64):
                    name = f"{size}, {optimizer}"
                    if spec.batch % gpus:
                        yield [name, f"{gpus}", f"{spec.batch} windows do not divide", *[""] * 5]
                        continue
                    passes, average, shown, update = seconds(spec, optimizer, gpus)
                    whole = passes + shown + update
                    parts = (f"{1e3 * s:.1f}" for s in (passes, average, shown, update, whole))
                    share = f"{alone / (gpus * whole):.0%}" if gpus > 1 else ""
                    yield [
                        name,
                        f"{gpus}",
                        f"{spec.batch // gpus}",
                        *list(parts)[:4],
                        f"{1e3 * whole:.1f}",
                        share,
                    ]

    return table(
        ["", "GPUs", "windows each", "passes, ms", "averaging, ms", "of it not hidden", "clip and update, ms",
         "update in all, ms", "efficiency ≤"],
        (row + [""] * (9 - len(row)) for row in rows()),
    )  # fmt: skip


def main() -> None:
    print(step(), speed(), sep="\n\n")


if __name__ == "__main__":
    main()
