"""Channels: in one process, over a real Redis, and as HTTP."""
