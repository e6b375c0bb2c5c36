"""What token folders there are under a data root."""

import json
from pathlib import Path
from typing import Any

from ademamix import owner
from ademamix.data.tokens import Tokens
from ademamix.errors import UserError


def sets(root: Path) -> list[dict[str, Any]]:
    """Every set, by name: its counts and where it comes from, or how far its preparation is."""
    found = [_made(path.parent) for path in sorted(root.glob("*/manifest.json"))]
    return found + [_in_the_making(path.parent) for path in sorted(root.glob(".*.preparing/plan.json"))]


def _made(folder: Path) -> dict[str, Any]:
    about: dict[str, Any] = {"set": folder.name}
    try:
        tokens = Tokens(folder)
        splits = tokens.manifest["splits"]
        plan = tokens.manifest.get("plan") or {}
        return {
            **about,
            "state": "complete",
            "tokens": {split: sum(shard["tokens"] for shard in splits[split]) for split in splits},
            "vocabulary": tokens.vocabulary,
            "tokenizer": plan.get("tokenizer", {}).get("name"),
            "source": tokens.manifest["origin"].get("kind"),
            "digest": tokens.digest,
        }
    except (UserError, KeyError) as problem:
        return {**about, "state": "no token folder" if isinstance(problem, KeyError) else str(problem)}


def _in_the_making(folder: Path) -> dict[str, Any]:
    begun = json.loads((folder / "plan.json").read_text())
    done, units = len(list(folder.glob("unit-*.json"))), len(begun["units"])
    state = "being prepared" if owner.alive(folder) else "stopped"
    name = folder.name.removeprefix(".").removesuffix(".preparing")
    plan = begun["plan"]
    return {
        "set": name,
        "state": f"{state}, {done} of {units} parts",
        "vocabulary": plan["tokenizer"]["vocabulary"],
        "tokenizer": plan["tokenizer"]["name"],
        "source": plan["source"]["kind"],
    }
