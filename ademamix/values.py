"""What specs are made of: frozen values whose fields say what they mean, and families of variants.

A field's *role* says how the paper's value becomes a scale's (`ademamix.scale` walks the roles), its
*symbol* how people call it. Both stand in the field's annotation and nowhere else:

    alpha_warmup: Annotated[Warmup, Role.STEPS] = None
    alpha: Annotated[NonNegative, Symbol("α")]
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ademamix.errors import UserError, did_you_mean

M = TypeVar("M")


class Role(Enum):
    """What a field means when the paper's value becomes a scale's."""

    STEPS = auto()  # steps of the paper: a length, a warm-up, the step of a fork
    BETA = auto()  # of an average of gradients: mapped in half-life
    SQUARED_BETA = auto()  # of the average of squared gradients (β2)
    RATE = auto()  # a learning rate: a multiple of a set-up's best one
    MODEL = auto()  # the scale's own model of the set-up
    DATA = auto()  # the scale's own data for the task
    BATCH = auto()  # relative to the set-up's own batch
    SEQUENCE = auto()  # the scale's own length of a sample
    AUGMENTATION = auto()  # the scale's own, of images
    PRECISION = auto()  # the scale's own
    COMPILED = auto()  # not at scales for CPUs
    SEED = auto()


@dataclass(frozen=True)
class Symbol:
    """How people call a field; `brief`: descriptions of a run show it."""

    text: str
    brief: bool = False


Steps = Annotated[int, Field(ge=1)]
Warmup = Annotated[int, Field(ge=1)] | None  # in steps; None: none
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Number = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Shared:
    """An immutable value, which is its own copy: pandas copies a frame's `attrs` for every part it takes."""

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self


class Frozen(Shared, BaseModel):
    """An immutable value that refuses unknown keys and non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


def marks(model: type[BaseModel], kind: type[M]) -> dict[str, M]:
    """Field → its mark of that kind (`Role` or `Symbol`), for the fields of `model` that have one."""
    found = {}
    for name, field in model.model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, kind):
                found[name] = mark
    return found


class Variant(Frozen):
    """One of a family of values, told apart by a tag: `kind`, or what `TAG` of the family names.

    A family is a class with `FAMILY`, what its members are called together; its members are the subclasses
    that narrow the tag to one literal, and defining one is all that it takes to add it.
    """

    TAG: ClassVar[str] = "kind"
    FAMILY: ClassVar[str]
    MEMBERS: ClassVar[dict[str, type["Variant"]]]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "FAMILY" in cls.__dict__:
            cls.MEMBERS = {}
        elif tag := cls.tag():
            taken = cls.MEMBERS.get(tag)
            if taken is not None and taken.__qualname__ != cls.__qualname__:
                raise TypeError(f"{cls.__name__}: the {cls.FAMILY} '{tag}' is {taken.__name__}; name another")
            cls.MEMBERS[tag] = cls

    @classmethod
    def tag(cls) -> str | None:
        """The literal that names this member; None for what several members have in common."""
        field = cls.model_fields.get(cls.TAG)
        choices = get_args(field.annotation) if field else ()
        return choices[0] if len(choices) == 1 else None

    @classmethod
    def member(cls, tag: object) -> type[Self]:
        """The member called `tag`.

        Raises:
            UnknownVariant: there is none; names the nearest.
        """
        found = cls.MEMBERS.get(tag) if isinstance(tag, str) else None
        if found is None or not issubclass(found, cls):
            near = did_you_mean(str(tag), [str(found.tag()) for found in cls.members()])
            raise UnknownVariant(f"unknown {cls.FAMILY} '{tag}'{near}")
        return found

    @classmethod
    def members(cls) -> list[type[Self]]:
        """All members, in the order of their definition."""
        return [found for found in cls.MEMBERS.values() if issubclass(found, cls)]

    @classmethod
    def read(cls, value: Any) -> Any:
        """`value` as a member of this family: a member itself, or a mapping with its tag.

        What a field that may hold any member is validated with.
        """
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise UnknownVariant(f"needs a mapping with '{cls.TAG}', the {cls.FAMILY}")
        return cls.member(value.get(cls.TAG)).model_validate(value)


class UnknownVariant(ValueError):
    """A tag that no member of a family has."""


def canonical(value: Any) -> Any:
    """`value` as plain JSON data: floats to 12 significant digits, fields at their default left out.

    Leaving defaults out is what lets a new field with a default keep every old id. What names a
    variant always stays.
    """
    if isinstance(value, BaseModel):
        found = {}
        for name, always, default in _fields(type(value)):
            plain = canonical(getattr(value, name))
            if always or plain != default:
                found[name] = plain
        return found
    if isinstance(value, Mapping):
        return {key: canonical(value[key]) for key in value}
    if isinstance(value, float):
        return float(f"{value:.12g}") + 0.0  # −0 is 0
    return value


@cache
def _fields(model: type[BaseModel]) -> list[tuple[str, bool, Any]]:
    """(name, whether it is never left out, its default as plain data) of every field."""
    tag = getattr(model, "TAG", None)
    return [
        (name, field.is_required() or name == tag, canonical(field.default))
        for name, field in model.model_fields.items()
    ]


def user_error(error: ValidationError, model: type[BaseModel], data: Any, where: str = "") -> UserError:
    """What pydantic found wrong with `data` for a `model`, as one line in the user's terms.

    `UnknownKey` where a key is misspelt: a misspelt key is also a missing one, and the better thing to say.
    """
    first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    path = [str(part) for part in first["loc"]]
    key, prefix = ".".join(path), f"{where}: " if where else ""
    if first["type"] == "extra_forbidden":
        try:
            owner = _owner(model, data, path[:-1])
        except (KeyError, AttributeError, TypeError):  # it lies in a list
            owner = None
        near = did_you_mean(path[-1], owner.model_fields if owner else ())
        return UnknownKey(f"{prefix}unknown key '{key}'{near}")
    message = first["msg"].removeprefix("Value error, ")
    given = first["input"]
    if not isinstance(given, Mapping | BaseModel):
        message += f" (got {given!r})"
    return UserError(f"{prefix}{key}: {message}" if key else f"{prefix}{message}")


class UnknownKey(UserError):
    """A key that a value does not have."""


def _owner(model: type[BaseModel], data: Any, path: list[str]) -> type[BaseModel] | None:
    """The model whose keys stand at `path` of `data`."""
    for name in path:
        value = data[name] if isinstance(data, Mapping) else getattr(data, name)
        if isinstance(value, BaseModel):
            model, data = type(value), value
            continue
        annotation = model.model_fields[name].annotation if name in model.model_fields else None
        kinds = [k for k in (annotation, *get_args(annotation)) if isinstance(k, type)]
        inner = next((k for k in kinds if issubclass(k, BaseModel)), None)
        if inner is None or not isinstance(value, Mapping):
            return None
        model = inner.member(value.get(inner.TAG)) if issubclass(inner, Variant) else inner
        data = value
    return model
