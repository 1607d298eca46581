"""One application under every server, driven by real clients."""
