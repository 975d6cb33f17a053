"""Operators that call graphs."""
from __future__ import annotations

from . import Family

FAMILY = Family()
F = FAMILY.case
PT2 = ("pt2", "dynamic")
H = "torch._higher_order_ops"

F("cond", "torch.cond(x.sum() > 0, lambda a: a * 2, lambda a: a - 1, (x,))", "f[3,4]", forms=PT2)
F("cond/other", "torch.cond(x.sum() > 0, lambda a: a * 2, lambda a: a - 1, (-x.abs(),))", "f[3,4]", forms=PT2)
F("cond/two", "torch.cond(x.sum() > y.sum(), lambda a, b: (a, b * 2), lambda a, b: (b + 1, a), (x, y))",
  "f[3,4] f[3,4]", forms=PT2)
F("while_loop", f"{H}.while_loop(lambda i, a: i < 5, lambda i, a: (i + 1, a * 1.5), (torch.tensor(0), x))", "f[3]",
  forms=("pt2",))
F("while_loop/data", f"{H}.while_loop(lambda a: a.sum() < 50, lambda a: (a * 2,), (x,))", "f[3]1:2", forms=("pt2",))
F("while_loop/never", f"{H}.while_loop(lambda a: a.sum() < 1, lambda a: (a * 2,), (x,))", "f[3]1:2", forms=("pt2",))
F("scan", f"{H}.scan(lambda c, a: (c + a, c * a), y, x, dim=0)", "f[5,3] f[3]", forms=PT2)
F("scan/axis", f"{H}.scan(lambda c, a: (c * 0.5 + a, c.clone()), y, x, dim=1, reverse=True)", "f[3,5] f[3]",
  forms=("pt2",))
F("map", f"{H}.map(lambda a, b: a * b + 1, x, y)", "f[5,3] f[3]", forms=PT2)
F("no_grad", "with torch.no_grad():\n    y = x * 2\ny + 1", "f[3]", forms=PT2)
F("autocast", "with torch.autocast('cpu', dtype=torch.bfloat16):\n    y = x.float() + 1\ny", "f[3]", forms=("pt2",))
