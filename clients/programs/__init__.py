"""Programs of the machine: the one runner, streams through programs, openssl, ssh-keygen, syft."""
