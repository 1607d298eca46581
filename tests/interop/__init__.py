"""Our routers in other frameworks, other frameworks in ours, and other people's middleware."""
