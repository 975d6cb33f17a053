"""Pickled modules: the tree of a file of torch.save(model), and what the forward methods of known classes compute.

Nothing is imported or run.  :mod:`.tree` makes modules of the records of a pickle, :mod:`.run` calls them, by the rules
of :mod:`.layers` (torch.nn), :mod:`.attention`, :mod:`.recurrent` and :mod:`.vision` (torchvision), or by the code that
the file holds itself (:mod:`.source`)."""
