"""`python -m airgap`."""

from airgap import main

main()
