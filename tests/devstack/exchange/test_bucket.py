from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from devstack.exchange.bucket import Bucket, BucketPolicy


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_tokens_come_back_at_the_rate_up_to_the_burst() -> None:
    time = Time()
    bucket = Bucket(BucketPolicy(rate=2, burst=3), time)
    time.now = 100
    assert [bucket.admits() for _ in range(3)] == [True] * 3
    time.now += 0.5
    assert bucket.admits()


def test_a_block_lasts_its_time_however_slowly_one_asks() -> None:
    time = Time()
    bucket = Bucket(BucketPolicy(rate=10, burst=1, block_seconds=60), time)
    assert [bucket.admits(), bucket.admits()] == [True, False]
    time.now += 59.9
    assert not bucket.admits()
    time.now += 0.2
    assert bucket.admits()


def test_the_retry_time_is_reported_only_when_asked_for() -> None:
    time = Time()
    untold = Bucket(BucketPolicy(rate=1), time)
    dated = Bucket(BucketPolicy(rate=1, retry_after="date"), time)
    for bucket in (untold, dated):
        assert [bucket.admits(), bucket.admits()] == [True, False]
    assert untold.retry_after() is None
    assert parsedate_to_datetime(dated.retry_after() or "") > datetime.now(UTC)


def test_without_a_policy_everything_passes() -> None:
    assert all(Bucket().admits() for _ in range(10_000))
