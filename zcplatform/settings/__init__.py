"""The settings of one installation: a root-owned TOML file, overridden by `ZCPLATFORM_*` variables. Unknown keys and wrong values are refused.

The file is the only place that widens what the worker may do (images, ranges, hosts that tenants may reach): rows cannot.
"""

from zcplatform.settings.loading import DEFAULT_PATH, load
from zcplatform.settings.model import Settings
from zcplatform.settings.values import ModelPrice, Span

__all__ = ["DEFAULT_PATH", "ModelPrice", "Settings", "Span", "load"]
