"""Tables of comment threads."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field

from etm_graph.db.base import BigInt, Bytewise, Table, Timestamp, core_table, identity


class ThreadRow(Table, table=True):
    """A conversation that hangs on an anchor (core/anchors.py) of a model."""

    __tablename__ = "thread"
    __table_args__ = (Index("ix_thread_anchor", "model_id", "anchor_kind", "anchor_id", "anchor_part"),)

    id: int = identity()
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt)
    anchor_kind: str
    anchor_id: int = Field(sa_type=BigInt)
    anchor_part: str = Field(default="", sa_column_kwargs={"server_default": ""})
    anchor_label: str
    path: str | None = Field(default=None, sa_type=Bytewise)
    subject: str | None = None
    created_by: int = Field(foreign_key="app_user.id", sa_type=BigInt)
    created_at: datetime = Field(sa_type=Timestamp)
    resolved_by: int | None = Field(default=None, foreign_key="app_user.id", sa_type=BigInt)
    resolved_at: datetime | None = Field(default=None, sa_type=Timestamp)
    version: int = Field(default=0, sa_type=BigInt)


class CommentRow(Table, table=True):
    """One comment; deleting it leaves a tombstone without its text."""

    __tablename__ = "comment"

    id: int = identity()
    thread_id: int = Field(foreign_key="thread.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    model_id: int = Field(foreign_key="territory_model.id", ondelete="CASCADE", sa_type=BigInt, index=True)
    author_id: int = Field(foreign_key="app_user.id", sa_type=BigInt)
    body: str | None = None
    created_at: datetime = Field(sa_type=Timestamp)
    edited_at: datetime | None = Field(default=None, sa_type=Timestamp)
    deleted_at: datetime | None = Field(default=None, sa_type=Timestamp)
    version: int = Field(default=0, sa_type=BigInt)


class CommentRevisionRow(Table, table=True):
    """What a comment said before an edit."""

    __tablename__ = "comment_revision"

    comment_id: int = Field(primary_key=True, foreign_key="comment.id", ondelete="CASCADE", sa_type=BigInt)
    version: int = Field(primary_key=True, sa_type=BigInt)
    body: str
    at: datetime = Field(sa_type=Timestamp)


class ReactionRow(Table, table=True):
    """A sign that somebody put on a comment."""

    __tablename__ = "comment_reaction"

    comment_id: int = Field(primary_key=True, foreign_key="comment.id", ondelete="CASCADE", sa_type=BigInt)
    emoji: str = Field(primary_key=True)
    user_id: int = Field(primary_key=True, foreign_key="app_user.id", sa_type=BigInt)
    at: datetime = Field(sa_type=Timestamp)


class MentionRow(Table, table=True):
    """Somebody whom a comment names; seq: number of the change that first did."""

    __tablename__ = "comment_mention"

    comment_id: int = Field(primary_key=True, foreign_key="comment.id", ondelete="CASCADE", sa_type=BigInt)
    user_id: int = Field(primary_key=True, foreign_key="app_user.id", sa_type=BigInt)
    seq: int = Field(sa_type=BigInt)


class FollowRow(Table, table=True):
    """Whether somebody follows a thread; who began it, answered in it or was mentioned does until they stop."""

    __tablename__ = "thread_follow"

    thread_id: int = Field(primary_key=True, foreign_key="thread.id", ondelete="CASCADE", sa_type=BigInt)
    user_id: int = Field(primary_key=True, foreign_key="app_user.id", sa_type=BigInt)
    following: bool


class ReadMarkRow(Table, table=True):
    """How far somebody has read a thread: the last comment's id."""

    __tablename__ = "thread_read_mark"

    thread_id: int = Field(primary_key=True, foreign_key="thread.id", ondelete="CASCADE", sa_type=BigInt)
    user_id: int = Field(primary_key=True, foreign_key="app_user.id", sa_type=BigInt)
    comment_id: int = Field(sa_type=BigInt)


thread = core_table(ThreadRow)
comment = core_table(CommentRow)
comment_revision = core_table(CommentRevisionRow)
comment_reaction = core_table(ReactionRow)
comment_mention = core_table(MentionRow)
thread_follow = core_table(FollowRow)
thread_read_mark = core_table(ReadMarkRow)
