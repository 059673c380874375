"""Where listings trade and when: weekdays, less New Year and Christmas, as local time has it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True, slots=True)
class Period:
    """One trading day in seconds since the epoch; before `start` is pre, after `end` post."""

    pre: int
    start: int
    end: int
    post: int
    offset: int


@dataclass(frozen=True, slots=True)
class Market:
    code: str
    name: str
    display: str
    zone: str
    standard_hours: float
    pre: str
    start: str
    end: str
    post: str
    always_open: bool = False

    def period(self, day: date) -> Period:
        pre, start, end, post = (
            self._at(day, time) for time in (self.pre, self.start, self.end, self.post)
        )
        offset = datetime.fromtimestamp(start, self._timezone()).utcoffset() or timedelta()
        return Period(pre, start, end, post, int(offset.total_seconds()))

    def current_period(self, now: float) -> Period:
        """Of today, or when there is no trading today, of the next trading day."""
        day = self._today(now)
        while not self.trades_on(day):
            day += timedelta(days=1)
        return self.period(day)

    def sessions_back(self, now: float) -> Iterator[date]:
        """The trading days whose session has begun, newest first."""
        day = self._today(now)
        if not self.trades_on(day) or self.period(day).start > now:
            day = self.session_before(day)
        while True:
            yield day
            day = self.session_before(day)

    def session_before(self, day: date) -> date:
        day -= timedelta(days=1)
        while not self.trades_on(day):
            day -= timedelta(days=1)
        return day

    def trades_on(self, day: date) -> bool:
        is_holiday = (day.month, day.day) in {(1, 1), (12, 25)}
        return self.always_open or (day.weekday() < 5 and not is_holiday)

    def _today(self, now: float) -> date:
        return datetime.fromtimestamp(now, self._timezone()).date()

    def _at(self, day: date, time: str) -> int:
        hours, minutes = (int(part) for part in time.split(":"))
        local = datetime(day.year, day.month, day.day, tzinfo=self._timezone())
        return int((local + timedelta(hours=hours, minutes=minutes)).timestamp())

    def _timezone(self) -> tzinfo:
        try:
            return ZoneInfo(self.zone)
        except ZoneInfoNotFoundError:  # a slim machine without the database: no summer time there
            return timezone(timedelta(hours=self.standard_hours)) if self.standard_hours else UTC


# Before the session, its begin and end, and after it.
_NEW_YORK: Final = ("04:00", "09:30", "16:00", "20:00")
_EUROPE: Final = ("09:00", "09:00", "17:30", "17:30")
_LONDON: Final = ("08:00", "08:00", "16:30", "16:30")

MARKETS: Final = {
    market.code: market
    for market in (
        Market("NMS", "NasdaqGS", "NASDAQ", "America/New_York", -5, *_NEW_YORK),
        Market("NYQ", "NYSE", "NYSE", "America/New_York", -5, *_NEW_YORK),
        Market("PCX", "NYSEArca", "NYSEArca", "America/New_York", -5, *_NEW_YORK),
        Market("GER", "XETRA", "XETRA", "Europe/Berlin", 1, *_EUROPE),
        Market("LSE", "LSE", "London", "Europe/London", 0, *_LONDON),
        Market("PAR", "Paris", "Paris", "Europe/Paris", 1, *_EUROPE),
        Market("AMS", "Amsterdam", "Amsterdam", "Europe/Amsterdam", 1, *_EUROPE),
        Market("EBS", "Swiss", "Swiss", "Europe/Zurich", 1, *_EUROPE),
        Market("MIL", "Milan", "Milan", "Europe/Rome", 1, *_EUROPE),
        Market("MCE", "MCE", "Madrid", "Europe/Madrid", 1, *_EUROPE),
        Market("STO", "Stockholm", "Stockholm", "Europe/Stockholm", 1, *_EUROPE),
        Market(
            "CPH",
            "Copenhagen",
            "Copenhagen",
            "Europe/Copenhagen",
            1,
            "09:00",
            "09:00",
            "17:00",
            "17:00",
        ),
        Market("JPX", "Tokyo", "Tokyo", "Asia/Tokyo", 9, "09:00", "09:00", "15:30", "15:30"),
        Market("HKG", "HKSE", "Hong Kong", "Asia/Hong_Kong", 8, "09:30", "09:30", "16:00", "16:00"),
        Market(
            "TOR", "Toronto", "Toronto", "America/Toronto", -5, "09:30", "09:30", "16:00", "16:00"
        ),
        Market("ASX", "ASX", "Sydney", "Australia/Sydney", 10, "10:00", "10:00", "16:00", "16:00"),
        Market(
            "JNB",
            "Johannesburg",
            "Johannesburg",
            "Africa/Johannesburg",
            2,
            "09:00",
            "09:00",
            "17:00",
            "17:00",
        ),
        Market(
            "TLV", "Tel Aviv", "Tel Aviv", "Asia/Jerusalem", 2, "10:00", "10:00", "17:15", "17:15"
        ),
        Market("NSI", "NSE", "NSE", "Asia/Kolkata", 5.5, "09:00", "09:15", "15:30", "15:30"),
        Market("CBT", "CBOT", "Chicago", "America/Chicago", -6, "08:30", "08:30", "13:20", "13:20"),
        Market("CCC", "CCC", "CCC", "UTC", 0, "00:00", "00:00", "23:59", "23:59", always_open=True),
    )
}
