"""The middleware: each for itself, and all of them through one contract."""
