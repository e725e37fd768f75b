"""How a feature adds a field to the type of a lower feature, which must not know it."""

import sys
from types import MappingProxyType
from typing import Any

from strawberry.annotation import StrawberryAnnotation
from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField

_ADDED = "added from above"


def is_added(field: StrawberryField) -> bool:
    """Whether a field was added by a feature above its type's."""
    return bool(field.metadata.get(_ADDED))


def extend(owner: type, name: str, annotation: Any, field: StrawberryField) -> None:  # noqa: ANN401 - a type annotation
    """Add `field` under the Python name `name` and with that type to an object type; a name already there is refused."""
    definition = get_object_definition(owner, strict=True)
    if any(existing.python_name == name for existing in definition.fields):
        raise ValueError(f"{owner.__name__} has a field {name} already")
    resolver = field.base_resolver
    module = resolver.wrapped_func.__module__ if resolver is not None else owner.__module__
    field.metadata = MappingProxyType({**field.metadata, _ADDED: True})
    field.python_name = name
    field.origin = owner
    field.type_annotation = StrawberryAnnotation(annotation, namespace=vars(sys.modules[module]))
    definition.fields.append(field)
