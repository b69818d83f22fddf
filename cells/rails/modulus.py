"""Whether an account of a number can exist at a UK sort code. Pure, but for read_tables.

After "Validating account numbers: UK modulus checking" (Vocalink, for Pay.UK), read in version 7.70 of 25 March 2024; the numbers in
brackets are its sections. Its tables are not ours to ship, and are replaced several times a year: an operator installs the files as they
are published. Where the text leaves a choice, its test cases (3.1) decide: exception 5 asks for both checks (cases 23 and 24; the diagram of
1.2 would be content with one) and substitutes in both (case 15); the other weights of "2 and 9" are the first check's (case 20).
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self, TypeVar, cast, get_args

from residency.errors import KovraError

Method = Literal["MOD10", "MOD11", "DBLAL"]
_Table = TypeVar("_Table")

# Digits and weights are uvwxyz of the sort code, then abcdefgh of the account number (1.3.2). An account number's own places:
_A, _C, _G, _H = 0, 2, 6, 7
_ZEROISED: Final = 8  # u to b
_EXCEPTION_MAX = 14
# What 2.2.2 states itself, beside the tables.
_EXCEPTION_2_WEIGHTS: Final = (0, 0, 1, 2, 5, 3, 6, 4, 8, 7, 10, 9, 3, 1)
_EXCEPTION_1_ADDS = 27
_EXCEPTION_8_SORT_CODE = "090126"
_EXCEPTION_9_SORT_CODE = "309634"
# Of these pairs one check that passes is enough; of any other, both must.
_EITHER: Final = {(2, 9), (10, 11), (12, 13)}

# The fields of 2.3.2 and of exception 5 in 2.2.2; how many spaces are between them is not told apart.
_WEIGHT_LINE = re.compile(
    rf"([0-9]{{6}}) +([0-9]{{6}}) +({'|'.join(get_args(Method))})((?: +-?[0-9]{{1,3}}){{14}})(?: +([0-9]{{1,3}}))?"
)
_SUBSTITUTION_LINE = re.compile(r"([0-9]{6}) +([0-9]{6})")


class ModulusTableInvalid(KovraError):
    """The API of a cell that was told to check by a table does not start without it."""

    code = "modulus-table-invalid"
    title = "A table of the modulus check cannot be read"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the weight table: a check for the sort codes `first` to `last`, both included."""

    first: str
    last: str
    method: Method
    weights: tuple[int, ...]
    exception: int | None

    @property
    def modulus(self) -> int:
        return 11 if self.method == "MOD11" else 10


@dataclass(frozen=True, slots=True)
class ModulusTables:
    """What parse_weights and parse_substitutions give."""

    checks: tuple[Check, ...]
    substitutions: Mapping[str, str]

    @classmethod
    def parse(cls, weights: str, substitutions: str) -> Self:
        """Raises ModulusTableInvalid."""
        return cls(parse_weights(weights), parse_substitutions(substitutions))

    def check(self, sort_code: str, account_number: str) -> bool:
        """Whether the pair (six digits and eight) can be an account. A sort code that the table does not have cannot be checked, and
        is presumed valid (2.2.1)."""
        found = self._checks_of(sort_code)
        exceptions = tuple(one.exception for one in found)
        if 6 in exceptions and _is_foreign(account_number):
            return True
        passed = (self._passes(one, sort_code, account_number) for one in found)
        return any(passed) if exceptions in _EITHER else all(passed)

    def _checks_of(self, sort_code: str) -> Sequence[Check]:
        """None, one or two, in the table's order; parse_weights has made sure that there are no more."""
        end = bisect_right(self.checks, sort_code, key=lambda one: one.first)
        return [one for one in self.checks[max(0, end - 2) : end] if sort_code <= one.last]

    def _passes(self, check: Check, sort_code: str, number: str) -> bool:
        """One check with its exception (2.2.2). Those that are of a pair, and 6, are `check`'s affair."""
        digits = self._sort_code_for(check, sort_code) + number
        total = _total(check.method, _weights_for(check, number), digits)
        match check.exception:
            case 1:
                return (total + _EXCEPTION_1_ADDS) % check.modulus == 0
            case 3 if number[_C] in "69":
                return True
            case 4:
                return total % check.modulus == int(number[_G:])
            case 5:
                # A remainder of 1 needs the check digit 10 of a MOD11, which no digit is.
                return -total % check.modulus == int(number[_G if check.method == "MOD11" else _H])
            case 14 if total % check.modulus:
                moved = sort_code + "0" + number[:_H]
                return number[_H] in "019" and _total(check.method, check.weights, moved) % check.modulus == 0
        return total % check.modulus == 0

    def _sort_code_for(self, check: Check, sort_code: str) -> str:
        match check.exception:
            case 5:
                return self.substitutions.get(sort_code, sort_code)
            case 8:
                return _EXCEPTION_8_SORT_CODE
            case 9:
                return _EXCEPTION_9_SORT_CODE
        return sort_code


