"""What the last install changed, so that it can be taken back."""

from pathlib import Path

from schema.spec.install import ReleaseSpec
from tasks.site.records.revisions import Revisions


def release(name: str) -> ReleaseSpec:
    return ReleaseSpec(
        name=name, chart=name, namespace="shop", values=(), timeout=60, health=(), ignore_images={}, needs=(), after=()
    )


def noted(state: Path) -> Revisions:
    revisions = Revisions(state)
    for name in ("web", "db"):
        revisions.note(release(name), before=1, after=2, run="a")
    return revisions


def test_a_rollback_that_stops_goes_on_with_the_rest(tmp_path: Path) -> None:
    revisions = noted(tmp_path)
    web, db = revisions.read()
    revisions.drop(db)
    assert revisions.read() == (web,)
    revisions.drop(web)
    assert revisions.read() == ()


def test_a_new_run_begins_a_new_record(tmp_path: Path) -> None:
    revisions = noted(tmp_path)
    revisions.note(release("web"), before=2, after=3, run="b")
    assert [(each.name, each.after) for each in revisions.read()] == [("web", 3)]
    revisions.clear()
    assert revisions.read() == ()


def test_what_was_begun_is_known_until_it_is_noted(tmp_path: Path) -> None:
    revisions, web, db = noted(tmp_path), release("web"), release("db")
    assert revisions.begun(web) is None
    revisions.begin(web, before=2)
    revisions.begin(db, before=0)
    again = Revisions(tmp_path)
    assert (again.begun(web), again.begun(db)) == (2, 0)
    assert len(again.read()) == 2, "the record of the last run is as it was"
    again.note(web, before=2, after=3, run="b")
    assert (again.begun(web), again.begun(db)) == (None, 0)
    again.drop(*again.read())
    assert again.begun(db) == 0
