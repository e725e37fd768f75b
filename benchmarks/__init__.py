"""One file per figure; each prints its alternative and its limit from the same run."""
