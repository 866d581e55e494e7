"""What becomes of definitions that differ from the cluster's."""

from collections.abc import Sequence
from typing import Any

import pytest

from bundle.errors import ClusterError
from clients.cluster.crds import Crd
from clients.preflight.findings import Finding
from clients.preflight.objects.crds import ChartCrd, kept, upgraded
from tests.fixtures.made.crds import TEXT, Answers, crd, kubectl

ONE, TWO = crd({"a": TEXT}), crd({"a": TEXT, "mode": TEXT})


def widget(version: str = "v1", name: str = "w", **spec: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "n"}
    return {"apiVersion": f"example.com/{version}", "kind": "Widget", "metadata": meta, "spec": spec}


def chart(new: Crd, live: Crd | None, *users: dict[str, Any], installed: bool = True) -> ChartCrd:
    return ChartCrd(
        subject="release 'op'", new=new, live=live, installed=installed, users=users, by_hand="helm show crds x"
    )


def stored(crd: Crd, *versions: str) -> Crd:
    return Crd(data={**crd.data, "status": {"storedVersions": list(versions)}})


class Objects:
    """A cluster that has these objects, and lets nobody change anything but by dry run."""

    def __init__(self, *things: dict[str, Any], forbidden: bool = False) -> None:
        self.things, self.forbidden = things, forbidden
        self.listed: list[str] = []

    def list(self, kind: str) -> list[dict[str, Any]]:
        self.listed.append(kind)
        if self.forbidden:
            raise ClusterError("widgets: the account may not list them", reason="forbidden", hint="ask for it")
        return list(self.things)

    def run(self, argv: Sequence[str], **_: Any) -> Any:
        assert "--dry-run=server" in argv
        return kubectl(Answers((0, "", ""))).run(argv, subject="x")


def upgrade(crd: ChartCrd, *things: dict[str, Any], brought: Any = (), forbidden: bool = False) -> list[Finding]:
    target: Any = Objects(*things, forbidden=forbidden)
    return list(upgraded(target, crd, brought=brought))


def test_keeping_says_what_differs_and_what_is_lost() -> None:
    (found,) = kept(chart(TWO, ONE, widget(a="x", mode="fast")))
    assert found.severity == "warning"
    assert found.what == (
        "CRD widgets.example.com differs from the cluster's (the chart's adds spec.mode), and helm leaves that: "
        "Widget n/w loses spec.mode, which the cluster's CRD does not know"
    )
    assert found.hint == "by hand: helm show crds x; or use a bundle whose spec has install.crds: upgrade"


def test_keeping_loses_nothing_where_nothing_is_used_or_nothing_differs() -> None:
    (found,) = kept(chart(TWO, ONE, widget(a="x")))
    assert found.what.endswith("and helm leaves that")
    assert list(kept(chart(TWO, TWO, widget(mode="x")))) == []
    assert list(kept(chart(ONE, None, widget(), installed=False))) == []


@pytest.mark.parametrize(("users", "severity"), [((widget(),), "error"), ((), "warning")], ids=["used", "not used"])
def test_helm_adds_no_definition_to_a_release_that_is_there(users: Any, severity: str) -> None:
    (found,) = kept(chart(ONE, None, *users))
    assert found.severity == severity
    assert "is new in its chart" in found.what


def test_a_version_that_the_cluster_does_not_serve() -> None:
    error, warning = kept(chart(crd({}, "v2", "v1"), crd({}, "v1"), widget("v2")))
    assert (error.severity, error.expected, error.observed) == ("error", "v2", "v1")
    assert (warning.severity, "adds version v2" in warning.what) == ("warning", True)


def test_upgrading_says_so() -> None:
    (found,) = upgrade(chart(TWO, ONE))
    assert found.severity == "note"
    assert found.what.startswith("CRD widgets.example.com is upgraded before the release (adds spec.mode)")
    (new,) = upgrade(chart(ONE, None))
    assert new.what.startswith("CRD widgets.example.com is brought in before the release")
    assert upgrade(chart(ONE, ONE)) == []


def test_a_stored_version_is_not_dropped() -> None:
    (found,) = upgrade(chart(crd({}, "v2"), stored(crd({}, "v2", "v1"), "v1", "v2")))
    assert found.severity == "error"
    assert (found.expected, found.observed) == ("v1, v2", "v2")
    assert """--patch '{"status":{"storedVersions":["v2"]}}'""" in found.hint


def test_a_field_that_is_used_is_not_dropped() -> None:
    (found,) = upgrade(chart(ONE, TWO), widget(mode="x"), widget(name="other", a="y"))
    assert found.severity == "error"
    assert found.what == (
        "CRD widgets.example.com of the chart drops fields that objects in the cluster have: Widget n/w spec.mode"
    )


def test_what_the_releases_write_anew_and_status_are_not_looked_at() -> None:
    mine = widget(mode="x")
    for found in (
        upgrade(chart(ONE, TWO), mine, brought={("Widget", "n", "w")}),
        upgrade(chart(ONE, TWO), {**widget(), "status": {"gone": 1}}),
        upgrade(chart(ONE, TWO), widget(unknown="to both")),
    ):
        assert [each.severity for each in found] == ["note"]


def test_objects_are_listed_only_for_what_drops_something() -> None:
    target: Any = Objects()
    list(upgraded(target, chart(TWO, ONE), brought=()))
    assert target.listed == []
    list(upgraded(target, chart(ONE, TWO), brought=()))
    list(upgraded(target, chart(crd({}, "v2"), crd({}, "v1")), brought=()))
    assert target.listed == ["widgets.v1.example.com"] * 2


def test_objects_that_may_not_be_listed_are_not_judged() -> None:
    warning, note = upgrade(chart(ONE, TWO), forbidden=True)
    assert (warning.severity, note.severity) == ("warning", "note")
    assert warning.what.startswith("not judged: whether objects use fields that CRD widgets.example.com drops")


def test_many_are_counted() -> None:
    (found,) = upgrade(chart(ONE, TWO), *(widget(name=f"w{n}", mode="x") for n in range(6)))
    assert found.what.endswith("Widget n/w3 spec.mode; and 2 more")


def test_what_the_cluster_refuses() -> None:
    refusal = 'The CustomResourceDefinition "widgets.example.com" is invalid: spec.scope: field is immutable'
    (found,) = upgraded(kubectl(Answers((1, "", refusal))), chart(TWO, ONE), brought=())
    assert (found.severity, found.subject) == ("error", "release 'op'")
    assert "spec.scope: field is immutable" in found.what


def test_whose_fields_are_taken_over_is_said() -> None:
    said = 'Apply failed with 1 conflict: conflict with "helm" using apiextensions.k8s.io/v1: .spec.versions'
    (found,) = upgraded(kubectl(Answers((1, "", said), (0, "", ""))), chart(TWO, ONE), brought=())
    assert "with fields that helm set" in found.what
