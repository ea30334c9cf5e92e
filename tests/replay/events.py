"""events - what befalls a volume while it is backed up.

Each event is a function of a Life; it yields after every step, and what follows a step is some work and a
list, which must be right.  A step may say that the list may be refused: `yield {3: why}` allows exit status
3 (a full list is needed), `yield {2: why}` demands 2 (a brick that holds the only copy is away), `yield {MUST: 3,
3: why}` demands 3.
"""

# Bricks of a type, bricks of a set, and how many of a set may be away.
SHAPES = {
    "dist1": (1, 1, 0), "dist3": (3, 1, 0), "rep2": (2, 2, 1), "rep3": (3, 3, 1), "2x2": (4, 2, 1), "arb": (6, 3, 1),
    "2x3": (6, 3, 1), "3x2": (6, 2, 1), "disp": (3, 3, 1), "2xdisp": (6, 3, 1), "disp6": (6, 6, 2), "shard": (2, 1, 0),
    "shard2x2": (4, 2, 1),
}


MUST = "must"
BREAKS = ("kill", "replace", "reset")  # events after which heals are pending


class Life:
    def __init__(self, kind, rng, do):
        self.kind, self.rng, self.do = kind, rng, do
        count, self.set_size, self.spare = SHAPES[kind]
        self.bricks = [str(n) for n in range(count)]  # numbers of their folders, by place in the volume
        self.folders = count  # that were ever used
        self.needed = self.spare + 1 if "disp" in kind else 1  # bricks of a set that miss nothing between them
        self.worn = False  # the volume is not any more what it was made as
        self.draining = False  # bricks that are to be removed
        self.pending = False  # heals
        self.unhealed = False  # they are, and the mount may show names and times of a brick that was away
        self.differ = False  # replicas may, for good

    def brick(self):
        return self.rng.choice(self.bricks)

    def some_set(self):
        first = self.rng.randrange(len(self.bricks) // self.set_size) * self.set_size
        return self.bricks[first:first + self.set_size]

    def new(self, count):
        self.folders += count
        return [str(n) for n in range(self.folders - count, self.folders)]

    def fits(self, name):
        need = NEEDS.get(name)
        sets = self.set_size != len(self.bricks)
        return not need or (need == "sets" and sets) or (need == "spare" and self.spare > 0) or (
            need == "others" and self.spare == 0 and sets)

    def names(self):
        return [n for n in EVENTS if self.fits(n)]

    def steps(self, name):
        return EVENTS[name](self)

    def event(self, verb, *args):
        self.do(verb, *args)
        if verb in BREAKS and self.spare:
            self.pending = self.differ = True
            self.unhealed = self.unhealed or verb == "kill"
        elif verb == "healed":
            self.pending = self.unhealed = False
        elif verb in ("drain", "remove"):
            self.draining = verb == "drain"


def brick_down(life):
    n = life.brick()
    life.event("kill", n)
    yield
    yield
    life.event("heals", "off")
    life.event("restart", n)
    yield
    life.event("heals", "on")
    yield
    life.event("healed")
    yield


def brick_blink(life):
    """Down and back between two lists."""
    n = life.brick()
    yield
    life.event("kill", n)
    yield False
    life.event("restart", n)
    yield
    life.event("healed")
    yield


def bricks_in_turn(life):
    """The siblings cover for one another; first within one window, then over several.  When the second one is away in
    the window in which the first was, what is left of two does not know all; of three it may."""
    pair = life.some_set()[:2]
    for listed in (False, True):
        for n in pair:
            life.event("kill", n)
            alone = listed and n == pair[0] and life.set_size == 2
            yield {2: "the brick that is left was away, too"} if alone else None if listed else False
            life.event("restart", n)
            life.event("healed")
            yield None if listed else False
    yield


def unhealed_then_sibling(life):
    """A list is made while B is down; B is back, and misses it all; then A, which does not, is listed alone.  When it
    is A that is away, those that have a position have to be enough."""
    a, b = life.rng.sample(life.some_set(), 2)
    life.event("kill", b)
    yield
    life.event("heals", "off")
    life.event("restart", b)
    yield False
    life.event("heals", "on")
    life.event("healed")
    life.event("kill", a)
    yield {2: "what is left has no position, or is too little of a disperse set"} if life.set_size - 2 < life.needed else None
    life.event("restart", a)
    yield {3: "what the one missed, the other recorded without a position"} if life.set_size == 2 else None
    life.event("healed")
    yield


def brick_gone(life):
    """No copy elsewhere: the list is refused, and the next one has it all."""
    n = life.brick()
    life.event("kill", n)
    yield {2: "the only copy is away"}
    life.event("restart", n)
    yield


def stop_start(life):
    life.event("stopstart")
    yield
    life.event("stopstart")
    life.event("stopstart")
    yield


def rollovers(life):
    life.event("roll", "2")
    yield
    life.event("roll", "3")
    yield


def no_gfid2path(life):
    life.event("set", "storage.gfid2path", "off")
    yield
    yield
    life.event("set", "storage.gfid2path", "on")
    yield
    yield


def binary(life):
    life.event("set", "changelog.encoding", "binary")
    yield
    yield
    life.event("set", "changelog.encoding", "ascii")
    yield


def add_brick(life):
    life.worn = True
    new = life.new(life.set_size)
    life.bricks += new
    life.event("add", *new)
    yield {3: "new bricks have no history"}
    yield
    life.event("rebalance")
    yield
    life.event("balanced")
    yield
    yield


def remove_brick(life):
    life.worn = True
    old = life.bricks[-life.set_size:]
    del life.bricks[-life.set_size:]
    if life.rng.random() < 0.5:  # what they recorded until then is lost with them
        life.event("drain", *old)
        yield
        life.event("drained", *old)
        yield
    else:
        yield False
        life.event("drain", *old)
        yield False
        life.event("drained", *old)
    life.event("remove", *old)
    yield {3: "bricks left with records that were not read"}
    yield


def replace_brick(life):
    life.worn = True
    n, new = life.brick(), life.new(1)[0]
    life.bricks[life.bricks.index(n)] = new
    life.event("replace", n, new)
    yield
    life.event("healed")
    yield
    yield


def reset_brick(life):
    n = life.brick()
    life.event("reset", n)
    yield
    life.event("healed")
    yield
    yield


def unrecorded(life, how, told):
    """What is done meanwhile nobody records."""
    life.event(how, "changelog.changelog", "off")
    yield False
    life.event(how, "changelog.changelog", "on")
    yield {MUST: 3, 3: told}
    yield


def changelog_off(life):
    """A new HTIME tells."""
    return unrecorded(life, "set", "changelog was off")


def silent_off(life):
    """HTIME does not tell."""
    return unrecorded(life, "stopstart", "changelog was off while the volume ran")


def quota(life):
    """It is on from the beginning: replay.py sees to that."""
    yield
    life.event("set", "features.quota-deem-statfs", "off")
    yield


def bitrot(life):
    life.worn = True
    life.event("bitrot")
    yield
    yield


EVENTS = {
    "brick-down": brick_down, "brick-blink": brick_blink, "bricks-in-turn": bricks_in_turn,
    "unhealed-then-sibling": unhealed_then_sibling, "brick-gone": brick_gone, "stop-start": stop_start, "rollovers": rollovers,
    "no-gfid2path": no_gfid2path, "binary": binary, "add-brick": add_brick, "remove-brick": remove_brick,
    "replace-brick": replace_brick, "reset-brick": reset_brick, "quota": quota, "bitrot": bitrot,
    "changelog-off": changelog_off, "silent-off": silent_off,
}
NEEDS = {
    "brick-down": "spare", "brick-blink": "spare", "bricks-in-turn": "spare", "unhealed-then-sibling": "spare", "replace-brick": "spare",
    "reset-brick": "spare", "brick-gone": "others", "remove-brick": "sets",
}
