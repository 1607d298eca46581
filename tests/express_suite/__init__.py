"""Ideas of Express's own suite that no other test has; ``tests/conformance/express_cases`` names them."""
