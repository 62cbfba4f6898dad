"""Say how late a hand in is and what that costs, always aloud."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from autograder.grading.intake.hands import Hand
from lessons.toolkit.errors import UserError

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Lateness:
    """What lateness makes of one hand in.

    Args:
        days: started days after the deadline; None where that is not known.
        factor: of the points, 0 to 1.
        why: one sentence, "" where it came in time.
    """

    days: int | None
    factor: float
    why: str = ""

    @property
    def is_open(self) -> bool:
        """Return whether a person must judge it."""
        return self.days is None and bool(self.why)


@dataclass(frozen=True)
class Due:
    """A deadline and what missing it costs.

    Args:
        when: the deadline, with its zone.
        per_day: share of the points that each started day costs, 0 to 1.
        cap: share that lateness costs at most.
        grace: time after the deadline that costs nothing; beyond it, days count from the deadline.
        zone: of times that a platform writes without one; the deadline's by default.
    """

    when: datetime
    per_day: float = 0.0
    cap: float = 1.0
    grace: timedelta = timedelta()
    zone: tzinfo | None = None

    def __post_init__(self) -> None:
        if self.when.tzinfo is None:
            raise UserError(
                "The deadline has no time zone.", "Add one, such as 2026-11-30T23:59+01:00."
            )
        if not (0 <= self.per_day <= 1 and 0 <= self.cap <= 1 and self.grace >= timedelta()):
            raise UserError(
                "What a day costs and the most that lateness costs are shares from 0 to 1.",
                "A tenth a day, half at most: 0.1 and 0.5.",
            )

    def of(self, hand: Hand) -> Lateness:
        """Return how late a hand in is, and the part of its points that is left."""
        if hand.time is None:
            return _told(hand.late)
        time = hand.time
        if time.tzinfo is None:
            time = time.replace(tzinfo=self.zone or self.when.tzinfo)
        # Days are 24 hours long, whatever a clock was set to in between.
        over = time.astimezone(UTC) - self.when.astimezone(UTC)
        if over <= self.grace:
            return Lateness(0, 1.0)
        days = math.ceil(over / DAY)
        lost = min(self.cap, round(self.per_day * days, 10))
        late = f"{days} day{'' if days == 1 else 's'} late"
        most = ", the most there is" if self.per_day * days > self.cap else ""
        cost = f"takes {lost:.0%} of the points{most}" if lost else "costs nothing"
        return Lateness(days, round(1 - lost, 10), f"{late}, which {cost}.")


def due(text: str, zone: str = "", per_day: float = 0.0, cap: float = 1.0) -> Due:
    """Return the deadline that a text names.

    Args:
        text: date and time as ISO 8601 writes them; a date alone is the end of that day.
        zone: name of the zone, such as "Europe/Berlin", where the text gives none.

    Raises:
        UserError: it is no time, or has no zone.
    """
    try:
        when = datetime.fromisoformat(text.strip())
        if len(text.strip()) <= len("2026-11-30"):
            when = when.replace(hour=23, minute=59, second=59)
        named = ZoneInfo(zone) if zone else None
    except (ValueError, OSError, KeyError) as error:  # a zone that is not there is a KeyError
        raise UserError(
            f"“{text}” {zone} is no deadline.", "Write it as 2026-11-30T23:59 with Europe/Berlin."
        ) from error
    if when.tzinfo is None and named is not None:
        when = when.replace(tzinfo=named)
    return Due(when, per_day, cap, zone=named)


def _told(late: bool | None) -> Lateness:
    if late:
        return Lateness(None, 1.0, "Late, the platform says; by how much is for you to judge.")
    if late is None:
        return Lateness(None, 1.0, "When it was handed in is not known.")
    return Lateness(0, 1.0)
