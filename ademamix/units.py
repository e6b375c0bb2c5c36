"""Numbers as people read them."""


def short(number: float) -> str:
    """17,000,000,000 → '17G'."""
    for unit in ("", "k", "M", "G", "T"):
        if number < 999.5 or unit == "T":
            return f"{number:.3g}{unit}"
        number /= 1000
    raise AssertionError


def duration(hours: float) -> str:
    """0.002 → '7.2 s', 0.5 → '30 min', 36 → '1.5 days'."""
    for unit, size, most in (("s", 3600.0, 60.0), ("min", 60.0, 90.0), ("h", 1.0, 48.0)):
        if hours * size < most:
            return f"{hours * size:.3g} {unit}"
    return f"{hours / 24:.3g} days"
