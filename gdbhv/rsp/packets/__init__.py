"""The handlers, one file for each topic of GDB's manual. Importing this package fills ``gdbhv.rsp.registry``."""

import importlib
import pkgutil

for _topic in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_topic.name)
