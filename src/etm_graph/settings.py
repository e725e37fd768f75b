"""Every setting, once: its type, default, unit and meaning. Each is read from the environment as ETM_<NAME>."""

from enum import StrEnum
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Mode(StrEnum):
    """How the server trusts its callers."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class StatusProfile(StrEnum):
    """Which statuses GraphQL over HTTP answers with."""

    AUDITED = "audited"
    DRAFT = "draft-2026-08"


class DocumentTrust(StrEnum):
    """Which documents run: any, those of the manifest as well by id, or those of the manifest only."""

    OFF = "off"
    ALLOW = "allow"
    REQUIRE = "require"


class Settings(BaseSettings):
    """The process's configuration; immutable once read."""

    model_config = SettingsConfigDict(env_prefix="ETM_", frozen=True)

    host: str = "127.0.0.1"
    """Address to bind; without configured authentication only 127.0.0.1 is accepted."""
    port: int = 8000
    """TCP port of the HTTP and WebSocket server."""
    data_dir: Path = Path(".data")
    """Folder of the embedded PostgreSQL and of the development secret."""
    database_url: str | None = None
    """postgresql://… of a server of one's own; None starts the embedded one in `data_dir`."""
    database_pool: int = 10
    """Connections kept per process."""
    statement_timeout_ms: int = 30_000
    """Milliseconds after which PostgreSQL cancels one statement of a request."""
    lock_timeout_ms: int = 5_000
    """Milliseconds that a write waits for a stream's lock before it is answered with BUSY."""
    policy_dir: Path | None = None
    """Folder with model.conf, policy.csv and activation.toml; None uses those that came with the project."""
    policy_poll_s: float = 2.0
    """Seconds between two looks at the policy files; changed ones are taken without a restart."""

    jwt_issuer: str | None = None
    """Expected `iss`; set together with audience and one key setting to leave development mode."""
    jwt_audience: str = "etm-graph"
    """Expected `aud`."""
    jwt_public_key: SecretStr | None = None
    """PEM of the key that verifies tokens (RS256, ES256 or EdDSA)."""
    jwt_jwks_url: str | None = None
    """Where the identity provider publishes its keys; the alternative to `jwt_public_key`."""
    jwt_name_claim: str = "sub"
    """Claim that is the user name of a user whom the provider has not been seen to know by `sub`."""
    jwt_roles_claim: str | None = None
    """Claim that lists the caller's groups, such as `groups`; None takes no role from tokens."""
    jwt_roles: dict[str, str] = {}
    """JSON: which group gives which role, such as {"sales-ops": "planner", "emea": "manager@/EMEA/"}; others give none."""
    jwt_provision: bool = False
    """Whether a believed token of an unknown user makes that user; without roles, unless `jwt_roles` gives some."""
    sign_in_failures_max: int = 20
    """Failed sign-ins in a minute after which an address has to wait; 0 for any number."""
    dev_secret: SecretStr | None = None
    """Key of development tokens, at least 32 bytes; None keeps a random one in `data_dir`."""

    page_size_default: int = 50
    """`first` of a connection when the caller does not say."""
    page_size_max: int = 200
    """Largest `first` of a connection."""
    tree_page_max: int = 10_000
    """Largest `first` of the flat tree."""
    document_bytes_max: int = 64 * 1024
    """Largest GraphQL document, in bytes."""
    document_depth_max: int = 15
    """Deepest nesting of fields in a document."""
    document_tokens_max: int = 5_000
    """Most lexical tokens in a document."""
    document_aliases_max: int = 100
    """Most aliases in an operation, counted as often as its fragments are used."""
    document_directives_max: int = 50
    """Most directives in a document."""
    document_directives_at_once_max: int = 5
    """Most directives at one place of a document."""
    document_root_fields_max: int = 30
    """Most fields at the top of an operation, repeated ones included."""
    document_repeats_max: int = 10
    """How often one selection set may name the same field under the same name."""
    list_input_max: int = 1_000
    """Most items in one list of an argument or variable."""
    list_size_assumed: int = 10
    """How many items a list without a page size is taken to have when the cost of an operation is reckoned."""
    operation_cost_max: int = 2_000_000
    """Highest cost of an operation, reckoned from its document before it runs."""
    operation_timeout_s: float = 20.0
    """Seconds after which a query or mutation is cancelled together with its work in the database."""
    budget_cost: int = 20_000_000
    """Cost that a caller may use at once, per process."""
    budget_cost_per_s: int = 500_000
    """Cost that a caller's budget regains each second; 0 for no budgets."""
    document_cache_characters: int = 1_000_000
    """Characters of documents that are kept parsed."""
    http_statuses: StatusProfile = StatusProfile.AUDITED
    """`audited` by the suite of graphql-http, or `draft-2026-08` of GraphQL over HTTP (422, 294)."""
    get_queries: bool | None = None
    """Whether GET runs any query; None means in development only. Trusted documents run by GET always."""
    introspection: bool = True
    """Whether signed-in callers may introspect the schema."""
    trusted_documents: DocumentTrust = DocumentTrust.OFF
    """`off`, `allow` documents of the manifest by `documentId`, or `require` them."""
    trusted_documents_file: Path | None = None
    """The manifest of trusted documents, JSON."""
    compressed_bytes_min: int = 1_024
    """Smallest response that is compressed, in bytes."""
    traces_url: str | None = None
    """Where OpenTelemetry spans go by OTLP over HTTP, such as http://collector:4318/v1/traces; None for nowhere."""
    sse_quiet_s: float = 12.0
    """Seconds of silence after which an event stream says that it is alive."""
    request_bytes_max: int = 2 * 1024 * 1024
    """Largest HTTP request body, in bytes."""
    message_bytes_max: int = 256 * 1024
    """Largest WebSocket message from a client, in bytes."""
    socket_subscriptions_max: int = 20
    """Most concurrent operations on one WebSocket."""
    socket_init_timeout_s: float = 5.0
    """Seconds a WebSocket may stay without `connection_init`."""
    socket_ping_interval_s: float = 30.0
    """Seconds between two pings of a WebSocket; a client that answers none of them is disconnected. 0 for none."""
    checkpoint_interval_s: float = 15.0
    """Seconds between two `Checkpoint` items of a quiet stream."""
    head_poll_s: float = 1.0
    """Seconds between two looks at the heads of watched streams; repairs lost wake-ups."""
    webhook_timeout_s: float = 10.0
    """Seconds that a webhook's receiver has to answer."""
    webhook_private_allowed: bool = False
    """Whether webhooks may be sent to addresses that are not of the open internet, and by http."""
    drain_s: float = 10.0
    """Seconds that a stopping server gives open requests and sockets."""
    deleted_model_keep_days: float = 30.0
    """Days that a deleted draft stays in the bin, from which it can be taken out again."""
    jobs_here: bool = True
    """Whether a serving process also runs jobs; False leaves them to `etm-graph worker`."""
    job_lease_s: float = 10.0
    """Seconds after which a job whose worker is silent is taken over."""

    @property
    def mode(self) -> Mode:
        """DEVELOPMENT unless an issuer and a key are configured."""
        configured = self.jwt_issuer is not None and (self.jwt_public_key or self.jwt_jwks_url)
        return Mode.PRODUCTION if configured else Mode.DEVELOPMENT
