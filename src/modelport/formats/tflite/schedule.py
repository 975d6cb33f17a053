"""The order in which a file lists its operators, which is the order in which runtimes execute them.

A runtime's arena is as large as the largest sum of values that are alive at a time; among orders that respect the
data flow some need much less than others.  Finding the best is NP-hard (register sufficiency); two good heuristics are
tried and the better one taken, the graph's own order if none is."""
from __future__ import annotations

import heapq
from collections.abc import Sequence

from ...ir.graph import Graph, Node, Value


def schedule(graph: Graph) -> Sequence[Node]:
    """The nodes of the graph, producers before users, in the order that keeps the peak of live activations low."""
    nodes = graph.nodes
    if len(nodes) < 3:
        return nodes
    orders = [nodes, _greedy(graph, nodes), _greedy(graph, tuple(reversed(nodes)))]
    return min(orders, key=lambda order: peak(graph, order))


def size(v: Value) -> int:
    """Bytes of an activation, sizes that are only known at run time counted as one."""
    n = v.dtype.itemsize
    for d in v.shape or ():
        n *= d if isinstance(d, int) else 1
    return n


def peak(graph: Graph, order: Sequence[Node]) -> int:
    """The largest sum of bytes that are alive at a time, a node's inputs and outputs both alive while it runs.

    The model's inputs may be overwritten after their last use, as every other value."""
    left = _readers(graph)
    live = sum(size(v) for v in graph.inputs.values() if left.get(v))
    most = live
    for node in order:
        live += sum(size(v) for v in node.outputs)
        most = max(most, live)
        live -= _freed(node, left)
        for v in dict.fromkeys(u for u in node.inputs if u is not None):
            if v in left:
                left[v] -= 1
    return most


def _readers(graph: Graph) -> dict[Value, int]:
    """How many nodes (and the interface) read each computed value or input."""
    count: dict[Value, int] = {}
    for node in graph.nodes:
        for v in dict.fromkeys(u for u in node.inputs if u is not None and u.data is None):
            count[v] = count.get(v, 0) + 1
    for v in set(graph.outputs.values()):
        count[v] = count.get(v, 0) + 1
    return count


def _freed(node: Node, left: dict[Value, int]) -> int:
    """Bytes that are free once the node has run: what it alone still reads, and outputs that nobody reads."""
    done = sum(size(v) for v in dict.fromkeys(u for u in node.inputs if u is not None) if left.get(v) == 1)
    return done + sum(size(v) for v in node.outputs if not left.get(v))


def _greedy(graph: Graph, preferred: Sequence[Node]) -> list[Node]:
    """Always the ready node after which the least is alive; of equals the one that ``preferred`` names first."""
    left = _readers(graph)
    rank = {node: k for k, node in enumerate(preferred)}
    users: dict[Value, list[Node]] = {}
    waits: dict[Node, int] = {}
    for node in graph.nodes:
        needs = dict.fromkeys(u for u in node.inputs if u is not None and u.node is not None)
        waits[node] = len(needs)
        for v in dict.fromkeys(u for u in node.inputs if u is not None and u.data is None):
            users.setdefault(v, []).append(node)

    def growth(node: Node) -> int:
        return sum(size(v) for v in node.outputs) - _freed(node, left)

    heap = [(growth(n), rank[n], n) for n in graph.nodes if not waits[n]]
    heapq.heapify(heap)
    order: list[Node] = []
    done: set[Node] = set()
    while heap:
        cost, _, node = heapq.heappop(heap)
        if node in done:
            continue
        if cost != growth(node):  # another node read one of its inputs meanwhile
            heapq.heappush(heap, (growth(node), rank[node], node))
            continue
        order.append(node)
        done.add(node)
        for v in dict.fromkeys(u for u in node.inputs if u is not None and u.data is None):
            left[v] -= 1
            if left[v] == 1:
                for user in users[v]:
                    if user not in done and not waits[user]:
                        heapq.heappush(heap, (growth(user), rank[user], user))
        for v in node.outputs:
            for user in users.get(v, ()):
                waits[user] -= 1
                if not waits[user]:
                    heapq.heappush(heap, (growth(user), rank[user], user))
    return order
