"""From a pipeline function, or IR, to a Bundle: kfp's compiler, extended, and what surrounds it."""
