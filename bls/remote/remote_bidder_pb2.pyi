from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Turn(_message.Message):
    __slots__ = ("open", "next", "close")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    open: Open
    next: Next
    close: Close
    def __init__(self, open: _Optional[_Union[Open, _Mapping]] = ..., next: _Optional[_Union[Next, _Mapping]] = ..., close: _Optional[_Union[Close, _Mapping]] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ("conversation", "vocabulary", "vocabulary_size", "deadline_ms", "top_k", "prompt")
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    VOCABULARY_FIELD_NUMBER: _ClassVar[int]
    VOCABULARY_SIZE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    conversation: int
    vocabulary: bytes
    vocabulary_size: int
    deadline_ms: int
    top_k: int
    prompt: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, conversation: _Optional[int] = ..., vocabulary: _Optional[bytes] = ..., vocabulary_size: _Optional[int] = ..., deadline_ms: _Optional[int] = ..., top_k: _Optional[int] = ..., prompt: _Optional[_Iterable[int]] = ...) -> None: ...

class Next(_message.Message):
    __slots__ = ("index", "token")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    index: int
    token: int
    def __init__(self, index: _Optional[int] = ..., token: _Optional[int] = ...) -> None: ...

class Close(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LogitChunk(_message.Message):
    __slots__ = ("index", "vocabulary", "top_k", "full")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    VOCABULARY_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    FULL_FIELD_NUMBER: _ClassVar[int]
    index: int
    vocabulary: bytes
    top_k: TopK
    full: Full
    def __init__(self, index: _Optional[int] = ..., vocabulary: _Optional[bytes] = ..., top_k: _Optional[_Union[TopK, _Mapping]] = ..., full: _Optional[_Union[Full, _Mapping]] = ...) -> None: ...

class TopK(_message.Message):
    __slots__ = ("id", "logit", "floor")
    ID_FIELD_NUMBER: _ClassVar[int]
    LOGIT_FIELD_NUMBER: _ClassVar[int]
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    id: _containers.RepeatedScalarFieldContainer[int]
    logit: _containers.RepeatedScalarFieldContainer[float]
    floor: float
    def __init__(self, id: _Optional[_Iterable[int]] = ..., logit: _Optional[_Iterable[float]] = ..., floor: _Optional[float] = ...) -> None: ...

class Full(_message.Message):
    __slots__ = ("type", "values")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        TYPE_UNSPECIFIED: _ClassVar[Full.Type]
        F16: _ClassVar[Full.Type]
        F32: _ClassVar[Full.Type]
    TYPE_UNSPECIFIED: Full.Type
    F16: Full.Type
    F32: Full.Type
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    type: Full.Type
    values: bytes
    def __init__(self, type: _Optional[_Union[Full.Type, str]] = ..., values: _Optional[bytes] = ...) -> None: ...
