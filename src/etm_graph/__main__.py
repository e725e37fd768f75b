"""`python -m etm_graph` is `etm-graph`."""

from etm_graph.cli import main

main()
