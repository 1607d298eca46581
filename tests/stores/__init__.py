"""Stores: in memory, and in a Redis that is really there."""
