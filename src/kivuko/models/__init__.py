"""Encoders on sentence-transformers: teachers, and students grown on them."""
