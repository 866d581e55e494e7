"""For all tests: AIRGAP_REQUIRE_PARTS=1 accepts no skips."""

import os
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip is a failure in CI: a missing part must not look like a pass."""
    report = yield
    if os.environ.get("AIRGAP_REQUIRE_PARTS") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"AIRGAP_REQUIRE_PARTS=1, but this was skipped: {report.longrepr}"
    return report
