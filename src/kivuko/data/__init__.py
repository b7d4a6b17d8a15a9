"""Files and hubs to records: bitext, collections, runs."""
