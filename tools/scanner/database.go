// Command database writes a vulnerability database of grype's that knows one vulnerability of a Debian package and one of
// a Python distribution, into the directory that it is given. It is built inside grype's own module.
package main

import (
	"log"
	"os"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/spf13/afero"
)

func main() {
	if err := write(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func write(place string) error {
	if err := os.MkdirAll(place, 0o755); err != nil {
		return err
	}
	store, err := v6.NewWriter(v6.Config{DBDirPath: place, CacheSizeKiB: 1024})
	if err != nil {
		return err
	}
	if err := store.SetDBMetadata(); err != nil {
		return err
	}
	debian := &v6.OperatingSystem{Name: "debian", ReleaseID: "debian", MajorVersion: "12", Codename: "bookworm"}
	for _, each := range []*v6.AffectedPackageHandle{
		affected("debian", "CVE-2026-10001", "critical", "deb", "airgap-demo", "dpkg", "2.0-1", debian),
		affected("github", "GHSA-aaaa-bbbb-cccc", "medium", "python", "airgap-sample", "python", "1.5", nil),
	} {
		if err := store.AddVulnerabilities(each.Vulnerability); err != nil {
			return err
		}
		each.VulnerabilityID = each.Vulnerability.ID
		if err := store.AddAffectedPackages(each); err != nil {
			return err
		}
	}
	if err := store.Close(); err != nil {
		return err
	}
	if err := v6.Hydrater()(place); err != nil {
		return err
	}
	_, err = v6.WriteImportMetadata(afero.NewOsFs(), place, "tests")
	return err
}

// affected is a package before the version that it is fixed in.
func affected(
	provider, id, severity, ecosystem, name, format, fixed string, system *v6.OperatingSystem,
) *v6.AffectedPackageHandle {
	now := time.Now().UTC()
	return &v6.AffectedPackageHandle{
		Vulnerability: &v6.VulnerabilityHandle{
			Name:          id,
			Status:        v6.VulnerabilityActive,
			PublishedDate: &now,
			Provider:      &v6.Provider{ID: provider, Version: "1", Processor: "tests", DateCaptured: &now},
			BlobValue: &v6.VulnerabilityBlob{
				ID:          id,
				Description: "Made for tests.",
				Severities:  []v6.Severity{{Scheme: v6.SeveritySchemeCHMLN, Value: severity, Rank: 1}},
			},
		},
		OperatingSystem: system,
		Package:         &v6.Package{Ecosystem: ecosystem, Name: name},
		BlobValue: &v6.PackageBlob{
			Ranges: []v6.Range{{
				Version: v6.Version{Type: format, Constraint: "< " + fixed},
				Fix:     &v6.Fix{Version: fixed, State: v6.FixedStatus},
			}},
		},
	}
}
