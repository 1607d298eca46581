"""Processes: async functions with an inbox each, which anybody reaches by their pids.

::

    from asgi_express.processes import Processes

    processes = Processes()
    app = Express(lifespan=processes.lifespan)


    async def greeter(process, greeting):
        async for message in process:
            process.send(message.sender, "greeting", f"{greeting}, {message.payload}")


    pid = processes.spawn(greeter, "hello")
    inbox = processes.open("me")
    processes.send(pid, "name", "Ada", sender=inbox.pid)
    (await inbox.receive()).payload  # -> "hello, Ada"
"""

from asgi_express.processes._inbox import Inbox, InboxClosed, Message, Overflow
from asgi_express.processes._process import Process, current
from asgi_express.processes._processes import EXIT, Processes

__all__ = ["EXIT", "Inbox", "InboxClosed", "Message", "Overflow", "Process", "Processes", "current"]