def _weights_for(check: Check, number: str) -> Sequence[int]:
    a, ab, g = number[_A], number[: _A + 2], number[_G]
    match check.exception:
        case 2 if a != "0":
            return _zeroised(_EXCEPTION_2_WEIGHTS) if g == "9" else _EXCEPTION_2_WEIGHTS
        case 7 if g == "9":
            return _zeroised(check.weights)
        case 10 if ab in ("09", "99") and g == "9":
            return _zeroised(check.weights)
    return check.weights


def _zeroised(weights: Sequence[int]) -> Sequence[int]:
    return (0,) * _ZEROISED + tuple(weights[_ZEROISED:])


def _is_foreign(number: str) -> bool:
    """Exception 6 (2.2.2): an account in a foreign currency, which cannot be checked."""
    return number[_A] in "45678" and number[_G] == number[_H]


def _total(method: Method, weights: Sequence[int], digits: str) -> int:
    """The sum of the weighted digits (1.3.4), in a double alternate check of the digits that these have (1.3.3)."""
    products = [weight * int(digit) for weight, digit in zip(weights, digits, strict=True)]
    if method == "DBLAL":
        return sum(int(digit) for product in products for digit in str(product))
    return sum(products)


def read_tables(weights: Path, substitutions: Path) -> ModulusTables:
    """Both files as published. Raises ModulusTableInvalid, which names the file and the line."""
    return ModulusTables(_read(weights, parse_weights), _read(substitutions, parse_substitutions))


def _read(path: Path, parse: Callable[[str], _Table]) -> _Table:
    try:
        return parse(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModulusTableInvalid(f"Cannot read {path}: {error}") from error
    except ModulusTableInvalid as error:
        raise ModulusTableInvalid(f"{path}: {error.detail}") from None


def parse_weights(text: str) -> tuple[Check, ...]:
    """VALACDOS.txt (2.3.2): in the order of sort codes, one line or two for a range. Raises ModulusTableInvalid."""
    checks: list[Check] = []
    for number, line in _lines(text):
        found = _WEIGHT_LINE.fullmatch(line)
        if found is None:
            raise _bad(
                number, "is not two sort codes, MOD10, MOD11 or DBLAL, fourteen weights and perhaps an exception"
            )
        first, last, method, weights, exception = found.groups()
        weighted = tuple(int(one) for one in weights.split())
        check = Check(first, last, cast("Method", method), weighted, None if exception is None else int(exception))
        if fault := _fault(check, checks):
            raise _bad(number, fault)
        checks.append(check)
    if not checks:
        raise ModulusTableInvalid("The weight table is empty.")
    return tuple(checks)


def _fault(check: Check, before: Sequence[Check]) -> str | None:
    """What could not be followed to the letter: better no table than one that is guessed at."""
    if check.last < check.first:
        return "ends before it begins"
    if check.exception is not None and not 1 <= check.exception <= _EXCEPTION_MAX:
        return f"has exception {check.exception}, and 1 to {_EXCEPTION_MAX} are known"
    if check.method == "DBLAL" and min(check.weights) < 0:
        return "adds up the digits of a negative number"
    same = [one for one in before[-2:] if (one.first, one.last) == (check.first, check.last)]
    if len(same) > 1:
        return "is the third for its sort codes"
    if before and not same and check.first <= before[-1].last:
        return "does not come after the sort codes of the line before it"
    return None


def parse_substitutions(text: str) -> dict[str, str]:
    """SCSUBTAB.txt (2.2.2, exception 5): by original sort code, the one to check with. Raises ModulusTableInvalid."""
    substitutions: dict[str, str] = {}
    for number, line in _lines(text):
        found = _SUBSTITUTION_LINE.fullmatch(line)
        if found is None:
            raise _bad(number, "is not two sort codes")
        if found[1] in substitutions:
            raise _bad(number, "substitutes a sort code again")
        substitutions[found[1]] = found[2]
    if not substitutions:
        raise ModulusTableInvalid("The substitution table is empty.")
    return substitutions


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Those that are not blank, with their numbers."""
    return ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip())


def _bad(number: int, what: str) -> ModulusTableInvalid:
    return ModulusTableInvalid(f"Line {number} {what}.")
