"""What the file of a scale states: all of it, or, of one that is `like` another scale, what differs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ademamix.errors import UserError, did_you_mean
from ademamix.files import read_yaml

WHOLE = "unsettled"  # stated anew, not added to: what a scale has settled it leaves out
OF_A_CHECK = {"like", "check", "order", "seeds"}


def stated(path: Path, folder: Path) -> dict[str, Any]:
    """The fields of the scale in `path`, completed by those of the scale in `folder` that it is `like`.

    Raises:
        UserError: it names itself, is like no scale there or like one that is like another, or is a check
            that is like none, or is another scale than that.
    """
    own = read_yaml(path)
    if "name" in own:
        raise UserError(f"{path}: a scale is named after its file; leave out 'name'")
    if own.get("check") and not own.get("like"):
        raise UserError(f"{path}: a check repeats another scale; say which with 'like: NAME'")
    if other := sorted(own.keys() - OF_A_CHECK) if own.get("check") else []:
        raise UserError(f"{path}: a check is {own['like']} on other seeds; leave out '{other[0]}'")
    if not (like := own.get("like")):
        return own
    there = {file.stem: file for file in folder.glob("*.yaml")}
    if not isinstance(like, str) or like not in there:
        raise UserError(f"{path}: like: unknown scale '{like}'{did_you_mean(str(like), there)}")
    base = read_yaml(there[like])
    if base.get("like"):
        raise UserError(f"{path}: {like} is itself like {base['like']}; name that one")
    return completed(own, base)


def completed(own: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `base` with those of `own` in their place; of mappings, key by key.

    What has a `kind`, such as a model, is stated whole, since another kind has other fields.
    """
    found = {**base, **own}
    for key in own.keys() & base.keys() - {WHOLE}:
        mine, theirs = own[key], base[key]
        if isinstance(mine, Mapping) and isinstance(theirs, Mapping) and "kind" not in {*mine, *theirs}:
            found[key] = completed(mine, theirs)
    return found
