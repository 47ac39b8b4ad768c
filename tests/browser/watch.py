"""What goes wrong in a browser while a test drives it, written down."""

VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`content policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


def watch(context, address):
    """A list that fills with console errors, policy violations and requests to other origins."""
    troubles = []

    def heard(message):
        if message.type in {"error", "warning"}:
            troubles.append(f"{message.page.url}: {message.text} {message.location['url']}")

    def asked(request):
        if not request.url.startswith((f"{address}/", "data:", "blob:")):
            troubles.append(f"asked {request.url}")

    context.add_init_script(VIOLATIONS)
    context.on("console", heard)
    context.on("weberror", lambda error: troubles.append(f"{error.page.url}: {error.error}"))
    context.on("request", asked)
    return troubles
