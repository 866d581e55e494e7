"""Commands beside the graph: plan, graph, lock, images, adopt, publish, report, backup, day 2."""
