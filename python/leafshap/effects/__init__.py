"""Effects of features on a model's output: partial dependence, individual curves, interactions.

One evaluation stands behind all of it: what trees answer when some features of the data's rows take
other values (`_core.ResponsePlan`), that is, the interventional game.
"""
