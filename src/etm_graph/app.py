"""The ASGI application: what a process is made of, its routes, its start and its stop."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute

from etm_graph import wiring
from etm_graph.access.decisions import Access
from etm_graph.access.sealing import Sealer
from etm_graph.access.snapshot import default_policy_folder
from etm_graph.access.watching import PolicyWatch
from etm_graph.api import make_schema
from etm_graph.core.changes import ACCESS_STREAM
from etm_graph.db.sessions import Database, open_database
from etm_graph.events.feed import Feed
from etm_graph.events.hints import Hints
from etm_graph.events.unit_of_work import Writer
from etm_graph.events.watching import Watch
from etm_graph.features.exchange.queries import find_download, pieces
from etm_graph.graphql.context import Services
from etm_graph.graphql.documents import BadManifest, TrustedDocuments, check_manifest, read_manifest
from etm_graph.graphql.execution import Executor
from etm_graph.identity.attempts import FailedSignIns
from etm_graph.identity.authenticate import Authenticator
from etm_graph.identity.tokens import DEV_ISSUER, TokenConfig, TokenVerifier
from etm_graph.jobs.board import hint_of, job_of
from etm_graph.jobs.worker import Worker
from etm_graph.settings import DocumentTrust, Mode, Settings
from etm_graph.signing_in import SecurityMetrics, guarded, make_sign_in
from etm_graph.transport import ide
from etm_graph.transport.addresses import NoteAddress
from etm_graph.transport.compressing import CompressResponses
from etm_graph.transport.download import DownloadEndpoint
from etm_graph.transport.gateway import Gateway
from etm_graph.transport.http import HttpEndpoint
from etm_graph.transport.observing import Metrics, ObserveRequests
from etm_graph.transport.socket import SocketEndpoint
from etm_graph.transport.sse import Streams
from etm_graph.transport.tracing import Operations, TraceRequests, end_traces, make_traces


@dataclass(frozen=True, slots=True)
class Process:
    """The parts of one running process."""

    settings: Settings
    database: Database
    access: Access
    authenticator: Authenticator
    writer: Writer
    feed: Feed
    hints: Hints
    revocations: Watch
    policy: PolicyWatch
    sealer: Sealer
    services: Services
    worker: Worker
    background: Sequence[wiring.Background]

    async def start(self) -> None:
        """Begin to listen for hints and to poll."""
        await self.hints.start()
        await self.revocations.start()
        await self.policy.start()
        await self.sealer.start()
        await self.feed.start()
        if self.settings.jobs_here:
            await self.worker.start()
        for task in self.background:
            await task.start()

    async def stop(self) -> None:
        """Stop everything and close the database."""
        for task in self.background:
            await task.stop()
        await self.worker.stop()
        await self.feed.stop()
        await self.sealer.stop()
        await self.policy.stop()
        await self.revocations.stop()
        await self.hints.stop()
        await self.database.close()


def token_config(settings: Settings, dev_secret: str | None) -> TokenConfig:
    """Which tokens are believed: the configured issuer's, or development ones."""
    if settings.mode is Mode.DEVELOPMENT:
        return TokenConfig(DEV_ISSUER, settings.jwt_audience, secret=dev_secret)
    key = None if settings.jwt_public_key is None else settings.jwt_public_key.get_secret_value()
    return TokenConfig(
        str(settings.jwt_issuer),
        settings.jwt_audience,
        public_key=key,
        jwks_url=settings.jwt_jwks_url,
        name_claim=settings.jwt_name_claim,
        roles_claim=settings.jwt_roles_claim,
    )


def _authenticator(settings: Settings, dev_secret: str | None, database: Database, writer: Writer) -> Authenticator:
    verifier = TokenVerifier(token_config(settings, dev_secret))
    return Authenticator(verifier, wiring.DIRECTORY, database.read, make_sign_in(settings, database, writer))


def make_process(settings: Settings, database_url: str, dev_secret: str | None) -> Process:
    """Put a process together; nothing runs yet."""
    database = open_database(
        database_url,
        pool=settings.database_pool,
        statement_timeout_ms=settings.statement_timeout_ms,
        lock_timeout_ms=settings.lock_timeout_ms,
    )
    folder = settings.policy_dir or default_policy_folder()
    access = Access(folder)
    feed = Feed(database, poll_s=settings.head_poll_s)

    def rights_changed() -> None:
        authenticator.forget()
        feed.nudge()

    revocations = Watch(database, ACCESS_STREAM, rights_changed)

    def on_hint(number: int, head: int) -> None:
        job_id = job_of(number)
        if job_id is not None:
            worker.board.tell(job_id)
            return
        feed.hint(number, head)
        revocations.hint(number, head)

    hints = Hints(database.url, on_hint)
    engines = wiring.make_engines()
    writer = Writer(database, access, engines.reactions, hints.send)
    authenticator = _authenticator(settings, dev_secret, database, writer)
    worker = wiring.make_worker(
        database,
        writer,
        engines.engine,
        lease_s=settings.job_lease_s,
        on_event=lambda job, seq: hints.send({hint_of(job): seq}),
    )
    extras = dict(wiring.extras(engines.engine, worker))
    services = Services(settings, database, access, writer, feed, authenticator.refresh, extras)
    policy, sealer = PolicyWatch(access, folder, poll_s=settings.policy_poll_s), Sealer(database)
    background = wiring.make_background(database, writer, settings)
    return Process(
        settings,
        database,
        access,
        authenticator,
        writer,
        feed,
        hints,
        revocations,
        policy,
        sealer,
        services,
        worker,
        background,
    )


