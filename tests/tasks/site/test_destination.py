"""What is known of the images in the registry, told by whatever Delivery there is."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bundle.errors import RegistryError
from bundle.metadata.manifest import ImageEntry
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.reference import Reference
from bundle.transfer.image import ImageSource
from bundle.transfer.transfers import Transfers
from schema.site.image_names import ImageNames
from schema.spec.spec import RegistrySpec
from tasks.site.destination import Delivery, Destination, DestinationSettings, Named, Present
from tasks.site.engine_delivery import EngineDelivery
from tasks.site.repositories import DirectDelivery

OWN, OTHER = Digest.of(b"own"), Digest.of(b"other")
TARGET = "push.example.com/team/one:1.0"


class Told:
    """A Delivery that answers from memory, and counts what it is asked."""

    def __init__(self, answer: Present | RegistryError, registered: Digest | None = None) -> None:
        self.answer, self.pushed, self.asked = answer, registered, 0

    def look(self, entry: Named) -> Present:
        self.asked += 1
        if isinstance(self.answer, RegistryError):
            raise self.answer
        return self.answer

    def deliver(self, entry: ImageEntry, source: ImageSource, transfers: Transfers) -> str:
        raise AssertionError

    def registered(self, image: str, digest: Digest) -> Digest:
        return self.pushed or digest

    def missing(self, entry: ImageEntry, parts: Mapping[Digest, Descriptor]) -> Mapping[Digest, Descriptor]:
        raise AssertionError


ENTRY = ImageEntry(
    name="one",
    source="oci:one",
    reference=Reference.parse("registry.example.com/team/one:1.0"),
    digest=OWN,
    media_type=media_types.OCI_MANIFEST,
    size=1,
    platform=None,
)


def settings(*, override: str = "") -> DestinationSettings:
    found: Any = SimpleNamespace(
        references={"one": Reference.parse(f"{override or 'registry.example.com/team'}/one:1.0")}
    )
    registry: Any = SimpleNamespace(prefix="registry.example.com/team", push="push.example.com/team")
    return DestinationSettings(
        images=(ENTRY,),
        names=cast("ImageNames", found),
        registry=cast("RegistrySpec", registry),
        override=override,
        hosts={},
        console=cast("Any", None),
        env={},
        jobs=1,
    )


def destination(answer: Present | RegistryError, registered: Digest | None = None) -> Destination:
    return Destination(settings(), Told(answer, registered))


@pytest.mark.parametrize(
    ("found", "registered", "why"),
    [
        pytest.param(None, None, f"{TARGET} is not in the registry", id="nothing"),
        pytest.param(OTHER, None, f"{TARGET} is {OTHER} there, not {OWN}", id="another"),
        pytest.param(OWN, None, "", id="the same"),
        pytest.param(OTHER, OTHER, "", id="as it was packed anew"),
        pytest.param(OWN, OTHER, f"{TARGET} is {OWN} there, not {OTHER}", id="not as it was packed anew"),
    ],
)
def test_why_an_image_is_to_be_pushed(found: Digest | None, registered: Digest | None, why: str) -> None:
    assert destination(Present(digest=found), registered).stale(ENTRY) == why


def test_what_is_attached_and_lacking() -> None:
    why = destination(Present(digest=OWN, lacking=("a.sig", "a.att"))).stale(ENTRY)
    assert why == "what is attached to it is not in the registry: a.sig, a.att"


def test_parts_of_an_image_that_was_packed_anew_are_unknown() -> None:
    parts = {OWN: Descriptor(media_type=media_types.OCI_CONFIG, digest=OWN, size=1)}
    assert destination(Present(digest=None)).held(ENTRY, parts) == parts
    assert destination(Present(digest=None), OTHER).held(ENTRY, parts) == {}


def test_a_registry_that_does_not_tell_is_asked_once() -> None:
    told = Told(RegistryError("it is away", status=503))
    found = Destination(settings(), told)
    for _ in range(2):
        with pytest.raises(RegistryError, match="it is away"):
            found.present(ENTRY)
    assert told.asked == 1


def test_where_images_go() -> None:
    assert str(settings().target("one")) == TARGET
    assert str(settings(override="127.0.0.1:5000/x").target("one")) == "127.0.0.1:5000/x/one:1.0"
    assert str(settings().inside("registry.example.com/team/two")) == "push.example.com/team/two"
    assert str(settings().inside("else.example.com/two")) == "else.example.com/two"


def test_a_way_has_four_methods_and_both_have_them() -> None:
    asked = {name for name in vars(Delivery) if not name.startswith("_")}
    assert asked == {"look", "deliver", "registered", "missing"}
    assert all(callable(getattr(kind, name)) for kind in (DirectDelivery, EngineDelivery) for name in asked)
