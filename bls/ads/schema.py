# SPDX-License-Identifier: Apache-2.0
"""The tables. Money is integer micro-dollars, times are Unix seconds.

advertisers   who may call, by the SHA-256 of a key
campaigns     what an advertiser offers, and what it is worth to it
creatives     what an advertiser's model is told; a deleted one stays as a tombstone
budgets       who has a budget at all, and how much a UTC day
seeds         the daily budgets that the campaign file gave last
flights       money between two times: spent + reserved <= budget, always
holds         what a reply under way may spend of a flight
settlements   replies that have ended, so that ending twice changes nothing
requests      answers to requests with an Idempotency-Key
counters      the newest `seq`
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

VERSION = 2
"""Rises with every change below; `bls.ads.migrate` brings an older database there."""

metadata = MetaData()

schema = Table(
    "skynet_schema",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    CheckConstraint("id = 1"),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

advertisers = Table(
    "advertisers",
    metadata,
    Column("advertiser", String(64), primary_key=True),
    Column("key_sha256", String(64), unique=True),
    Column("created_ts", BigInteger, nullable=False),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("campaign_id", String(128), primary_key=True),
    Column("advertiser", String(64), nullable=False, index=True),
    Column("brand", String(80), nullable=False),
    Column("category", String(64), nullable=False),
    Column("bid", Double, nullable=False),
    Column("cpm_micros", BigInteger),
    Column("cpc_micros", BigInteger),
    Column("start_ts", BigInteger, nullable=False),
    Column("end_ts", BigInteger),
    Column("frequency_cap", Integer),
    Column("status", String(16), nullable=False),
    Column("seq", BigInteger, nullable=False, unique=True),
    CheckConstraint("bid >= 0"),
    CheckConstraint("cpm_micros >= 0"),
    CheckConstraint("cpc_micros >= 0"),
    CheckConstraint("frequency_cap >= 1"),
)

creatives = Table(
    "creatives",
    metadata,
    Column("msg_id", String(128), primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.campaign_id"), nullable=False, index=True),
    Column("advertiser", String(64), nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("checked", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("embedding", LargeBinary),
    Column("deleted", Boolean, nullable=False),
    Column("seq", BigInteger, nullable=False, unique=True),
    CheckConstraint("version >= 1"),
    CheckConstraint("NOT deleted OR (text = '' AND embedding IS NULL)", name="tombstone"),
)
_alive = ~creatives.c.deleted
Index("to_judge", creatives.c.seq, sqlite_where=_alive & (creatives.c.checked == "waiting"),
      postgresql_where=_alive & (creatives.c.checked == "waiting"))  # fmt: skip
Index("to_embed", creatives.c.seq,
      sqlite_where=_alive & (creatives.c.checked == "ok") & creatives.c.embedding.is_(None),
      postgresql_where=_alive & (creatives.c.checked == "ok") & creatives.c.embedding.is_(None),
      )  # fmt: skip

budgets = Table(
    "budgets",
    metadata,
    Column("advertiser", String(64), primary_key=True),
    Column("daily_micros", BigInteger),  # NULL: only the flights it was given
    CheckConstraint("daily_micros >= 0"),
)

seeds = Table(
    "seeds",
    metadata,
    Column("advertiser", String(64), primary_key=True),
    Column("daily_micros", BigInteger, nullable=False),
)

flights = Table(
    "flights",
    metadata,
    Column("advertiser", String(64), primary_key=True),
    Column("start_ts", BigInteger, primary_key=True, autoincrement=False),
    Column("end_ts", BigInteger, nullable=False),
    Column("budget_micros", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    CheckConstraint("end_ts >= start_ts"),
    CheckConstraint("budget_micros >= 0"),
    CheckConstraint("spent >= 0"),
    CheckConstraint("reserved >= 0"),
    CheckConstraint("spent + reserved <= budget_micros", name="never_overspent"),
)

holds = Table(
    "holds",
    metadata,
    Column("advertiser", String(64), primary_key=True),
    Column("reply", String(64), primary_key=True),
    Column("start_ts", BigInteger, nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("owner", String(64), nullable=False, index=True),
    Column("session", String(64), nullable=False),
    Column("ts", BigInteger, nullable=False),
    CheckConstraint("micros >= 0"),
)

settlements = Table(
    "settlements",
    metadata,
    Column("advertiser", String(64), primary_key=True),
    Column("reply", String(64), primary_key=True),
    Column("start_ts", BigInteger, nullable=False),
    Column("charged", BigInteger, nullable=False),
    Column("ts", BigInteger, nullable=False, index=True),
    CheckConstraint("charged >= 0"),
)

requests = Table(
    "requests",
    metadata,
    Column("advertiser", String(64), primary_key=True),
    Column("request", String(64), primary_key=True),
    Column("body_sha256", String(64), nullable=False),
    Column("answer", Text, nullable=False),
    Column("ts", BigInteger, nullable=False, index=True),
)
