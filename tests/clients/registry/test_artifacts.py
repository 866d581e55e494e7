"""Tags and artifacts by oras over our transport."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.errors import RegistryError, SourceError
from bundle.oci import media_types
from bundle.oci.descriptor import Descriptor
from bundle.oci.digest import Digest
from bundle.oci.locations import HostSettings
from bundle.oci.reference import Reference
from bundle.transfer.referrers import list_tag
from clients.http.credentials import Credentials
from clients.registry.artifacts import Attached, Attachments, list_tags
from clients.registry.repository import Registries
from clients.registry.upload import Uploads
from tests.fixtures.connections import MakeTransport, RecordingMeter
from tests.fixtures.servers.faulty_registry import FaultyRegistry, basic, refusal, with_headers

SUBJECT = "image 'app'"
Tags = Callable[..., tuple[str, ...]]


@pytest.fixture
def tags(registries: Registries, faulty: FaultyRegistry) -> Tags:
    def tags(repository: str = "team/app") -> tuple[str, ...]:
        reference = Reference.parse(f"{faulty.host}/{repository}")
        source = registries.repository(reference, subject=SUBJECT)
        return list_tags(source, transport=registries.transport, subject=SUBJECT)

    return tags


@pytest.fixture
def root(faulty: FaultyRegistry) -> Descriptor:
    """`team/app:1`."""
    return faulty.put_image("team/app", "1", b"layer")


@pytest.mark.parametrize("page", [0, 1, 3])
def test_all_pages_are_read(tags: Tags, faulty: FaultyRegistry, page: int) -> None:
    for tag in ("1.0", "1.1", "latest", "sha256-00.sig", "v2"):
        faulty.put_image("team/app", tag, b"layer")
    faulty.tags_page = page
    assert tags() == ("1.0", "1.1", "latest", "v2")


def test_a_path_with_a_dot_is_no_host(tags: Tags, faulty: FaultyRegistry) -> None:
    faulty.put_image("v1.2/app", "3", b"layer")
    assert tags("v1.2/app") == ("3",)


def test_a_page_at_another_host_is_not_asked_for(tags: Tags, faulty: FaultyRegistry, other: FaultyRegistry) -> None:
    faulty.put_image("team/app", "1", b"layer")
    faulty.plan("/tags/list", with_headers(Link=f'<{other.url}/v2/team/app/tags/list>; rel="next"'))
    with pytest.raises(SourceError, match=r"image 'app': 127\.0\.0\.1:\d+ sends to another host for more"):
        tags()
    assert other.seen == []


def test_a_list_without_an_end(tags: Tags, faulty: FaultyRegistry) -> None:
    faulty.put_image("team/app", "1", b"layer")
    faulty.plan("/tags/list", *[with_headers(Link='</v2/team/app/tags/list>; rel="next"')] * 2100)
    with pytest.raises(SourceError, match="goes on without an end"):
        tags()


def test_what_may_pass_is_asked_again(tags: Tags, faulty: FaultyRegistry, root: Descriptor) -> None:
    faulty.plan("/tags/list", refusal(503, "UNAVAILABLE", "not now"))
    assert tags() == ("1",)
    assert len(faulty.requests("/tags/list")) == 2


def test_no_such_repository(tags: Tags) -> None:
    with pytest.raises(RegistryError, match="image 'app': ") as caught:
        tags("team/absent")
    assert caught.value.hint


def test_the_login_of_docker_is_used(tags: Tags, faulty: FaultyRegistry, root: Descriptor, logins: Path) -> None:
    faulty.basic = "me:secret"
    word = basic("me:secret").removeprefix("Basic ")
    logins.write_text(json.dumps({"auths": {faulty.host: {"auth": word}}}))
    assert tags() == ("1",)


def test_a_mirror_is_asked_first(
    make_transport: MakeTransport, faulty: FaultyRegistry, other: FaultyRegistry, logins: Path, meter: RecordingMeter
) -> None:
    other.put_image("team/app", "1.1", b"layer")
    hosts = {faulty.host: HostSettings(plain_http=True, mirror=other.host), other.host: HostSettings(plain_http=True)}
    transport = make_transport(hosts)
    registries = Registries(transport, credentials=Credentials({"DOCKER_CONFIG": str(logins.parent)}), meter=meter)
    source = registries.repository(Reference.parse(f"{faulty.host}/team/app"), subject=SUBJECT)
    assert list_tags(source, transport=transport, subject=SUBJECT) == ("1.1",)
    assert faulty.seen == []


@pytest.mark.parametrize("api", [False, True], ids=["by a tag", "by the API"])
def test_what_is_attached_is_found(
    registries: Registries, faulty: FaultyRegistry, root: Descriptor, tmp_path: Path, api: bool
) -> None:
    faulty.referrers = 10 if api else 0
    page, empty = tmp_path / "report.html", tmp_path / "empty"
    page.write_text("<p>report</p>")
    empty.write_text("{}")
    reference = Reference.parse(f"{faulty.host}/team/app:1")
    attachments = Attachments(Uploads(registries), reference, root, subject="bundle app 1")
    artifact = Attached(kind="application/x.report", files={"report.html": (page, "text/html")}, annotations={"a": "b"})
    digest, is_new = attachments.attach(artifact, empty)
    raw, media_type = faulty.manifests["team/app", str(digest)]
    data = json.loads(raw)
    assert (is_new, media_type, Digest.of(raw)) == (True, media_types.OCI_MANIFEST, digest)
    assert (data["artifactType"], data["subject"]["digest"]) == ("application/x.report", str(root.digest))
    assert data["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert data["layers"][0]["annotations"] == {"org.opencontainers.image.title": "report.html"}
    assert faulty.uploads.held["team/app", data["layers"][0]["digest"]] == b"<p>report</p>"
    if api:
        assert ("team/app", list_tag(root.digest)) not in faulty.manifests
    else:
        listed = json.loads(faulty.manifests["team/app", list_tag(root.digest)][0])["manifests"]
        assert [(each["digest"], each["artifactType"]) for each in listed] == [(str(digest), "application/x.report")]
    before = len(faulty.requests("PUT")) + len(faulty.requests("POST"))
    again = Attachments(Uploads(registries), reference, root, subject="bundle app 1")
    assert again.attach(artifact, empty) == (digest, False)
    assert len(faulty.requests("PUT")) + len(faulty.requests("POST")) == before


def test_a_refused_attachment_has_a_next_step(
    registries: Registries, faulty: FaultyRegistry, root: Descriptor, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.write_text("{}")
    faulty.plan("POST", refusal(403, "DENIED", "read only"))
    reference = Reference.parse(f"{faulty.host}/team/app:1")
    attachments = Attachments(Uploads(registries), reference, root, subject="bundle app 1")
    with pytest.raises(RegistryError, match=r"bundle app 1: .*read only") as caught:
        attachments.attach(Attached(kind="application/x.report", files={}, annotations={}), empty)
    assert caught.value.hint
