"""The values that everything speaks of: the IR, the two kinds, the objects of a document."""
