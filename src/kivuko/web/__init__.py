"""The service: search, explanations and word alignment over HTTP, and the page that shows them."""
