"""What a question costs: those of Figure 8 and Table 7, asked of untrained models of their size.

    python benchmarks/evaluation.py [--scale cpu] [--device cpu]

On a CPU in seconds of one processor, which other load hardly changes; on a GPU by the clock. The least of
some rounds, written to benchmarks/results/evaluation-{cpu,cuda}.json, which `ademamix plan` reads.
"""

import os
import time
from pathlib import Path
from typing import Any

import click
import torch

from ademamix.checkout import checkout
from ademamix.evaluation.measure import evaluate
from ademamix.files import write_json
from ademamix.models import build
from ademamix.quantities import Accuracy
from ademamix.scale import scale
from ademamix.training.machine import machine
from experiments.fig08_table7_evaluation.table_7 import needs
from experiments.fig08_table7_evaluation.tasks import SIZE


@click.command()
@click.option("--scale", "name", default="cpu", show_default=True)
@click.option("--device", "device_name", default="cpu", show_default=True)
@click.option("--data", type=click.Path(path_type=Path), default=lambda: checkout() / "data")
@click.option("--questions", default=400, show_default=True, help="Of each task.")
@click.option("--rounds", default=5, show_default=True)
def main(name: str, device_name: str, data: Path, questions: int, rounds: int) -> None:
    """Measure, print and write."""
    torch.set_num_threads(1)
    device, load = torch.device(device_name), os.getloadavg()[0]
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    need = needs(scale(name))[0]
    task = need.run.open(data, device)
    model = build(need.run.model, 0).to(device).eval()
    runs: list[dict[str, Any]] = []
    for quantity in need.observe:
        assert isinstance(quantity, Accuracy)
        asked = Accuracy(task=f"{quantity.name}/{questions}")
        spent = []
        for _ in range(rounds):
            start = clock()
            found = evaluate(asked, model, need.run, task.tokens.folder, device)  # type: ignore[attr-defined]
            spent.append((clock() - start) / len(found.right))
        runs.append({"scale": name, "size": SIZE, "task": quantity.name, "seconds a question": min(spent)})
        click.echo(f"{quantity.name}: {1e3 * min(spent):.3g} ms a question")
    about = {**machine(device), "cores": os.cpu_count(), "load before": round(load, 2)}
    path = checkout() / "benchmarks" / "results" / f"evaluation-{device.type}.json"
    write_json(path, {"machine": about, "questions": questions, "rounds": rounds, "runs": runs})


if __name__ == "__main__":
    main()
