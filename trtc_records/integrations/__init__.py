"""Where this library meets others: one module for each, with its third party imported there."""
