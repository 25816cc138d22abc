"""Telephone numbers as the numbering plans of some countries have them, whether anybody calls them so or not.

By phonenumbers, Google's library. It lets pass what is not assigned, so it comes beside our own rules, for
countries that one names; with the extra `redaction`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...schema.errors import UsageError


class NumberingPlans:
    """Those of some countries.

    Args:
        regions: their codes, such as `DE` (ISO 3166-1).

    Raises:
        UsageError: there is no such country, or the library is not there.
    """

    def __init__(self, regions: Sequence[str]) -> None:
        self._regions = tuple(dict.fromkeys(region.upper() for region in regions))
        if not self._regions:
            return
        try:
            import phonenumbers
        except ImportError as error:
            raise UsageError(
                "telephone numbers by a country's plan need phonenumbers: pip install 'realtape[redaction]'"
            ) from error
        unknown = [region for region in self._regions if region not in phonenumbers.SUPPORTED_REGIONS]
        if unknown:
            raise UsageError(
                f"{unknown[0]!r} is no country whose telephone numbers are known: take DE, GB, US …"
            )

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Where their numbers stand: (start, end)."""
        if not self._regions:
            return
        from phonenumbers import Leniency, PhoneNumberMatcher

        for region in self._regions:
            for found in PhoneNumberMatcher(text, region, leniency=Leniency.VALID):
                yield found.start, found.end
