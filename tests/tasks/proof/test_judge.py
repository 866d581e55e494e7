"""How each image stands, and what is said of those that are missing."""

from dataclasses import replace

import pytest

from bundle.errors import ProofError
from bundle.oci.digest import Digest
from bundle.oci.locations import RegistryImage
from bundle.oci.reference import Reference
from clients.charts.images import FoundImage
from schema.lock import ImagePin
from schema.spec.contents import ImageSpec
from tasks.proof.judge import CarriedImage, Judge, check
from tests.fixtures.images.images import AMD64

DIGEST = Digest.of(b"web")
OTHER = Digest.of(b"other")


def carried(name: str, target: str, source: str = "", digest: Digest | None = DIGEST) -> CarriedImage:
    return CarriedImage(
        name=name,
        target=Reference.parse(f"r.x/team/{target}"),
        digest=digest,
        source=Reference.parse(source) if source else None,
    )


JUDGE = Judge(
    carried=[
        carried("web", "web:1.0", "docker.io/library/web:1.0"),
        carried("plain", "plain:latest"),
        carried("pinned", "pinned:digest-1", f"quay.io/a/pinned@{DIGEST}"),
        carried("new", "new:1", digest=None),
    ],
    ignored={"busybox": "a test", "quay.io/a/tool": "never", "alpine:3.20": "old", f"bash@{DIGEST}": "pinned"},
    prefix="r.x/team",
)


def test_the_digest_of_an_index_of_which_a_part_is_brought() -> None:
    index, linux = Digest.of(b"index"), "linux/amd64,linux/arm64"
    part = replace(carried("web", "web:1.0", "docker.io/library/web:1.0"), indexes=frozenset({index}), platform=linux)
    judge = Judge(carried=[part], ignored={}, prefix="r.x/team")
    for text in (f"web:1.0@{index}", f"r.x/team/web@{index}"):
        standing = judge.standing(image(text))
        assert standing.kind == "missing"
        assert standing.hint == (
            "this is the digest of the whole index, of which the bundle brings linux/amd64,linux/arm64: set "
            "`platform: all` for image 'web', or let the values say ${image.web.ref} there"
        )
    hint = judge.standing(image(f"r.x/team/web@{OTHER}")).hint
    assert hint.endswith("take the digest from ${image.web.digest}; an index's digest needs `platform: all`")
    assert "platform: all" not in judge.standing(image(f"elsewhere.example.com/web@{index}")).hint


@pytest.mark.parametrize(
    ("pin", "indexes"),
    [
        pytest.param({}, set(), id="what the source names"),
        pytest.param({"index": OTHER}, {OTHER}, id="one platform"),
        pytest.param({"subset_of": OTHER}, {OTHER}, id="several"),
        pytest.param({"digest": OTHER}, {DIGEST}, id="the source's own digest"),
    ],
)
def test_the_indexes_that_an_image_was_taken_of(pin: dict[str, Digest], indexes: set[Digest]) -> None:
    spec = ImageSpec(
        name="web",
        source=RegistryImage(reference=Reference.parse(f"quay.io/a/web@{DIGEST}")),
        source_text=f"quay.io/a/web@{DIGEST}",
        target=Reference.parse("r.x/team/web:1"),
        platform=AMD64,
    )
    pinned = ImagePin(source=spec.source_text, platform="linux/amd64", digest=DIGEST, media_type="x", size=1)
    found = CarriedImage.of(spec, replace(pinned, **pin))  # type: ignore[arg-type]
    assert (found.indexes, found.platform) == (indexes, "linux/amd64")
    assert CarriedImage.of(spec, None).indexes == set()


def image(text: str, *, evidence: str = "", kind: str = "Pod", field: str = "spec") -> FoundImage:
    return FoundImage(text=text, object=f"{kind}/p", field=field, evidence=evidence)


