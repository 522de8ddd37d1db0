"""Call records in a database or a warehouse: a table that each run brings up to date."""
