"""`python -m gateway`."""

import secrets
from functools import partial

from starlette.applications import Starlette

from gateway.app import Application
from gateway.auth.authentication import Authenticator
from gateway.auth.password_strength import open_strength
from gateway.auth.revocation import Revocations
from gateway.commands.idempotency import IdempotencyStore
from gateway.commands.publisher import CommandPublisher
from gateway.commands.results import CommandResults
from gateway.commands.seals import Seals
from gateway.deps import GatewayDeps
from gateway.http.public_port import ProblemRenderer, client_key, connection_bounds
from gateway.openapi.document import as_text, document
from gateway.quotes.history import Histories
from gateway.quotes.history_cache import HistoryCache
from gateway.quotes.lookup import Quotes
from gateway.quotes.quote_cache import QuoteCache
from gateway.quotes.search import Searches
from gateway.rate_limit.limiter import Limits
from gateway.rate_limit.shared_windows import SharedWindows
from gateway.routes import ENDPOINTS
from gateway.settings import GatewaySettings
from gateway.stream.streams import Streams
from gateway.stream.tickets import Tickets
from infra.composition.bootstrap import main
from infra.composition.process import watch_helpful, watch_needed
from infra.kafka.producer import Producer
from infra.observability.http_tracing import TraceRequests
from infra.postgres.pool import open_pool
from infra.postgres.reads import Reads, probe_of
from infra.redis.client import open_redis
from infra.resilience.dependency_monitor import Dependency
from infra.runtime.health import Health
from infra.runtime.http_server import http_server
from infra.runtime.lifecycle import GracefulShutdownHandler
from infra.security.access_tokens import TokenChecker
from infra.security.client_cipher import ClientCipher


async def run(settings: GatewaySettings) -> None:
    async with GracefulShutdownHandler() as shutdown:
        enter = shutdown.resources.enter_async_context
        health = Health()
        pool = await enter(open_pool(settings, instance=settings.instance))
        redis = await enter(open_redis(settings))
        producer = await enter(Producer(settings, client_id=settings.instance))
        database = watch_needed(Dependency("postgres", probe_of(pool)), health, shutdown)
        watch_needed(Dependency("kafka", producer.probe), health, shutdown)
        watch_helpful(Dependency("valkey", redis.ping), health, shutdown)
        reads = Reads(pool, database)
        channel = f"qnt9:replies:{settings.instance}:{secrets.token_hex(8)}"
        outcomes = CommandResults(redis, reads, channel)
        shutdown.background("outcome notifications", outcomes.listen())
        shutdown.background("outcome rows", outcomes.poll())
        access = Revocations(redis, reads)
        shutdown.background("access changes", access.listen())
        shutdown.background("access rows", access.follow())
        cipher, idempotency = ClientCipher(settings.client_key), IdempotencyStore(redis, reads)
        commands = CommandPublisher(settings, producer, outcomes, idempotency, cipher)
        checker = TokenChecker(settings.token_public_key)
        quote_cache = QuoteCache(redis, reads)
        quotes, searches = Quotes(quote_cache, commands), Searches(quote_cache, commands)
        tickets = Tickets(redis, settings.gateway_key)
        streams = Streams(settings, reads, quotes)
        authenticator = Authenticator(
            checker,
            access,
            reads,
            tickets,
            settings.trusted_proxies,
            forwarded_header=settings.forwarded_header,
        )
        shutdown.background("events", streams.watch())
        shutdown.background(
            "streams of ended sessions", streams.end_with_sessions(authenticator.current)
        )
        shutdown.background("streams at the end", streams.end_at(shutdown.draining))
        deps = GatewayDeps(
            settings=settings,
            shutdown=shutdown,
            authenticator=authenticator,
            access=access,
            commands=commands,
            quotes=quotes,
            histories=Histories(HistoryCache(redis), commands),
            searches=searches,
            seals=Seals(settings),
            pool=reads,
            openapi=as_text(document(ENDPOINTS)).encode(),
            limits=Limits(SharedWindows(redis), settings.quotas, settings.gateway_key),
            streams=streams,
            tickets=tickets,
            strength=await enter(open_strength(settings.breached_passwords_url)),
        )
        health.ready["process"] = lambda: "draining" if shutdown.draining.is_set() else None
        health.partial |= {"postgres", "clock"}  # commands are accepted all the same
        health.ready["streams"] = lambda: streams.problem
        health.ready["access"] = lambda: access.problem
        await enter(
            http_server(
                Starlette(routes=health.routes()),
                settings.health_host,
                settings.health_port,
                name="operations",
            )
        )
        app = Application(deps, ENDPOINTS, health.public_routes())
        await enter(
            http_server(
                TraceRequests(app),
                settings.http_host,
                settings.http_port,
                name="public",
                bounds=connection_bounds(
                    settings.max_connections,
                    of_client=settings.max_connections_per_client,
                    buffered_bytes=settings.max_buffered_bytes,
                ),
                client_key=client_key(settings.trusted_proxies),
                render=ProblemRenderer(app.security),
            )
        )
        shutdown.on_shutdown("requests", partial(app.drained, settings.drain_seconds))
        health.started = True
        await shutdown.run_until_signalled()


if __name__ == "__main__":
    main(GatewaySettings, run)
