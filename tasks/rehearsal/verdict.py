"""The rehearsing program's own check of a bundle, before anything of it runs: its own program can't be its witness."""

from collections.abc import Iterator
from dataclasses import dataclass

from bundle.archive.reader import is_signed, signer_of
from bundle.archive.verify import VerifyReport, verify
from bundle.formats.sizes import human
from bundle.meter import Meter
from bundle.signing.signers import Signer
from tasks.site.carried import CarriedBundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was checked of a bundle that is whole: who signed it, as the site's list of `signers` has it, or nobody."""

    report: VerifyReport
    signer: Signer | None
    signers: str
    is_signed: bool

    def __str__(self) -> str:
        return f"{self.report.files} files, {human(self.report.size)}, all checksums match"

    def proven(self) -> Iterator[str]:
        """What is known for sure."""
        yield "the carried bundle is whole and undamaged, by the check of this program, not of its own"
        if self.signer:
            yield f"it is signed by {self.signer.identity} ({self.signer.key}), whom {self.signers} lists"

    def not_proven(self) -> Iterator[str]:
        """What is not."""
        if self.is_signed and not self.signer:
            yield "that the signature is one that the site trusts: give its list, trust=FILE"


def judge_carried(carried: CarriedBundle, meter: Meter) -> Verdict:
    """Check signature and files; a TrustError, a BundleError or an IntegrityError says what is wrong with them."""
    trust = carried.trust(carried.path)
    signer = signer_of(carried.path, carried.vouch)
    report = verify(carried.path, meter=meter, vouch=carried.vouch)
    report.raise_if_bad()
    label = trust.signers.label if trust else ""
    return Verdict(report=report, signer=signer, signers=label, is_signed=is_signed(carried.path))
