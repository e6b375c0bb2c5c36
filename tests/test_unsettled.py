"""Set-ups that a scale has not settled are not trained by mistake."""

import pytest

from ademamix.cli.options import chosen, settled
from ademamix.errors import UserError
from ademamix.scale import scale


def test_what_is_not_settled_is_left_out_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    at = scale("cpu").model_copy(update={"unsettled": {"vit-86M/imagenet-1k": "not chosen yet"}})
    figures = chosen(("6", "12"), (), at)
    assert [f.name for f in settled(figures, at, named=False)] == ["figure-12"]
    assert "left out: Figure 6 (not chosen yet)" in capsys.readouterr().err
    with pytest.raises(UserError, match="Figure 6 at scale cpu: not chosen yet; to try it"):
        settled(figures, at, named=True)
    assert settled(figures, scale("smoke"), named=True) == figures
