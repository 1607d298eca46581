"""Processes, and the relays that lead to them."""
