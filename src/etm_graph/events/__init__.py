"""The change log: written with what it describes, read by subscribers, woken by hints."""