@pytest.mark.parametrize(
    ("text", "kind", "detail"),
    [
        pytest.param("r.x/team/web:1.0", "carried", "web", id="by tag"),
        pytest.param(f"r.x/team/web@{DIGEST}", "carried", "web", id="by digest"),
        pytest.param(f"r.x/team/web:9@{DIGEST}", "carried", "web", id="the digest counts, not the tag"),
        pytest.param("r.x/team/plain", "carried", "plain", id="latest without a tag"),
        pytest.param("r.x/team/web:1.1", "missing", "", id="other tag"),
        pytest.param("r.x/team/web", "missing", "", id="no tag, where there is another"),
        pytest.param(f"r.x/team/web:1.0@{OTHER}", "missing", "", id="other digest"),
        pytest.param(f"r.x/team/new@{DIGEST}", "missing", "", id="not pinned yet"),
        pytest.param("r.y/team/web:1.0", "missing", "", id="other registry"),
        pytest.param("r.x/team/more/web:1.0", "missing", "", id="other path"),
        pytest.param("web:1.0", "source", "web", id="the source, in Docker's short form"),
        pytest.param("web:1.1", "missing", "", id="the source at another tag"),
        pytest.param(f"quay.io/a/pinned@{DIGEST}", "source", "pinned", id="the source by digest"),
        pytest.param("quay.io/a/pinned", "missing", "", id="a source by digest has no latest"),
        pytest.param("busybox", "ignored", "a test", id="ignored by its last component"),
        pytest.param("quay.io/deep/busybox:1@" + str(OTHER), "ignored", "a test", id="in any repository"),
        pytest.param("quay.io/a/tool:3", "ignored", "never", id="ignored by its repository"),
        pytest.param("quay.io/b/tool:3", "missing", "", id="another repository"),
        pytest.param("alpine:3.20", "ignored", "old", id="ignored with its tag"),
        pytest.param("alpine:3.21", "missing", "", id="ignored at another tag only"),
        pytest.param(f"bash@{DIGEST}", "ignored", "pinned", id="ignored with its digest"),
        pytest.param(f"bash@{OTHER}", "missing", "", id="ignored at another digest only"),
        pytest.param("Web:1.0", "missing", "no image reference", id="no reference"),
    ],
)
def test_how_an_image_stands(text: str, kind: str, detail: str) -> None:
    standing = JUDGE.standing(image(text))
    assert (standing.kind, standing.detail) == (kind, detail)
    assert bool(standing.hint) is (kind in ("missing", "source"))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("web:1.0", "the bundle brings it as r.x/team/web:1.0: let the values say ${image.web.ref} there"),
        ("r.x/team/web:2", "the bundle brings r.x/team/web:1.0: bring the tag that is asked for"),
        (f"r.x/team/web@{OTHER}", "take the digest from ${image.web.digest}"),
        ("r.x/team/gone/x:2", "add the one that is meant, with target: 'gone/x:2'"),
        ("host.site.invalid/x:1", "known inside only: take it from ${image.NAME.repository}, or give site=FILE"),
        ("redis:7", "add {name: redis, source: 'docker.io/library/redis:7'} to images (doit images --add does)"),
    ],
)
def test_what_to_do(text: str, hint: str) -> None:
    assert hint in JUDGE.standing(image(text)).hint


def test_each_missing_image_once_with_its_places() -> None:
    images = [image("redis:7", field=f"f{number}") for number in range(5)]
    with pytest.raises(ProofError) as caught:
        check("shop", JUDGE, [*images, image("Web"), image("r.x/team/web:1.0")], unknown=["a: no value 'b'"])
    text = str(caught.value)
    assert text.startswith("release 'shop' uses 2 images that the bundle does not bring:\n  redis:7\n")
    assert text.count("redis:7\n") == 1
    assert "used by Pod/p, f0; Pod/p, f1; Pod/p, f2; and 2 more\n" in text
    assert text.endswith("perhaps because: a: no value 'b'")


def test_nothing_is_raised_for_what_is_carried_ignored_or_suspected() -> None:
    check("shop", JUDGE, [image("busybox"), image("r.x/team/web:1.0"), image("x/y:1", evidence="text")], unknown=["a"])


def test_the_suspected_warn_unless_they_are_carried() -> None:
    images = [
        image("r.x/team/web:1.0", evidence="argument"),
        image("busybox", evidence="argument"),
        image("web:1.0", evidence="annotation images", kind="Chart"),
        image("web:1.0@" + str(DIGEST), evidence="argument -x"),
        image("quay.io/new:1", evidence="annotation images", kind="Chart"),
    ]
    assert JUDGE.warnings(images) == (
        f"suspected image web:1.0@{DIGEST} is not in the bundle: Pod/p, spec (argument -x)",
        "suspected image quay.io/new:1 is not in the bundle: Chart/p, spec (annotation images)",
    )
