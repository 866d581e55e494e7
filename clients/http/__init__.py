"""HTTP as registries speak it: connections, TLS, proxies, retries, logins, errors."""
