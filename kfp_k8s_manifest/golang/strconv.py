"""Numbers as Go's package `strconv` reads and writes them, as far as YAML needs it."""

from __future__ import annotations

import math
import re
import struct

__all__ = ["format_float32", "format_float64", "parse_float", "parse_integer"]

# The patterns are compiled on their first use: most manifests need none of them.
_INTEGER = r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]([0-7]+)|0[bB]([01]+)|(0[0-7]*)|([1-9][0-9]*))"
_BASES = (16, 8, 2, 8, 10)
# As in Go's own source code, single underscores may separate digits.
_DIGITS = "[0-9]+(?:_[0-9]+)*"
_DOTTED_FLOAT = rf"\.{_DIGITS}(?:[eE][-+]?{_DIGITS})?"
_LONGEST_INTEGER = 70
# Go takes the exponent form of %g for the shortest digits from 1e6 on.
_EXPONENT_FROM = 6


def parse_integer(text: str) -> int | None:
    """Read an integer as `strconv.ParseInt(text, 0, 64)` does, then `ParseUint`.

    Args:
        text: Digits with an optional sign and prefix, without underscores.

    Returns:
        A number within int64, or, without a sign, within uint64; None for everything else.
    """
    match = re.fullmatch(_INTEGER, text)
    if match is None:
        return None
    sign, which = match[1], match.lastindex
    assert which is not None
    digits, base = match[which].lstrip("0"), _BASES[which - 2]
    if len(digits) > _LONGEST_INTEGER:
        return None
    value = int(digits or "0", base)
    if sign == "-":
        return -value if value <= 2**63 else None
    return value if value < (2**63 if sign else 2**64) else None


def parse_float(text: str) -> float | None:
    """Read a decimal float as `strconv.ParseFloat(text, 64)` does, for text that starts with a dot.

    Args:
        text: The whole scalar.

    Returns:
        The nearest float; None where Go reports an error, also for numbers that are too large.
    """
    if re.fullmatch(_DOTTED_FLOAT, text) is None:
        return None
    value = float(text.replace("_", ""))
    return None if math.isinf(value) else value


def format_float32(value: float) -> str:
    """Write a float as sigs.k8s.io/yaml writes a key: `FormatFloat(value, 'g', -1, 32)`.

    Args:
        value: Any float. It is rounded to the nearest float32 first.

    Returns:
        The shortest digits that give this float32 back; `.inf`, `-.inf`, `.nan` for the rest.
    """
    if math.isnan(value):
        return ".nan"
    try:
        (single,) = struct.unpack("<f", struct.pack("<f", value))
    except OverflowError:
        single = math.copysign(math.inf, value)
    if math.isinf(single):
        return ".inf" if single > 0 else "-.inf"
    sign = "-" if math.copysign(1.0, single) < 0 else ""
    if single == 0:
        return sign + "0"
    return sign + _general(*_shortest32(abs(single)))


def format_float64(value: float) -> str:
    """Write a float as sigs.k8s.io/yaml writes a value: `FormatFloat(value, 'g', -1, 64)`.

    Args:
        value: A finite float.
    """
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if value == 0:
        return sign + "0"
    mantissa, _, power = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(digits) - len(fraction) + int(power or 0)
    return sign + _general(digits.rstrip("0"), point)


def _general(digits: str, point: int) -> str:
    """Write digits as `%g` does, whose precision is 6 where the fewest digits are asked for."""
    exponent = point - 1
    if exponent < -4 or exponent >= _EXPONENT_FROM:
        mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
        return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    return _positional(digits, point)


def _shortest32(value: float) -> tuple[str, int]:
    """Return the fewest digits that name a positive float32, and the position of the point."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    # A power of two lies nearer to the number below it than to the one above, and then the nearest
    # digits are not always those that name it; the greatest number has none above it.
    if bits & 0x7FFFFF and bits + 1 < 0x7F800000:
        low, high = (value + _from_bits(bits - 1)) / 2, (value + _from_bits(bits + 1)) / 2
        for count in range(9):
            text = f"{value:.{count}e}"
            named = float(text)
            if low < named < high:
                digits, _, exponent = text.replace(".", "").partition("e")
                return digits.rstrip("0"), int(exponent) + 1
            if named in (low, high):
                break
    return _shortest32_exactly(value, bits)


def _shortest32_exactly(value: float, bits: int) -> tuple[str, int]:
    # Imported here because it takes longer than all of this package, and hardly ever happens.
    from fractions import Fraction

    exact = Fraction(value)
    below = Fraction(*_from_bits(bits - 1).as_integer_ratio())
    if bits + 1 < 0x7F800000:
        above = Fraction(*_from_bits(bits + 1).as_integer_ratio())
    else:
        above = exact + (exact - below)
    low, high = (exact + below) / 2, (exact + above) / 2
    even = bits % 2 == 0
    exponent = math.floor(math.log10(value))
    if Fraction(10) ** exponent > exact:
        exponent -= 1
    elif Fraction(10) ** (exponent + 1) <= exact:
        exponent += 1
    for count in range(1, 10):
        unit = Fraction(10) ** (exponent - count + 1)
        floor = exact // unit
        fits = [
            number
            for number in (floor, floor + 1)
            if low < number * unit < high or (even and number * unit in (low, high))
        ]
        if fits:
            best = min(fits, key=lambda number: (abs(number * unit - exact), number % 2))
            digits = str(best)
            return digits.rstrip("0"), exponent + 1 + len(digits) - count
    raise AssertionError(f"nine digits name every float32, also {value!r}")


def _from_bits(bits: int) -> float:
    value: float = struct.unpack("<f", struct.pack("<I", bits))[0]
    return value


def _positional(digits: str, point: int) -> str:
    """Return digits without an exponent, with the point after as many of them."""
    if point <= 0:
        return "0." + "0" * -point + digits
    if len(digits) <= point:
        return digits + "0" * (point - len(digits))
    return f"{digits[:point]}.{digits[point:]}"
