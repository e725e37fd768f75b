"""Use cases of inboxes and webhooks."""

from etm_graph.features.notifications.service.inbox import follow_territory, mark_read
from etm_graph.features.notifications.service.outbox import Address, Message, claim_messages, note_delivery
from etm_graph.features.notifications.service.telling import tell_stream
from etm_graph.features.notifications.service.webhooks import create_webhook, delete_webhook

__all__ = [
    "Address",
    "Message",
    "claim_messages",
    "create_webhook",
    "delete_webhook",
    "follow_territory",
    "mark_read",
    "note_delivery",
    "tell_stream",
]
