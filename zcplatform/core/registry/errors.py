"""All error codes (`subject.problem`) with their meaning."""

from collections.abc import Mapping

from zcplatform.core.registry.errors_of_host import HOST
from zcplatform.core.registry.errors_of_people import PEOPLE
from zcplatform.core.registry.errors_of_tenants import TENANTS

ERRORS: Mapping[str, str] = {**PEOPLE, **TENANTS, **HOST}
