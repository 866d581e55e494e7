"""`manifest.txt`: what a bundle holds and how to use it by hand, for people."""

from collections.abc import Iterator, Sequence
from shlex import quote

from bundle.formats.sizes import human
from bundle.formats.visible import one_line
from bundle.metadata.checksums import SUMS
from bundle.metadata.entries import ChartEntry, FileEntry, ProofEntry
from bundle.metadata.manifest import BundleManifest, DerivedEntry, ImageEntry
from bundle.oci import media_types
from bundle.oci.platform import ALL_PLATFORMS
from bundle.signing.trust import CHECK_COMMAND

_SUMMED = (
    "Get-Content -Encoding UTF8 '{list}' | ForEach-Object {{ $sum, $name = $_ -split ' [ *]', 2; "
    'if ((Get-FileHash -Algorithm SHA256 -LiteralPath $name).Hash -ne $sum) {{ "DAMAGED: $name" }} }}'
)
_JOINED = (
    "$to = [IO.File]::Create(\"$PWD\\{archive}\"); Get-ChildItem '{archive}.[0-9][0-9][0-9]' | Sort-Object Name | "
    "ForEach-Object {{ $from = [IO.File]::OpenRead($_.FullName); $from.CopyTo($to); $from.Dispose() }}; $to.Dispose()"
)
_OCI = frozenset({media_types.OCI_MANIFEST, media_types.OCI_INDEX})


def manifest_text(manifest: BundleManifest) -> str:
    """The text, with lines of any length: names and digests are to be copied whole."""
    sections = {
        f"{manifest.name} {manifest.version}": _about(manifest),
        "This is a delta: it is not whole by itself": list(_delta(manifest)),
        "Internal registries required": manifest.registries,
        "Images": [line for image in manifest.images for line in _image(image)],
        "Images that install makes of these": [_derived(image) for image in manifest.derived],
        "Charts": [line for chart in manifest.charts for line in _chart(chart)],
        "Files": [line for file in manifest.files for line in _file(file)],
        "airgap.pyz carries": [f"{name} {manifest.carries[name]}" for name in sorted(manifest.carries, key=str.lower)],
        "Proof that every image of the releases is here": [_proof(entry) for entry in manifest.proof],
        "Check this bundle before anything of it is run (in this directory)": list(_checking(manifest)),
        "Check this bundle on Windows, by PowerShell": list(_powershell(manifest)),
        "Load the images by hand (in this directory)": list(_loading(manifest)),
    }
    return "\n".join(_section(title, lines) for title, lines in sections.items() if lines)


def _section(title: str, lines: Sequence[str]) -> str:
    return "".join(
        f"{one_line(line)}\n" for line in [title, "-" * len(title), *(f"  {line}".rstrip() for line in lines)]
    )


def _about(manifest: BundleManifest) -> list[str]:
    return [
        f"created:  {manifest.created:%Y-%m-%d %H:%M:%S} UTC",
        f"platform: {manifest.platform or ALL_PLATFORMS}",
        f"layout:   {manifest.layout}",
        f"content:  {len(manifest.images)} images, {len(manifest.charts)} charts, {len(manifest.files)} files",
        f"id:       {manifest.id}",
        f"made by:  airgap {manifest.tool}",
    ]


def _delta(manifest: BundleManifest) -> Iterator[str]:
    if manifest.delta is None:
        return
    sizes = {digest: size for image in manifest.images for digest, size in image.blobs.items()}
    total = sum(sizes.get(digest, 0) for digest in manifest.delta.blobs)
    yield f"made against: {manifest.delta.base}"
    yield f"left out:     {len(manifest.delta.blobs)} layers, {_size(total)}, which the registry inside must have"
    yield "to check that base and delta are complete together, before carrying it or inside:"
    yield "  python3 airgap.pyz verify since=receipt.json"
    yield "to install it: python3 airgap.pyz install, which looks for each of these layers before it changes anything"
    incomplete = [image for image in manifest.images if manifest.lacks(image)]
    if incomplete:
        yield "not to be loaded by hand, because layers are left out:"
    for image in incomplete:
        lacking = manifest.lacks(image)
        yield f"  {image.reference}: {len(lacking)} layers are missing, {_size(sum(lacking.values()))}"


