"""What an edit in the ledger says of its place, readable without Arrow."""

NO_PLACE = -1
"""`offset` of a row that stands for all edits of its type in a document; its `length` is their number."""
