"""How often a rule holds if every true value lies exactly on its line (the book's protocol, section 8)."""
import ast


def ends_read(expression: str) -> set[str]:
    """The quantities of which an expression reads an end of the interval."""
    nodes = ast.walk(ast.parse(expression))
    return {n.value.id for n in nodes if isinstance(n, ast.Attribute) and n.attr in ("lo", "hi")}


def bound(node: ast.expr, tail: float) -> float:
    """Largest probability that an expression is true, if each end that it reads passes its line with
    probability `tail`, and all else is as claimed; nothing is assumed about dependence."""
    if isinstance(node, ast.BoolOp):
        each = [bound(value, tail) for value in node.values]
        return min(each) if isinstance(node.op, ast.And) else min(1, sum(each))
    if not ends_read(ast.unparse(node)):
        return 1.0
    alternatives = [n for n in ast.walk(node) if isinstance(n, ast.Compare) and n is not node]
    if alternatives:  # (a.lo > 0) + (b.lo > 0) + ... >= m: Markov's inequality
        return min(1, len(alternatives) * tail / node.comparators[0].value)
    if any(isinstance(n, ast.Call) for n in ast.walk(node)):
        raise ValueError(f"no bound is known for {ast.unparse(node)}")
    return tail


def expressions(item: dict) -> list[str]:
    """What must be true for an item to hold: its parts, or the branch of the paper's entry in Table 2."""
    if "cell" in item:
        entry = item["paper_entry"]["cell"].lower()
        return [item["cell"][entry]] if entry in item["cell"] else []
    rule = item.get("rule", {})
    return [part["holds"] for part in rule.get("parts", {"": rule} if rule else {}).values()]


def intervals_read(item: dict) -> int:
    """How many intervals the rule of an item reads."""
    return len(set().union(*map(ends_read, item.get("cell", {}).values() or expressions(item))))


def by_chance(item: dict) -> float:
    """Largest probability of "holds" on the line, for an item whose rule reads intervals."""
    tail = (1 - item["interval"] / 100) / 2
    each = [bound(ast.parse(text, mode="eval").body, tail) for text in expressions(item)]
    return min(each, default=0.0)  # a cell that the paper leaves open has no verdict