def _image(image: ImageEntry) -> list[str]:
    lines = [
        str(image.reference),
        f"  version: {image.reference.tag}",
        f"  digest:  {image.digest}",
        f"  size:    {_size(image.size)}, {image.platform or ALL_PLATFORMS}",
        f"  source:  {image.source}",
    ]
    if image.file:
        lines.append(f"  file:    {image.file}")
    for platform, file in sorted(image.archives.items()):
        lines.append(f"           {file}, for {platform}")
    if image.sbom:
        lines.append(f"  sbom:    {image.sbom}")
    for each in image.attachments:
        lines.append(f"  with it: {each.tag} ({', '.join(sorted(set(each.artifacts.values())))})")
    if image.unknown_referrers:
        lines.append(f"  unknown: whether it has more signatures: {image.unknown_referrers}")
    if image.cosign_key:
        lines.append(f"  signed:  checked with the key file of {image.cosign_key}")
    if image.config:
        lines.append(f"  engine:  a Docker Engine saved it, with the ID {image.config}")
    if image.upstream:
        lines.append(f"           and had pulled it as {image.upstream}")
    return lines


def _derived(image: DerivedEntry) -> str:
    return f"{image.reference}: {image.base} with the certificates of {image.add_ca}"


def _chart(chart: ChartEntry) -> list[str]:
    lines = [
        chart.name,
        f"  version: {chart.version}",
        f"  sha256:  {chart.digest.hex}",
        f"  size:    {_size(chart.size)}",
        f"  source:  {chart.source}",
        f"  file:    {chart.file}",
    ]
    checked = f", checked with the keyring of {chart.keyring}" if chart.keyring else ""
    return [*lines, f"  signed:  {chart.provenance}{checked}"] if chart.provenance else lines


def _file(file: FileEntry) -> list[str]:
    return [
        f"{file.name} (a tool, on PATH during install)" if file.tool else file.name,
        f"  sha256:  {file.digest.hex}",
        f"  size:    {_size(file.size)}",
        f"  source:  {file.source}",
        f"  file:    {file.file}",
    ]


def _proof(entry: ProofEntry) -> str:
    return f"{entry.release}: proven" if entry.proven else f"{entry.release}: NOT PROVEN, {entry.reason}"


def _checking(manifest: BundleManifest) -> Iterator[str]:
    """The commands; they are for programs of the machine: that of the bundle can't be its own witness."""
    if manifest.signed:
        yield CHECK_COMMAND
    yield f"sha256sum -c {SUMS}"
    if manifest.signed:
        yield ""
        yield "allowed_signers is this site's own list, never one that came with the bundle; IDENTITY is a name in it."
        yield "airgap.pyz checks the same, but a changed bundle may have a changed airgap.pyz too."


def _powershell(manifest: BundleManifest) -> Iterator[str]:
    """The same for a machine with nothing but Windows: its own PowerShell sums, and joins parts byte by byte."""
    archive = f"{manifest.stem}.tar"
    yield "in this directory; expected output: none"
    yield f"  {_SUMMED.format(list=SUMS)}"
    if manifest.archive:
        yield f"beside {archive} or its parts, for the files as they are transferred; expected output: none"
        yield f"  {_SUMMED.format(list=f'{archive}.sha256')}"
    if manifest.split:
        yield f"to join the parts to {archive}"
        yield f"  {_JOINED.format(archive=archive)}"


def _loading(manifest: BundleManifest) -> Iterator[str]:
    """Commands for the engine, and for skopeo, image by image: it keeps the digest, but knows OCI manifests only."""
    if not manifest.images or any(manifest.lacks(image) for image in manifest.images):
        return
    whole = manifest.layout == "oci"
    yield "tar -C images -cf - . | docker load" if whole else 'for f in images/*.tar; do docker load < "$f"; done'
    for image in manifest.images:
        if image.media_type in _OCI:
            source = f"oci:images:{image.reference}" if whole else quote(f"oci-archive:{image.file}:{image.reference}")
            yield f"skopeo copy --all {source} docker://{image.reference}"
    yield from (f"docker push {image.reference}" for image in manifest.images)


def _size(size: int) -> str:
    return f"{human(size)} ({size} bytes)"
