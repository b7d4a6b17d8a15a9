"""Results for people: tables and progress."""
