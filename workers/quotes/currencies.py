"""Currencies as providers name them: which are whole, which are a part of another one. Pure.

A code that is in neither table is not a currency that anybody can rely on, and no quote is made of
a price in it: a factor that is guessed is a price that is wrong by a hundred.
"""

from decimal import Decimal

PARTS: dict[str, tuple[str, int]] = {
    # London: pence. Yahoo writes GBp, Bloomberg and Twelve Data GBX.
    "GBp": ("GBP", 2),
    "GBX": ("GBP", 2),
    # Johannesburg: cents.
    "ZAc": ("ZAR", 2),
    "ZAC": ("ZAR", 2),
    # Tel Aviv: agorot.
    "ILA": ("ILS", 2),
    # Futures in Chicago and New York (ZC=F, KC=F), shares in London: cents.
    "USX": ("USD", 2),
    # Kuwait: fils, of which a dinar has a thousand.
    "KWF": ("KWD", 3),
}
"""Units of quotation: whose part each is, and by how many decimal places.

Source: the `currency` of Yahoo's charts (GBp, ZAc, ILA, USX, KWF), and the codes of units that the
stock exchanges of London and Johannesburg publish (GBX, USX, ZAC). The places are the minor units
of ISO 4217.
"""

_ISO_4217 = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN "
    "BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL "
    "GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF "
    "KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN "
    "MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD "
    "SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH "
    "UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"
)
"""ISO 4217, list one (six-group.com, amendment 179), without funds, metals and codes for tests."""
_OTHERS = "CNH CLF HRK ANG SLL ZWL BTC ETH LTC XRP BNB SOL XAU XAG XPT XPD"
"""Whole units that are quoted without being in that list: offshore renminbi, Chilean units of
account, currencies that ended, coins and metals that others are priced in."""

WHOLE = frozenset(f"{_ISO_4217} {_OTHERS}".split())


def is_known(code: str) -> bool:
    """Whether a price in this unit can be converted."""
    return code in WHOLE or code in PARTS


def in_whole_units(price: Decimal, code: str) -> tuple[Decimal, str]:
    """Pence in pounds, exactly; a price in a whole currency as it is."""
    whole, places = PARTS.get(code, (code, 0))
    return price.scaleb(-places) if places else price, whole
