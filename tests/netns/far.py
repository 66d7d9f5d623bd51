"""A station whose programs are far from one another: each on a host of its
own, behind its own access link."""

from air import Air

CONTACTS = 2  # ways in that each program is told


class FarAir(Air):
    """Programs find each other through the relays started first, which have
    to be there before anything else. `link` of each start is for its host."""

    def __init__(self, stage, source, internet, **options):
        super().__init__(stage, source, **options)
        self.internet = internet
        self.where = []

    def start(self, program, *args, link=None, **options):
        namespace, address = self.internet.host(**(link or {}))
        self.stage.prefix = namespace.prefix
        contacts = [word for node in self.nodes[:CONTACTS]
                    for word in ("--bootstrap", node.host)]
        started = self.stage.start(program, *contacts, *args,
                                   env=self.stage.apart(address), **options)
        started.host = address
        return started

    def start_relays(self, n):
        for number in range(n):
            self.start_node(name=f"relay-{number + 1}")

    def silence(self, program):
        self.internet.set_link(program.host, cut=1)
