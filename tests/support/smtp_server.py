"""A mail server for tests: takes mails on a free port of loopback and prints each as a line of JSON.

Arguments: a file (while it is there, every mail is put off), and for STARTTLS a certificate and its key. With the line
`down` on standard input nothing listens any more until `up` comes; the port stays its own meanwhile.
"""

import asyncio
import json
import os
import socket
import ssl
import sys

from aiosmtpd.smtp import SMTP


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if os.path.exists(sys.argv[1]):
            return "451 4.3.0 try again later"
        if address.startswith("nobody@"):
            return "550 5.1.1 there is nobody of that name"
        if address.startswith("prohibited@"):
            return "550 Administrative prohibition"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        print(
            json.dumps(
                {
                    "from": envelope.mail_from,
                    "to": envelope.rcpt_tos,
                    "tls": session.ssl is not None,
                    "content": envelope.content.decode("utf-8", "replace"),
                }
            ),
            flush=True,
        )
        return "250 OK"


def bound(port):
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    place.bind(("127.0.0.1", port))
    return place


async def main():
    context = None
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
    loop = asyncio.get_running_loop()

    def protocol():
        return SMTP(Handler(), tls_context=context, require_starttls=context is not None, loop=loop)

    # Never listens: it keeps the port.
    place = bound(0)
    port = place.getsockname()[1]
    server = await loop.create_server(protocol, sock=bound(port))
    print(port, flush=True)
    # Ends with the test that started it.
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line == "down\n":
            server.close()
        else:
            server = await loop.create_server(protocol, sock=bound(port))
    os._exit(0)


asyncio.run(main())
