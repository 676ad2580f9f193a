"""Cases one after another from a seed, until something is wrong or they are used up."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from pytest_mock import MockerFixture

from fakes.proof.session import Case, Proof, cases
from spinhw.instruments import discovery

CHUNK = 100  # States of one seed.


@dataclass(frozen=True)
class Found:
    """The first case in which something was wrong.

    Args:
        after: How many states it took, this one included.
        wrong: What was wrong.
        case: The case.
    """

    after: int
    wrong: list[str]
    case: Case


def hurry(mocker: MockerFixture) -> None:
    """Read each profile once."""
    mocker.patch.object(discovery, "load_profile", _load_profile)


_load_profile = cache(discovery.load_profile)


class _Enough(BaseException):
    """One was found."""


def search(number: int, folder: Path, count: int = CHUNK) -> Found | None:
    """Carry out the cases of a seed; give the first that is wrong, None where all are well."""
    found: list[Found] = []
    seen = 0

    @seed(number)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(cases())
    def carry_out(case: Case) -> None:
        nonlocal seen
        seen += 1
        wrong = carried_out(case, folder / f"{number}-{seen}")
        if wrong:
            found.append(Found(seen, wrong, case))
            raise _Enough

    with suppress(_Enough):
        carry_out()
    return found[0] if found else None


def carried_out(case: Case, folder: Path) -> list[str]:
    """Carry out one case and say what was wrong; an error that nobody expects is wrong too."""
    proof: Any = Proof(case, folder)
    try:
        wrong: list[str] = proof.run()
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]
    return wrong
