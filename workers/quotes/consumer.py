"""quotes.commands → handlers, a batch at a time."""

from collections import deque
from functools import partial

from contracts.topics import QUOTES
from infra.composition.process import Worker
from infra.messaging.consumer_policy import Policy
from infra.messaging.dispatch import dispatch_in_bulk
from infra.resilience.policies import Change
from infra.resilience.provider_calls import Upstream
from workers.quotes.batch_loader import LookUps
from workers.quotes.cache import HistoryCache, QuoteCache
from workers.quotes.dependencies import QuotesDeps
from workers.quotes.handlers import HANDLES, look_up
from workers.quotes.history import look_up_histories
from workers.quotes.leases import Leases
from workers.quotes.provider import Provider
from workers.quotes.provider_fallback import ProviderFallback, ProviderLink
from workers.quotes.search import search_for
from workers.quotes.settings import QuotesSettings
from workers.quotes.twelvedata import open_twelvedata
from workers.quotes.yahoo import open_yahoo

POLICY = Policy(max_records=200, in_bulk=True)
CHANGES_KEPT = 1_000


async def start(worker: Worker, settings: QuotesSettings) -> None:
    """Put the providers together and start the consumer; open look-ups are finished at the end."""
    enter = worker.shutdown.resources.enter_async_context
    changes: deque[Change] = deque(maxlen=CHANGES_KEPT)

    def link(provider: Provider) -> ProviderLink:
        upstream = Upstream(
            provider.name,
            worker.redis,
            changes.append,
            retries=settings.retries,
            circuit=settings.circuit,
        )
        return ProviderLink(provider, upstream)

    url = str(settings.yahoo_url)
    yahoo = await enter(open_yahoo(url, name=settings.quotes_source, timeouts=settings.timeouts))
    links = [link(yahoo)]
    if key := settings.second_key:
        url = str(settings.quotes_second_url)
        links.append(link(await enter(open_twelvedata(url, key, timeouts=settings.timeouts))))
    deps = QuotesDeps(
        transactions=worker.transactions(QUOTES),
        pool=worker.pool,
        outcome_notifier=worker.outcome_notifier,
        cache=QuoteCache(worker.redis),
        history_cache=HistoryCache(worker.redis),
        leases=Leases(worker.redis),
        chain=ProviderFallback(links, yahoo),
        changes=changes,
    )
    deps.look_ups = LookUps(partial(look_up, deps))
    deps.histories = LookUps(partial(look_up_histories, deps))
    deps.searches = LookUps(partial(search_for, deps), gather_seconds=0)
    worker.health.details["providers"] = deps.chain.describe
    worker.shutdown.on_shutdown("look-ups", deps.finish)
    await worker.consume(QUOTES, dispatch_in_bulk(HANDLES, deps), transactions=None, policy=POLICY)
