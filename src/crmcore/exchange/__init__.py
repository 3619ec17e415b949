from crmcore.unit import Area


class ExchangeService:
    def __init__(self, unit): ...


AREA = Area(name="exchange", entities=())
