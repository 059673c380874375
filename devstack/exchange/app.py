"""The exchange as one application: what is where."""

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.routing import Route

from devstack.exchange.control import control_routes, invalid
from devstack.exchange.middleware import Exchange, Middleware
from devstack.exchange.yahoo import Chart, Search, Spark
from infra.runtime.health import Health


def exchange_app(exchange: Exchange, health: Health) -> Starlette:
    chart = Middleware(exchange, Chart(exchange.listings, exchange.clock))
    spark_v7 = Middleware(exchange, Spark(exchange.listings, exchange.clock, "v7"))
    spark_v8 = Middleware(exchange, Spark(exchange.listings, exchange.clock, "v8"))
    search = Middleware(exchange, Search(exchange.listings))
    return Starlette(
        routes=[
            Route("/v8/finance/chart/{symbol}", chart, methods=["GET"]),
            Route("/v7/finance/spark", spark_v7, methods=["GET"]),
            Route("/v8/finance/spark", spark_v8, methods=["GET"]),
            Route("/v1/finance/search", search, methods=["GET"]),
            *control_routes(exchange),
            *health.routes(),
        ],
        exception_handlers={ValidationError: invalid},
    )
