"""Minimum cut of a directed graph with capacities, by Dinic's algorithm (E. A. Dinic, 1970), without recursion."""
from __future__ import annotations

from collections import deque

INFINITE = 1 << 60


class Network:
    """A flow network; vertices are numbers from :meth:`vertex`, 0 is the source, 1 the sink."""

    def __init__(self) -> None:
        self._to: list[int] = []
        self._room: list[int] = []
        self._edges: list[list[int]] = [[], []]

    def vertex(self) -> int:
        self._edges.append([])
        return len(self._edges) - 1

    def edge(self, a: int, b: int, capacity: int) -> None:
        """An edge from ``a`` to ``b``."""
        self._edges[a].append(len(self._to))
        self._to.append(b)
        self._room.append(capacity)
        self._edges[b].append(len(self._to))
        self._to.append(a)
        self._room.append(0)

    def source_side(self) -> set[int]:
        """The vertices on the source's side of a minimum cut, the one nearest to the source."""
        while True:
            level = self._levels()
            if level[1] < 0:
                return {v for v, depth in enumerate(level) if depth >= 0}
            self._block(level)

    def _levels(self) -> list[int]:
        level = [-1] * len(self._edges)
        level[0] = 0
        queue = deque([0])
        while queue:
            v = queue.popleft()
            for e in self._edges[v]:
                w = self._to[e]
                if self._room[e] > 0 and level[w] < 0:
                    level[w] = level[v] + 1
                    queue.append(w)
        return level

    def _block(self, level: list[int]) -> None:
        """Saturates every shortest path, each found by walking forward and backing out of dead ends."""
        at = [0] * len(self._edges)
        path: list[int] = []
        v = 0
        while True:
            if v == 1:
                flow = min(self._room[e] for e in path)
                for e in path:
                    self._room[e] -= flow
                    self._room[e ^ 1] += flow
                k = next(i for i, e in enumerate(path) if self._room[e] == 0)
                v = self._to[path[k] ^ 1]
                del path[k:]
                continue
            edges = self._edges[v]
            while at[v] < len(edges):
                e = edges[at[v]]
                if self._room[e] > 0 and level[self._to[e]] == level[v] + 1:
                    path.append(e)
                    v = self._to[e]
                    break
                at[v] += 1
            else:
                if not path:
                    return
                level[v] = -1
                v = self._to[path.pop() ^ 1]
                at[v] += 1
