"""What the names in commands of a backup stand for."""

from pathlib import Path

import pytest

from bundle.errors import SpecError
from schema.site.uses import uses_of
from tasks.commands.installed.backups.facts import facts_of, filled
from tasks.install.secrets import secret_steps
from tests.fixtures.benches.receiving import cluster_of, named, receiving, run


def test_names_of_the_site_the_environment_and_the_cluster(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state")
    run(named(secret_steps(receiver)))
    text = "${site.host} ${env.PW} ${secret.seed}"
    seed = cluster_of(receiver)[0].held("seed", "app")["value"]
    assert filled(text, facts_of(receiver, uses_of([("a dump", text)]))) == f"h.example hunter2 {seed}"
    assert {"hunter2", seed} <= set(receiver.known)


def test_all_that_is_missing_is_told_at_once(carried_bundle: Path, tmp_path: Path) -> None:
    used = uses_of([("a dump", "${site.nope} ${env.NOPE}")])
    with pytest.raises(SpecError, match="2 problems"):
        facts_of(receiving(carried_bundle, tmp_path / "state"), used)


def test_the_cluster_is_not_asked_for_secrets_that_nothing_uses(carried_bundle: Path, tmp_path: Path) -> None:
    receiver = receiving(carried_bundle, tmp_path / "state")
    receiver.cluster.kubectl = None  # type: ignore[assignment]
    assert filled("${site.host}", facts_of(receiver, uses_of([("a dump", "${site.host}")]))) == "h.example"
