"""What is done to every drawing: subscripts as mathematics, a line that says what it is of."""

import itertools
import re
from pathlib import Path

import pytest
from PIL import Image

from ademamix.checkout import checkout
from ademamix.scale import scale
from analysis import curves
from analysis.caption import caption
from analysis.draw import SUBSCRIPTS, write_drawing
from analysis.style import LOOKS, Look, colour
from experiments import registry
from tests.command_line import cli


@pytest.mark.parametrize(
    ("plain", "set_"),
    [
        ("β3 = 0.9999", "$β_{3}$ = 0.9999"),
        ("T_β3 = 256k, T_α varies", "$T_{β3}$ = 256k, $T_{α}$ varies"),
        ("t_B = 90k", "$t_{B}$ = 90k"),
        ("loss on B_τ, normalised", "loss on $B_{τ}$, normalised"),
        ("m1 + α·m2", "$m_{1}$ + α·$m_{2}$"),
        ("distance to (1, 1), 5 ms, me, x", "distance to (1, 1), 5 ms, me, x"),
        ("AdEMAMix, width 48", "AdEMAMix, width 48"),
    ],
)
def test_letters_with_subscripts(plain: str, set_: str) -> None:
    found = SUBSCRIPTS.sub(lambda m: f"${m[1] or m[3]}_{{{m[2] or m[4]}}}$", plain)
    assert found == set_


def test_a_drawing_says_what_it_is_of() -> None:
    (figure,) = registry.named("12")
    text = caption(figure, scale("cpu"))
    assert text.startswith("scale cpu · 110M: ")
    assert f"256k of the paper = {scale('cpu').horizon:,} updates" in text
    other = scale("cpu").model_copy(
        update={"seeds": scale("cpu").seeds.model_copy(update={"sweep": (7, 8, 9)})}
    )
    assert "seeds 7–9" in caption(figure, other)
    changed = caption(figure, scale("cpu"), ["model.layers=7"])
    assert changed.endswith("changed: model.layers=7")
    assert changed.split(" · ")[1] != text.split(" · ")[1]


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("panels", [1, 3])
def test_a_legend_below_covers_nothing_at_any_size_of_type(look: Look, panels: int) -> None:
    from matplotlib import pyplot as plt

    with plt.rc_context(look.settings()):
        figure, axes = curves.grid(panels, below=0.6)
        for one in axes:
            for name in ("AdamW", "AdEMAMix, 256k", "AdEMAMix, 500k", "AdEMAMix, 1M"):
                one.plot([0, 1], label=name)
            one.set_xlabel("iterations")
            curves.legend_below(one)
        figure.set_figheight(look.heights * figure.get_figheight())
        figure.draw_without_rendering()
        names = [one.xaxis.label.get_window_extent() for one in axes]
        legends = [one.get_legend().get_window_extent() for one in axes]
        plt.close(figure)
    assert all(legend.y1 <= name.y0 for legend, name in zip(legends, names, strict=True))
    assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(legends))
    assert all(legend.x0 >= 0 and legend.x1 <= figure.bbox.x1 and legend.y0 >= 0 for legend in legends)


def test_drawings_for_talks_are_higher_and_say_all_of_what_they_are(tmp_path: Path) -> None:
    table = checkout() / "figures" / "cpu" / "figure-03c.csv"
    (figure,) = registry.named("3c")
    sizes = []
    for name, look in LOOKS.items():
        png, _, svg = write_drawing(figure, table, tmp_path / name, look)
        sizes.append(Image.open(png).size)
        words = "".join(re.findall(r">([^<>]*)</text>", svg.read_text()))
        assert "updates" in words
    (width, height), talk = sizes
    assert talk == (width, pytest.approx(LOOKS["talk"].heights * height, abs=1))


def test_formats_are_chosen_where_nothing_committed_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("--figure", "3c", "--scale", "cpu")

    def drawn(name: str, *formats: str) -> list[Path]:
        words = [word for one in formats for word in ("--format", one)]
        done = cli("plot", *where, "--out", str(tmp_path / name), *words)
        assert done.returncode == 0, done.stderr
        return list(map(Path, done.stdout.splitlines()))

    monkeypatch.setenv("ADEMAMIX_FORMATS", "png")
    assert [path.suffix for path in drawn("by the environment")] == [".png"]
    png, svg = drawn("two", "svg", "png")
    assert (png.suffix, svg.suffix) == (".png", ".svg")
    (alone,) = drawn("alone", "svg")
    committed = checkout() / "figures" / "cpu" / "figure-03c.svg"
    assert alone.read_bytes() == svg.read_bytes() == committed.read_bytes()
    for verb in ("plot", "run"):
        refused = cli(verb, *where, "--format", "svg")
        assert refused.returncode == 1
        assert "--format does not draw what is committed; say where to draw: --out DIR" in refused.stderr
    monkeypatch.setenv("ADEMAMIX_FORMATS", "gif")
    refused = cli("plot", *where, "--out", str(tmp_path))
    assert refused.stderr == "ademamix: ADEMAMIX_FORMATS: no format 'gif'; there are png, pdf, svg\n"


def test_the_longest_name_that_fits_has_the_colour() -> None:
    assert colour("AdamW 256k") == colour("AdamW")
    assert colour("AdEMAMix, β3 = 0.999") == colour("AdEMAMix")
    assert colour("Adam, β1 = 0.9") == colour("AdamW")
