"""It cannot be imported."""

raise RuntimeError("there is no database")
