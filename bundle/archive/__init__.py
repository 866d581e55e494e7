"""The bundle as it is carried: a directory, one archive, or parts; reading and verifying one."""
