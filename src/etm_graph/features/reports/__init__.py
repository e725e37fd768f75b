"""Reports: small declarative definitions over coverage, effectiveness, alignment, history and balance."""
