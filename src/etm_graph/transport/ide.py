"""GraphiQL, served from here: it works without the Internet, and no foreign script sees the token in its tab."""

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

PACKED = {
    "graphiql.min.js": "text/javascript",
    "graphiql.min.css": "text/css",
    "react.production.min.js": "text/javascript",
    "react-dom.production.min.js": "text/javascript",
}
"""Builds of npm packages (graphiql/SOURCES.md), kept and sent packed with gzip, and their media types."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src data:; img-src 'self' data:; "
    "connect-src 'self' ws: wss:; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content Security Policy of the page: nothing from elsewhere."""

_FOLDER = files("etm_graph.transport").joinpath("graphiql")


def page() -> Response:
    """The page that a browser gets at the endpoint."""
    body = _FOLDER.joinpath("index.html").read_text(encoding="utf-8")
    return HTMLResponse(body, headers={"content-security-policy": POLICY, "x-content-type-options": "nosniff"})


def _packed(name: str) -> Response:
    headers = {"content-encoding": "gzip", "cache-control": "public, max-age=86400"}
    return Response(_FOLDER.joinpath(f"{name}.gz").read_bytes(), media_type=PACKED[name], headers=headers)


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name in PACKED:
        return _packed(name)
    if name == "start.js":
        return Response(_FOLDER.joinpath(name).read_bytes(), media_type="text/javascript")
    return Response(status_code=404)


ROUTE = Route("/graphql/ide/{name}", _asset)
"""What the page loads."""
