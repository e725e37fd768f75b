"""Who is told what: an inbox for everybody, followed territories, and outgoing webhooks."""
