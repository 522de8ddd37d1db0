"""The walk: the next page to request, the records to yield, the division of a window, the end.

From the top: ``walk`` reads a whole window, divided where one list is not enough; ``division`` chooses the slices;
``listing`` reads one list of pages; ``prefetch`` fetches ahead; ``ledger`` keeps account of one list.
"""
