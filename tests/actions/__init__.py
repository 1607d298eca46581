"""Actions: applications in the style of Lapis."""
