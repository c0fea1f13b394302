# A mail server for the tests: prints its port, then each mail as a line of JSON. It refuses and puts off by the address.
# With "starttls" or "tls", and the files of a certificate and its key, it takes no mail in the clear.
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP


MODE = sys.argv[1] if len(sys.argv) > 1 else ""


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return "550 no such mailbox"
        if address.startswith("later"):
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        text = envelope.content.decode("utf-8", "replace")
        secured = session.ssl is not None or MODE == "tls"
        mail = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "text": text, "secured": secured}
        print(json.dumps(mail), flush=True)
        return "250 OK"


async def main():
    loop = asyncio.get_running_loop()
    context = None
    if MODE:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*sys.argv[2:])
    secured = {"tls_context": context, "require_starttls": True} if MODE == "starttls" else {}
    server = await loop.create_server(
        lambda: SMTP(Handler(), **secured), "127.0.0.1", 0, ssl=context if MODE == "tls" else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