def make_gateway(process: Process, attempts: FailedSignIns, operations: Operations, metrics: Metrics) -> Gateway:
    """What the protocols talk to. Raises `BadManifest`."""
    settings = process.settings
    schema = make_schema(settings)
    trusted = {}
    if settings.trusted_documents is not DocumentTrust.OFF:
        if settings.trusted_documents_file is None:
            raise BadManifest("Trusted documents need their manifest: set ETM_TRUSTED_DOCUMENTS_FILE.")
        trusted = dict(read_manifest(settings.trusted_documents_file))
        check_manifest(trusted, schema._schema)
    development = settings.mode is Mode.DEVELOPMENT
    return Gateway(
        process.services,
        Executor(schema, settings, lambda reason: metrics.fallbacks.labels(reason).inc()),
        guarded(process.authenticator, attempts),
        TrustedDocuments(settings.trusted_documents, trusted),
        operations,
        ide=development,
        get_queries=development if settings.get_queries is None else settings.get_queries,
    )


def _health(process: Process, sockets: SocketEndpoint, streams: Streams, metrics: Metrics) -> list[Route]:
    async def healthz(_: Request) -> Response:
        policy = process.access
        return JSONResponse({"status": "ok", "policy": policy.snapshot.version, "policyFailure": policy.failure})

    async def readyz(_: Request) -> Response:
        try:
            async with asyncio.timeout(2), process.database.read() as session:
                await session.scalar(text("SELECT 1"))
        except (OSError, SQLAlchemyError, TimeoutError):
            return JSONResponse({"status": "no database"}, 503)
        return JSONResponse({"status": "ready"})

    async def exposition(_: Request) -> Response:
        body, media_type = metrics.render(sockets.open_sockets, len(streams), process.feed.followed)
        return PlainTextResponse(body, media_type=media_type)

    async def root(_: Request) -> Response:
        return RedirectResponse("/graphql")

    return [
        Route("/", root),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", exposition),
    ]


def _downloads(process: Process) -> Route:
    async def download(request: Request) -> Response:
        number, expires = int(request.path_params["job"]), int(request.path_params["expires"])
        async with process.database.read() as session:
            found = await find_download(session, number, expires, request.path_params["signature"], datetime.now(UTC))
        if found is None:
            return JSONResponse({"error": "This link leads to nothing, was altered or has expired."}, 404)
        headers = {
            "content-length": str(found.size),
            "content-disposition": f'attachment; filename="{found.name}"',
            "cache-control": "private, no-store",
        }
        return StreamingResponse(pieces(process.database, number), headers=headers, media_type=found.media_type)

    return Route("/exports/{job:int}/{expires:int}/{signature:str}", download)


def make_app(settings: Settings, database_url: str, dev_secret: str | None = None) -> Starlette:
    """The application of one process on a migrated database.

    dev_secret: key of development tokens; needed unless an issuer is configured.
    """
    process = make_process(settings, database_url, dev_secret)
    attempts = FailedSignIns(settings.sign_in_failures_max)
    metrics, traces = Metrics(), make_traces(settings.traces_url)
    gateway = make_gateway(process, attempts, Operations(metrics, traces), metrics)
    sockets, streams = SocketEndpoint(gateway), Streams()
    metrics.add(SecurityMetrics(process.access, process.sealer, attempts))

    def drain() -> None:
        sockets.drain()
        streams.drain()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await process.start()
        yield
        await process.stop()
        end_traces(traces)

    app = Starlette(
        routes=[
            Route("/graphql", HttpEndpoint(gateway, streams).answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
            WebSocketRoute("/graphql", sockets.serve),
            Route("/download/{name}", DownloadEndpoint(gateway, wiring.DOWNLOADS).answer, methods=["GET"]),
            _downloads(process),
            *_health(process, sockets, streams, metrics),
            *([ide.ROUTE] if gateway.ide else []),
        ],
        middleware=[
            Middleware(NoteAddress),
            Middleware(TraceRequests, traces=traces),
            Middleware(ObserveRequests, metrics=metrics),
            Middleware(CompressResponses, bytes_min=settings.compressed_bytes_min),
        ],
        lifespan=lifespan,
    )
    app.state.process = process
    app.state.drain = drain
    return app
