"""Steps that make the bundle of its parts: manifest, zipapp, report, checksums, directory, archive."""
