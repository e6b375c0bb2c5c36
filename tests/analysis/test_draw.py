"""What is done to every drawing: subscripts as mathematics, a line that says what it is of."""

import pytest

from ademamix.scale import scale
from analysis.caption import caption
from analysis.draw import SUBSCRIPTS
from analysis.style import colour
from experiments import registry


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


def test_the_longest_name_that_fits_has_the_colour() -> None:
    assert colour("AdamW 256k") == colour("AdamW")
    assert colour("AdEMAMix, β3 = 0.999") == colour("AdEMAMix")
    assert colour("Adam, β1 = 0.9") == colour("AdamW")
