# SPDX-License-Identifier: Apache-2.0
"""Why a row of a file is not a creative."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """The first five are the row's own; the others come from what is stored already."""

    UNREADABLE = "unreadable"  # not a line of this kind of file
    NOT_UTF8 = "not_utf8"
    FIELDS = "wrong_number_of_fields"
    NO_TITLE = "no_title"
    NO_ADVERTISER = "no_advertiser"
    TWICE = "id_twice_in_file"
    DELETED = "deleted_before"  # a deleted msg_id is never used again
    TAKEN = "taken_by_another_advertiser"
    CAMPAIGN = "campaign_of_another_advertiser"
    NOT_STORED = "not_stored"


class RowError(ValueError):
    """A row that is left out; the others go on."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault
