"""What a release carries: a bill of all that is locked, an audit that never pretends, digests."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from operations.release import images, sbom
from operations.release.audit import FOUND, NOT_RUN, audit, evaluate
from tests.support.stack import ROOT


def test_a_bill_names_every_locked_package_and_is_the_same_each_time(tmp_path: Path) -> None:
    first, second = sbom.write(ROOT, tmp_path / "a"), sbom.write(ROOT, tmp_path / "b")
    assert [each.read_bytes() for each in first] == [each.read_bytes() for each in second]
    for path, lock in zip(first, sbom.LOCKS, strict=True):
        bill = json.loads(path.read_text())
        assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", sbom.SPECIFICATION)
        text = (ROOT / "requirements" / f"{lock}.txt").read_text()
        locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", text, re.MULTILINE))
        named = {each["name"].lower(): each["version"] for each in bill["components"]}
        assert locked
        assert named == locked


def test_an_audit_that_cannot_run_says_that_nothing_is_known() -> None:
    nowhere = {
        **os.environ,
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    verdict = audit(ROOT / "requirements" / "runtime.txt", nowhere)
    assert verdict.code == NOT_RUN
    assert "could NOT run, so nothing is known" in verdict.lines[0]


CLEAN = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
SKIPPED = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("dependencies", "code", "said"),
    [
        ([CLEAN], 0, "no vulnerability is known in 1 packages"),
        ([CLEAN, BAD], FOUND, "b 2: PYSEC-1, fixed in 2.1"),
        ([CLEAN, SKIPPED], NOT_RUN, "NOT checked: c: not found"),
        ([BAD, SKIPPED], FOUND, "NOT checked: c: not found"),
        ([], NOT_RUN, "nothing is known"),
    ],
)
def test_only_a_complete_audit_is_a_clean_bill(
    dependencies: list[dict[str, Any]], code: int, said: str
) -> None:
    verdict = evaluate(json.dumps({"dependencies": dependencies}), "")
    assert verdict.code == code
    assert said in "\n".join(verdict.lines)


@pytest.mark.parametrize("out", ["", "{}", "[]", "null", "no json"])
def test_an_answer_that_is_none_is_no_clean_bill(out: str) -> None:
    assert evaluate(out, "a\n  ProxyError: refused\n").code == NOT_RUN
    assert "ProxyError: refused" in evaluate(out, "a\n  ProxyError: refused\n").lines[0]


def test_every_image_from_elsewhere_is_named_by_the_digest_that_was_reported() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    found = images.images_of(compose)
    assert found
    assert not [image for image in found.values() if image.startswith("qnt9:")]
    digest = f"sha256:{'ab' * 32}"
    override = yaml.safe_load(images.pinned(found, lambda _: digest))
    assert override["services"] == {
        name: {"image": f"{image}@{digest}"} for name, image in found.items()
    }


def test_without_docker_no_digest_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(images.ImagesError, match="docker is not installed here"):
        images.ask_docker("postgres:18")
