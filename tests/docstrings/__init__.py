"""The examples of the docstrings: found in the sources, and run where they make sense."""
